"""Check the making of a benchmark: who computes it, and what can go wrong."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import sbd
from sbd.benchmark.dataset import chunk_path
from sbd.benchmark.production import simulate_benchmark
from sbd.benchmark.recipes import Recipe

FEW = {
    "recipes": (Recipe("PtNp4", "D0", 10.0), Recipe("PtNp4", "D1", 10.0)),
    "tilts": ((0.0, 0.0), (0.0, 2.0)),
    "defoci": (0.0, 6.0),
    "grid": 64,
    "progress": False,
}
LABELS = ("D0", "D0b", "D0c", "D0d", "D1", "D1b", "D1c", "D1d")
EIGHT = {**FEW, "recipes": tuple(Recipe("PtNp4", d, 10.0) for d in LABELS)}


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Give the bytes of eight chunks from one undisturbed process."""
    folder = tmp_path_factory.mktemp("eight")
    sbd.simulate_benchmark(folder, **EIGHT)
    return chunks(folder)


def chunks(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes()
            for p in Path(folder).rglob("c/*/0/0/0/*")}  # fmt: skip


def test_two_workers_and_one_give_the_same_bytes(eight, tmp_path):
    sbd.simulate_benchmark(tmp_path, **EIGHT, workers=2)
    assert len(eight) == 8
    assert chunks(tmp_path) == eight


KILLED = """
import glob, os, random, signal, sys, time
sys.path.insert(0, {tests!r})
import abtem
from test_production import EIGHT, simulate_benchmark
chance = random.Random(0)
for _ in range(10):
    child = os.fork()
    if child == 0:
        simulate_benchmark({folder!r}, **EIGHT)
        os._exit(0)
    time.sleep(chance.uniform(0.02, 0.3))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    print(len(glob.glob({folder!r} + "/images.zarr/c/*/0/0/0/0")))
simulate_benchmark({folder!r}, **EIGHT)
"""


