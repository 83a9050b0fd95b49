"""Check that what README shows runs as it stands there."""

import re
from functools import partial
from pathlib import Path

import numpy as np
import tifffile

import sbd

README = Path(__file__).parents[1] / "README.md"


def test_the_example_runs_on_a_recording_with_pixels_of_its_own(tmp_path, monkeypatch):
    code, *_ = re.findall(r"```python\n(.*?)```", README.read_text("utf8"), re.DOTALL)
    assert code.count('"particle.dm4"') == 1
    scene = sbd.held_out_scenes()[0]
    counts = np.random.default_rng(0).poisson(8 * scene.clean[280:400, 200:320])
    file, sides = tmp_path / "particle.tif", scene.specimen.pixel
    per_centimetre = tuple(1e8 / side for side in reversed(sides))
    tifffile.imwrite(file, counts.astype("u2"), resolution=per_centimetre,
                     resolutionunit="CENTIMETER")  # fmt: skip
    # one deal in place of 20: seconds
    monkeypatch.setattr(sbd, "judge_columns", partial(sbd.judge_columns, deals=1))
    seen = {}
    exec(code.replace('"particle.dm4"', repr(str(file))), seen)
    np.testing.assert_allclose(seen["recording"].pixel.sides, sides)
    expected = sbd.denoise(counts, pixel=sides)
    np.testing.assert_array_equal(seen["denoised"], expected)
    pixel = seen["judged"].settings["pixel [angstrom]"]
    assert np.isclose(pixel, np.mean(sides))
    assert len(seen["judged"].verdicts) > 0
