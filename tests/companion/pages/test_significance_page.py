"""Check that p-values are drawn over their level."""

import numpy as np

from sbd.companion.pages.significance import show_calibration


def test_a_share_is_drawn_over_its_level():
    fig = show_calibration({"filter": {"split": [0.5, 0.1, 0.2, 0.9]}})
    line = fig.axes[0].lines[1]
    np.testing.assert_allclose(line.get_xdata(), [0.1, 0.2, 0.5, 0.9])
    np.testing.assert_allclose(line.get_ydata(), [0.25, 0.5, 0.75, 1.0])
