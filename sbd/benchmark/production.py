"""Make a benchmark: one structure at a time, on one processor or on many.

The unit of work is a structure: its atoms, one exit wave for each tilt, one focal
series for each wave, one chunk of the array. A unit depends on nothing but its recipe
and the settings, so it does not matter who computes it or when. Chunks are written by
the calling process alone, to a temporary name and then renamed; a run that was killed
goes on with the chunks that are missing.
"""

import json
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np
import zarr
from ase import Atoms
from tqdm import tqdm

from sbd.benchmark.croissant import CROISSANT, describe_benchmark
from sbd.benchmark.dataset import (
    CHECKSUMS,
    FORMAT,
    LABELS,
    Benchmark,
    chunk_path,
    parse_settings,
    read_chunk,
)
from sbd.benchmark.recipes import Recipe, default_recipes
from sbd.files import sha256, write_json, write_text
from sbd.simulation.imaging import exit_wave, form_image
from sbd.simulation.microscope import Microscope, image_samples
from sbd.simulation.potential import check_atoms
from sbd.simulation.specimens import DEFOCI, TILTS, structure_table
from sbd.simulation.structures import check_tilts
from sbd.validation import check_whole

log = logging.getLogger(__name__)

# Of a worker: one thread, and memory that is kept, not handed back to the system and
# fetched again page by page after every step, which costs a fifth of the time on Linux.
WORKER_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
}
_PATIENCE = 60  # for the first worker of a cluster [s]


_OF_THE_PAPER = """Structures of the benchmark of Mohan et al., "Deep Denoising for
Scientific Discovery: A Case Study in Electron Microscopy" (IEEE Trans. Computational
Imaging 8, 2022, 585-597). These are not the authors' files. They are a recomputation
from a description of them, under Creative Commons Attribution 4.0 International
(CC-BY-4.0); please cite the paper and the companion."""
_OF_ONE_S_OWN = """Some of the structures are not among the library's 95; under which
licence these images may be used is for those to say who made them."""
_FITTED = "The constants were fitted to seven clean images of the authors."
_CHOSEN = "The constants were chosen for this folder."


@dataclass(frozen=True)
class _Task:
    """One structure at all its tilts and defoci."""

    recipe: Recipe
    tilts: tuple[tuple[float, float], ...]
    defoci: tuple[float, ...]
    samples: int
    microscope: Microscope
    device: str

    def run(self) -> np.ndarray:
        """Simulate the images (tilts, defoci, samples, samples) as float16."""
        waves = exit_wave(
            self.recipe.build(), self.microscope, tilts=self.tilts, device=self.device
        )
        foci = 10.0 * np.array(self.defoci)
        block = np.empty(
            (len(waves), len(foci), self.samples, self.samples), np.float16
        )
        for i, wave in enumerate(waves):
            block[i] = form_image(
                wave, defocus=foci, samples=self.samples, device=self.device
            )
        return block