def test_ten_kills_at_random_moments_change_no_byte(eight, tmp_path):
    # the children are forked from a process that has imported all, or most of their
    # life would be imports
    folder = str(tmp_path / "killed")
    script = KILLED.format(tests=str(Path(__file__).parent), folder=folder)
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", script],
                         check=True, capture_output=True, text=True)  # fmt: skip
    after = [int(line) for line in run.stdout.split()]
    assert len(after) == 10
    assert sum(count < 8 for count in after) >= 5  # killed before it was done
    assert chunks(folder) == eight
    assert sbd.Benchmark(folder).verify() == 8


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_workers_end_with_the_process_that_began_them(tmp_path):
    folder = tmp_path / "killed"
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_production import EIGHT, simulate_benchmark\n"
        "if __name__ == '__main__':\n"
        f"    simulate_benchmark({str(folder)!r}, **EIGHT, workers=2)\n"
    )
    file = tmp_path / "run.py"
    file.write_text(script)
    run = subprocess.Popen([sys.executable, str(file)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not any(folder.glob("images.zarr/c/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    workers = family(run.pid)
    run.kill()
    run.wait()
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert workers
    assert not any(map(alive, workers))


def family(pid):
    """List the processes that a process began."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children]


def alive(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.filterwarnings("ignore")  # dask speaks of the worker that is killed here
def test_a_dask_cluster_gives_the_same_bytes_though_a_worker_is_killed(eight, tmp_path):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, dashboard_address=None, processes=True
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))

        def strike():
            while not any(tmp_path.glob("images.zarr/c/*")):
                time.sleep(0.01)
            os.kill(victim, signal.SIGKILL)

        thread = threading.Thread(target=strike)
        thread.start()
        sbd.simulate_benchmark(tmp_path, **EIGHT, dask=cluster.scheduler_address)
        thread.join()
        assert victim not in client.run(os.getpid).values()
    assert chunks(tmp_path) == eight


def test_a_full_disk_keeps_what_was_written(tmp_path):
    # a limit on the size of a file stands for a full disk: chunks are some 100 kB
    few = {**FEW, "recipes": FEW["recipes"][:1]}
    one = sbd.simulate_benchmark(tmp_path, **few).folder
    size = chunk_path(one, 0).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    chunk_path(one, 0).unlink()
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, hard))
    try:
        with pytest.raises(OSError, match=r"room for the images.*\(0 of 1 structures"):
            sbd.simulate_benchmark(tmp_path, **few)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert not any(tmp_path.rglob("*.partial"))
    assert len(sbd.simulate_benchmark(tmp_path, **few)) == 4


def test_a_broken_run_goes_on_with_what_is_missing(tmp_path):
    sbd.simulate_benchmark(tmp_path, **FEW)
    lost = tmp_path / "images.zarr" / "c" / "1" / "0" / "0" / "0" / "0"
    kept = tmp_path / "images.zarr" / "c" / "0" / "0" / "0" / "0"
    bytes_before, time_before = lost.read_bytes(), kept.stat().st_mtime_ns
    lost.unlink()
    assert len(sbd.Benchmark(tmp_path)) == 4
    sbd.simulate_benchmark(tmp_path, **FEW)
    assert lost.read_bytes() == bytes_before
    assert kept.stat().st_mtime_ns == time_before


def test_other_settings_do_not_mix_into_a_folder(tmp_path):
    sbd.simulate_benchmark(tmp_path, **FEW)
    with pytest.raises(ValueError, match="which differs in microscope"):
        sbd.simulate_benchmark(tmp_path, **{**FEW, "grid": 96})


@pytest.mark.parametrize("damage", ["half", "flip", "empty"])
def test_a_damaged_chunk_is_named_and_can_be_made_again(tmp_path, damage):
    few = {**FEW, "recipes": FEW["recipes"][:1], "tilts": ((0.0, 0.0),)}
    before = sbd.simulate_benchmark(tmp_path, **few)[0]
    chunk = tmp_path / "images.zarr" / "c" / "0" / "0" / "0" / "0" / "0"
    whole = chunk.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    chunk.write_bytes(
        {"half": whole[:99], "flip": bytes(flipped), "empty": b""}[damage]
    )
    with pytest.raises(ValueError, match=r"damaged .*/c/0/0/0/0/0 \(delete that file"):
        sbd.Benchmark(tmp_path)[0]
    chunk.unlink()
    np.testing.assert_array_equal(sbd.simulate_benchmark(tmp_path, **few)[0], before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipes": (Recipe("PtNp9", "D0", 10.0),)}, "particle must be one of"),
        ({"grid": 10}, "grid must be a whole number of at least 64; got 10"),
        ({"tilts": ((80.0, 0.0),)}, "at most 10 degrees"),
        ({"tilts": ((float("nan"), 0.0),)}, "at most 10 degrees"),
        ({"tilts": ()}, "at least one pair"),
        ({"defoci": ()}, "defoci must be one or more finite numbers"),
    ],
)
def test_a_wrong_call_leaves_the_folder_usable(tmp_path, changes, message):
    folder = tmp_path / "new"
    with pytest.raises(ValueError, match=message):
        sbd.simulate_benchmark(folder, **{**FEW, **changes})
    assert not folder.exists()


def test_other_optics_and_materials_are_simulated_too(tmp_path):
    from ase.build import bulk

    gold = bulk("Au", "fcc", a=4.08, cubic=True).repeat((4, 4, 2))
    gold.positions += 0.5
    scope = sbd.Microscope(energy=200e3, cs=1e4, c5=0.0, grid=64)
    kept = Recipe("kept", "file", 8.16, gold, held_out=True)
    benchmark = simulate_benchmark(
        tmp_path, recipes=[Recipe("gold", "file", 8.16, gold), kept], tilts=[(0, 0)],
        defoci=[5.0, 10.0], microscope=scope, progress=False,
    )  # fmt: skip
    direct = sbd.form_image(sbd.exit_wave(gold, scope), defocus=[50.0, 100.0])
    small = benchmark.settings["samples"]
    assert small == 2 * int(np.ceil(1.28 * 16.32))
    assert benchmark.table["particle"].tolist() == 2 * ["gold"] + 2 * ["kept"]
    assert benchmark.table["split"].tolist() == 2 * ["train"] + 2 * ["valid"]
    assert all(recipe["own"] for recipe in benchmark.settings["recipes"])
    # half precision near 0.45 has steps of 2.4e-4
    fine = benchmark.image(1, samples=128)
    np.testing.assert_allclose(fine, direct[1], atol=4e-4)


def test_boxes_of_different_size_are_refused(tmp_path):
    small = sbd.pt_on_ceria("PtNp4", thickness=10.0)
    small.set_cell((60.0, 60.0, 20.0))
    mixed = (FEW["recipes"][0], Recipe("wide", "file", 10.0, small))
    with pytest.raises(ValueError, match=r"boxes of one size; got \[50.0, 60.0\]"):
        sbd.simulate_benchmark(tmp_path, **{**FEW, "recipes": mixed})


def test_a_damaged_chunk_is_never_signed_off(tmp_path):
    sbd.simulate_benchmark(tmp_path, **FEW)
    chunk = chunk_path(tmp_path, 1)
    whole = chunk.read_bytes()
    chunk.write_bytes(whole[:-9] + b"x" + whole[-8:])
    sums = (tmp_path / "SHA256SUMS").read_text()
    with pytest.raises(ValueError, match=r"got a damaged .*c/1/0/0/0/0 \(delete"):
        sbd.simulate_benchmark(tmp_path, **FEW)
    assert (tmp_path / "SHA256SUMS").read_text() == sums
    chunk.unlink()
    assert sbd.simulate_benchmark(tmp_path, **FEW).verify() == 2
    assert chunk.read_bytes() == whole


def test_what_is_not_ours_is_left_alone(tmp_path):
    mine = tmp_path / "README.md"
    mine.write_text("mine")
    with pytest.raises(ValueError, match=r"must be empty .* with README.md"):
        sbd.simulate_benchmark(tmp_path, **FEW)
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]
    assert mine.read_text() == "mine"


def test_a_run_killed_before_its_first_chunk_goes_on(tmp_path):
    sbd.simulate_benchmark(tmp_path, **FEW)
    for path in sorted(tmp_path.rglob("*"), reverse=True):
        if path.name != "benchmark.json":
            path.rmdir() if path.is_dir() else path.unlink()
    assert sbd.simulate_benchmark(tmp_path, **FEW).verify() == 2


def test_a_truncated_description_is_named(tmp_path):
    sbd.simulate_benchmark(tmp_path, **FEW)
    (tmp_path / "benchmark.json").write_text('{"format":')
    with pytest.raises(ValueError, match=r"whole benchmark.json; got a damaged one"):
        sbd.simulate_benchmark(tmp_path, **FEW)


def test_an_impossible_structure_is_refused_before_anything_is_written(tmp_path):
    from ase import Atoms

    close = Atoms("Au2", [(5, 5, 1), (5, 5, 1.2)], cell=(20, 20, 5))
    folder = tmp_path / "new"
    with pytest.raises(ValueError, match=r"got gold-file-0.2: atoms must be at least"):
        sbd.simulate_benchmark(folder, recipes=[Recipe("gold", "file", 0.2, close)])
    assert not folder.exists()


@pytest.mark.parametrize(
    "twice",
    [
        {"recipes": 2 * FEW["recipes"][:1]},
        {"tilts": ((0.0, 0.0), (0, 0))},
        {"defoci": (1.0, 1.0)},
    ],
)
def test_nothing_is_simulated_twice(tmp_path, twice):
    with pytest.raises(ValueError, match=r"must differ from each other; got .* twice"):
        sbd.simulate_benchmark(tmp_path / "new", **{**FEW, **twice})


def test_the_store_describes_itself(tmp_path):
    benchmark = sbd.simulate_benchmark(tmp_path, **FEW)
    labels = pd.read_csv(tmp_path / "labels.csv", keep_default_na=False)
    assert len(labels) == len(benchmark)
    assert labels["structure"].tolist() == benchmark.table["structure"].tolist()
    assert {"contrast", "split", "published_split"} <= set(labels.columns)


def test_the_card_of_other_structures_claims_nothing_of_the_paper(tmp_path):
    from ase.build import bulk

    gold = bulk("Au", "fcc", a=4.08, cubic=True).repeat((4, 4, 2))
    gold.positions += 0.5
    sbd.simulate_benchmark(
        tmp_path, recipes=[Recipe("gold", "file", 8.16, gold)], tilts=[(0, 0)],
        defoci=[5.0], microscope=sbd.Microscope(cs=1e4, grid=64), progress=False,
    )  # fmt: skip
    card = (tmp_path / "README.md").read_text()
    assert "not among the library's 95" in card
    assert not any(word in card for word in ("PtNp2", "fitted", "CC-BY"))


def test_two_ways_of_sharing_the_work_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match="workers must be left out where dask"):
        sbd.simulate_benchmark(tmp_path, **FEW, workers=2, dask="tcp://127.0.0.1:1")
    with pytest.raises(
        ValueError, match="workers must be a whole number of at least 1; got 0"
    ):
        sbd.simulate_benchmark(tmp_path, **FEW, workers=0)