def simulate_benchmark(
    folder: str | Path,
    *,
    recipes: Sequence[Recipe] | None = None,
    tilts: Sequence[tuple[float, float]] = TILTS,
    defoci: Sequence[float] = DEFOCI,
    grid: int | None = None,
    microscope: Microscope | None = None,
    workers: int = 1,
    dask: str | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> Benchmark:
    """Simulate a benchmark, or what is missing of one that was begun.

    A structure is one chunk, written to a temporary name and renamed, so a run that was
    killed goes on where it stopped. The result does not depend on who computed it.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where it goes; made if need be.
    recipes : sequence of Recipe, optional
        Structures; the paper's 95 of `default_recipes` if not given.
    tilts : sequence of (tilt_x, tilt_y)
        Crystal tilts; by default the paper's nine [degrees].
    defoci : sequence of float
        Foci, positive for overfocus; by default the paper's 21 [nm].
    grid : int, optional
        Samples of the box in the multislice calculation, instead of the microscope's.
    microscope : Microscope, optional
        Optics; those that reproduce the authors' images if not given.
    workers : int, default 1
        Processes on this machine.
    dask : str, optional
        Address of the scheduler of a dask cluster that computes instead, such as
        ``"tcp://10.0.0.1:8786"``; its workers need this library, not this folder.
    device : str, default "cpu"
        Where the waves and images are computed, see `exit_wave`.
    progress : bool, default True
        Whether to show a bar.

    Returns
    -------
    Benchmark
        The finished folder.

    Raises
    ------
    ValueError
        If `folder` holds a benchmark of other settings, or an argument is impossible.
    RuntimeError
        If a worker died, say for want of memory; what was done is kept.
    OSError
        If the disk is full; what was written is kept.
    """
    check_whole("workers", workers)
    if dask is not None and workers != 1:
        msg = f"workers must be left out where dask has its own; got {workers}"
        raise ValueError(msg)
    if not len(defoci) or not np.isfinite(defoci).all():
        msg = f"defoci must be one or more finite numbers; got {defoci}"
        raise ValueError(msg)
    folder, microscope = Path(folder), microscope or Microscope()
    if grid is not None:
        microscope = replace(microscope, grid=grid)
    if device != "cpu" and dask is None:
        from sbd.simulation.multislice import require_device

        require_device(device)  # before anything is written
    recipes = default_recipes() if recipes is None else tuple(recipes)
    engine = "abtem" if device == "cpu" else "torch"
    settings = _settings(recipes, check_tilts(tilts), defoci, microscope, engine)
    _prepare(folder, settings)
    tasks = {
        i: _Task(
            recipe,
            tuple(map(tuple, settings["tilts"])),
            tuple(settings["defoci"]),
            settings["samples"],
            microscope,
            device,
        )
        for i, recipe in enumerate(recipes)
        if not chunk_path(folder, i).exists()
    }
    done = len(recipes) - len(tasks)
    array = zarr.open_array(folder / "images.zarr", mode="r+")
    for i in set(range(len(recipes))) - set(tasks):
        read_chunk(array, i, chunk_path(folder, i))  # what is damaged is not kept
    if dask is not None:
        blocks = _on_cluster(tasks, dask)
    elif workers > 1 and len(tasks) > 1:
        blocks = _in_processes(tasks, workers)
    else:
        blocks = ((i, task.run()) for i, task in tasks.items())
    bar = tqdm(total=len(recipes), initial=done, unit="structure", disable=not progress)
    with bar, closing(blocks):
        for i, block in blocks:
            _write(array, i, block, folder)
            bar.update()
    return _finish(folder, len(recipes))


def _settings(
    recipes: Sequence[Recipe],
    tilts: Sequence[tuple[float, float]],
    defoci: Sequence[float],
    microscope: Microscope,
    engine: str,
) -> dict:
    """Describe a benchmark such that two are the same if their settings are."""
    if not recipes:
        msg = "recipes must hold at least one structure; got none"
        raise ValueError(msg)
    rows, boxes = [], set()
    for recipe in recipes:
        try:
            atoms = recipe.build()
            check_atoms(atoms)
        except ValueError as error:
            msg = f"recipes must be possible; got {recipe.name}: {error}"
            raise ValueError(msg) from error
        boxes.add(round(float(atoms.cell.lengths()[0]), 6))
        label, variant = recipe.label
        rows.append(
            {
                "structure": recipe.name,
                "particle": recipe.particle,
                "defect": label,
                "variant": variant,
                "thickness": float(recipe.thickness),
                "split": recipe.split,
                "atoms": _atoms_digest(atoms),
                **({} if recipe.atoms is None else {"own": True}),
            }
        )
    if len(boxes) > 1:
        msg = f"recipes must have boxes of one size; got {sorted(boxes)} angstrom"
        raise ValueError(msg)
    _check_distinct("recipes", [row["structure"] for row in rows])
    _check_distinct("tilts", [tuple(tilt) for tilt in tilts])
    _check_distinct("defoci", [float(d) for d in defoci])
    (box,) = boxes
    return {
        "format": FORMAT,
        "recipes": rows,
        "tilts": [list(tilt) for tilt in tilts],
        "defoci": [float(d) for d in defoci],
        "box": box,
        "samples": image_samples(box, microscope),
        "microscope": asdict(microscope),
        "engine": engine,
    }


def _check_distinct(name: str, values: list) -> None:
    for value in values:
        if values.count(value) > 1:
            msg = f"{name} must differ from each other; got {value} twice"
            raise ValueError(msg)


def _atoms_digest(atoms: Atoms) -> str:
    """Name a structure by its elements and its positions to 0.001 angstrom."""
    places = np.column_stack([atoms.numbers, (atoms.positions * 1e3).round()])
    return sha256(places.astype("<i8").tobytes())[:16]


def _prepare(folder: Path, settings: dict) -> None:
    """Make the folder and its empty array, or check that it is the same benchmark."""
    path = folder / "benchmark.json"
    if path.exists():
        ours = parse_settings(path.read_text(), folder)
        wanted = json.loads(json.dumps(settings))
        different = [k for k in wanted if ours.get(k) != wanted[k]]
        if different:
            msg = (
                "folder must be empty or hold the same benchmark; got "
                f"{folder}, which differs in {', '.join(different)}"
            )
            raise ValueError(msg)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        foreign = [p.name for p in folder.iterdir() if p.suffix != ".part"]
        if foreign:
            msg = (
                "folder must be empty or hold the same benchmark; got "
                f"{folder} with {', '.join(sorted(foreign)[:5])}"
            )
            raise ValueError(msg)
        write_json(path, settings)
    if not (folder / "images.zarr" / "zarr.json").exists():
        write_text(folder / "README.md", _data_card(settings))
        inner = (
            len(settings["tilts"]),
            len(settings["defoci"]),
            *2 * (settings["samples"],),
        )
        zarr.create_array(
            folder / "images.zarr",
            shape=(len(settings["recipes"]), *inner),
            chunks=(1, *inner),
            dtype="float16",
            compressors=[
                zarr.codecs.BloscCodec(cname="zstd", shuffle="bitshuffle"),
                zarr.codecs.Crc32cCodec(),  # a damaged chunk is an error, not an image
            ],
        )


def _data_card(settings: dict) -> str:
    """Say in words what is in a folder, how it was made and under which licence."""
    assets = files("sbd") / "assets"
    optics = "\n".join(f"| {k} | {v} |" for k, v in settings["microscope"].items())
    count = len(settings["recipes"])
    known = set(structure_table()["structure"])
    ours = all(row["structure"] in known for row in settings["recipes"])
    fitted = settings["microscope"] == asdict(Microscope())
    engines = {
        "abtem": f"abTEM {version('abtem')}",
        "torch": "sbd's own code in PyTorch",
    }
    return (
        (assets / "datacard.md")
        .read_text()
        .format(
            structures=count,
            tilts=len(settings["tilts"]),
            defoci=len(settings["defoci"]),
            images=count * len(settings["tilts"]) * len(settings["defoci"]),
            samples=settings["samples"],
            box=settings["box"],
            grid=settings["microscope"]["grid"],
            optics=optics,
            sbd=version("sbd"),
            engine=engines[settings["engine"]],
            origin=_OF_THE_PAPER if ours else _OF_ONE_S_OWN,
            constants=_FITTED if fitted else _CHOSEN,
            differences=(assets / "differences.md").read_text() if ours else "",
        )
    )


def _write(array: zarr.Array, i: int, block: np.ndarray, folder: Path) -> None:
    """Write one chunk, all of it or nothing."""
    try:
        array[i] = block
    except OSError as error:
        left = sum(1 for n in range(array.shape[0]) if chunk_path(folder, n).exists())
        msg = (
            f"folder must have room for the images; got {error} at {folder} ({left} of "
            f"{array.shape[0]} structures are written and stay; make room and call "
            "simulate_benchmark again)"
        )
        raise OSError(msg) from error
    finally:
        for left in chunk_path(folder, i).parent.glob("*.partial"):
            left.unlink(missing_ok=True)  # of a write that was killed


def _finish(folder: Path, count: int) -> Benchmark:
    """Write the table of labels, the checksums, and what catalogues read."""
    benchmark = Benchmark(folder)
    table = benchmark.table
    public = [name for name in table.columns if not name.startswith("_")]
    write_text(folder / LABELS, table.to_csv(index=False, columns=public))
    lines = []
    for file in (folder / LABELS, *(chunk_path(folder, i) for i in range(count))):
        lines.append(f"{sha256(file)}  {file.relative_to(folder).as_posix()}\n")
    write_text(folder / CHECKSUMS, "".join(lines))
    described = describe_benchmark(folder, benchmark.settings, table[public])
    write_json(folder / CROISSANT, described)
    return benchmark


def _in_processes(
    tasks: dict[int, _Task], workers: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield blocks in the order in which the processes finish them."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        workers, mp_context=spawn, initializer=_follow, initargs=(os.getpid(),)
    )
    with _worker_environment(), pool:
        futures = {pool.submit(task.run): i for i, task in tasks.items()}
        try:
            for future in as_completed(futures):
                yield futures.pop(future), future.result()
                del future  # or every block would stay in memory
        except BrokenProcessPool as error:
            msg = (
                "a worker died; what was done is kept. In a script, call "
                "simulate_benchmark below `if __name__ == '__main__':`, as processes "
                f"need; if memory ran out, ask for fewer workers than {workers}"
            )
            raise RuntimeError(msg) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _follow(parent: int) -> None:
    """Let a worker end when the process that began it was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _on_cluster(
    tasks: dict[int, _Task], address: str
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield blocks in the order in which the workers of a dask cluster finish them."""
    distributed = _import_distributed()
    try:
        client = distributed.Client(address, timeout=10)
    except (OSError, ValueError, TimeoutError) as error:
        msg = f"dask must be the address of a running scheduler; got {address!r}"
        raise ValueError(msg) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_PATIENCE)
        except TimeoutError as error:
            msg = f"dask must have a worker; got none at {address!r} in {_PATIENCE} s"
            raise RuntimeError(msg) from error
        futures = {
            client.submit(_Task.run, task, pure=False): i for i, task in tasks.items()
        }
        for future in distributed.as_completed(futures):
            try:
                block = future.result()
            except distributed.scheduler.KilledWorker as error:
                msg = (
                    f"the dask workers at {address} died of structure "
                    f"{futures[future]} again and again; what was done is kept"
                )
                raise RuntimeError(msg) from error
            future.release()
            yield futures[future], block


def _import_distributed():  # noqa: ANN202
    """Import dask.distributed, or say how to get it."""
    try:
        import distributed
    except ImportError as error:
        msg = "a dask cluster needs dask: pip install 'sbd[simulation]'"
        raise ImportError(msg) from error
    return distributed


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Set the environment of processes that start now, and put it back."""
    before = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    os.environ.update(WORKER_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
