"""Challenge every denoiser of the book: ``make challenge``.

    python book/measured/challenge.py FOLDER [--to FILE] [--specimens N] [--others M]
        [--workers W] [--seed SEED] [--deals D] [--eraser FILE]

Specimens of the strict test split, each at three foci (one for each contrast), with
some of its columns and without them, at three doses: which columns a denoiser loses and
invents, before and after the verdict. The network, windowed Fourier filtering and
correlation averaging see all specimens, the others the first M. The images, and a table
for each denoiser and specimen, are kept in FOLDER: what was measured already is not
measured again. Peers and VST + BM3D take part where they are installed.
"""

import argparse
import importlib.util
import json
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache, partial
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

import sbd
from sbd.audits.challenge import FILTERS
from sbd.audits.peers import PEERS
from sbd.companion.fingerprints import bare_code
from sbd.companion.freshness import write_measured
from sbd.evidence.judgement import judge_columns
from sbd.files import replacing, sha256
from sbd.simulation.frame import PIXEL
from sbd.typing import Denoiser

DOSES = (0.45, 2.0, 9.9)
FOCI = 3
THOROUGH = ("network", "windowed Fourier", "correlation averaging")
CODE = (
    "audits/challenge.py", "audits/removals.py", "columns/finding.py",
    "evidence/counts.py", "evidence/erasure.py", "evidence/judgement.py",
    "evidence/laws.py", "evidence/tally.py",
)  # fmt: skip
IDLE = ("raw counts", "constant")  # claim noise, or nothing
BANDS = ((0, 4), (5, 9), (10, 14), (15, 20))  # of defocus [nm]
GROUPS = ("dose", "contrast and dose", "focus", "region", "element")
LOST = ("lost", "lost_error")
BRIEF = (*LOST, "invented", "invented_error", "inventions")
FULL = ("true", "claims", *BRIEF)
DIGITS = 1


@cache
def denoisers() -> Mapping[str, Denoiser]:
    """List the networks, the filters as tuned, and the peers that are there."""
    found = {}
    for name, weights in (("network", None), ("paper's network", "weights/paper")):
        found[name] = partial(sbd.denoise_network, model=sbd.load_model(weights))
    filters = sbd.tuned_denoisers()
    found |= {name: f for name, f in filters.items() if name not in IDLE}
    if importlib.util.find_spec("bm3d"):
        found["VST + BM3D"] = sbd.denoise_bm3d
    return found | sbd.peer_denoisers()


def left_out() -> dict[str, str]:
    """Say why others of the book take no part."""
    reasons = {
        name: f"{variable} names no interpreter"
        for name, (variable, *_) in PEERS.items()
    } | {"VST + BM3D": "the package bm3d is not installed"}
    return {name: why for name, why in reasons.items() if name not in denoisers()}


def measure(
    name: str, specimen: int, images: Path, to: Path, seed: int, how: Mapping
) -> None:
    """Challenge one denoiser with one specimen, and write the table."""
    torch.set_num_threads(1)
    scenes = sbd.audits.challenge_scenes(
        images, specimens=[specimen], foci=FOCI, seed=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # filters that find no lattice say so
        table = sbd.audits.challenge_denoisers(
            {name: denoisers()[name]},
            scenes,
            doses=DOSES,
            seed=seed,
            judge=partial(judge_columns, **how),
        )
    with replacing(to) as part:
        table.to_csv(part, index=False, compression="gzip")


def label_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Name the groups that are summed up together."""
    bands = {
        focus: f"{low} to {high} nm"
        for low, high in BANDS
        for focus in range(low, high + 1)
    }
    dose = table["dose"].map("{:g} e/pixel".format)
    return table.assign(
        **{
            "focus": table["defocus"].map(bands),
            "region": table["surface"].map({True: "surface", False: "bulk"}),
            "contrast and dose": table["contrast"] + ", " + dose,
            "dose": dose,
        }
    )


def describe(
    table: pd.DataFrame,
    group: str,
    names: Sequence[str] = BRIEF,
    shown: Sequence[str] = ("claimed", "supported"),
) -> dict:
    """Sum up by the entries of a column, what is shown of them one after another."""
    summary = sbd.audits.summarise_challenge(table, by=[group])
    summary = summary[summary["shown"].isin(shown)]
    return {
        entry: some.set_index("shown")[list(names)].to_dict("index")
        for entry, some in summary.groupby(group, sort=True)
    }


def describe_method(table: pd.DataFrame) -> dict:
    """Sum up everything that one denoiser did."""
    table = label_groups(table.assign(everything="all"))
    one = table.drop_duplicates(["image", "dose", "draw"])
    claims = table[table["verdict"] != "not claimed"]
    empty = claims[claims["site"] & claims["invented"]]
    sites = table[table["site"] & (table["kind"] != "none")]
    return {
        "specimens": int(table["specimen"].nunique()),
        "recordings": len(one),
        "refused": int((one["reason"] != "").sum()),
        "reasons": sorted(set(one["reason"]) - {""})[:3],
        "psnr": one.groupby("contrast")["psnr"].mean().to_dict(),
        "invented at empty sites, by verdict": empty["verdict"]
        .value_counts()
        .to_dict(),
        **describe(table, "everything", FULL, tuple(FILTERS)),
        "by contrast": describe(table, "contrast", FULL, tuple(FILTERS)),
        **{f"by {group}": describe(table, group) for group in GROUPS},
        "by kind, at sites": describe(sites, "kind", LOST),
    }


def rounded(value: object) -> object:
    """Round the numbers in nested dicts; what has no value is null."""
    if isinstance(value, dict):
        return {str(key): rounded(entry) for key, entry in value.items()}
    if isinstance(value, float):
        return None if pd.isna(value) else round(value, DIGITS)
    return value


def main() -> None:
    """Measure what is missing, and write the summary of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=Path, default=Path("book/measured/challenge.json"))
    parser.add_argument("--specimens", type=int, default=24)
    parser.add_argument("--others", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--deals", type=int, default=3)
    parser.add_argument("--eraser", type=Path, help="weights to judge with")
    given = parser.parse_args()
    eraser = given.eraser or sbd.fetch("weights/eraser")
    code = [Path(sbd.__file__).parent / name for name in CODE]
    about = {
        "weights": sha256(sbd.fetch("weights/default"))[:16],
        "eraser": sha256(eraser)[:16],
        "code": sha256(*(bare_code(path.read_bytes()).encode() for path in code))[:16],
        "split": "test",
        "pixel [angstrom]": round(PIXEL, 5),
        "doses [e/pixel]": DOSES,
        "foci of each specimen": FOCI,
        "deals": given.deals,
        "seed": given.seed,
        "shown": list(FILTERS),
        "rates": "per 1,000 true columns (lost) or claims (invented)",
    }
    # of other weights, settings or code the tables are others
    key = sha256(json.dumps(about).encode())[:12]
    images, tables = given.folder / "images", given.folder / key
    scenes = sbd.audits.challenge_scenes(
        images, specimens=given.specimens, foci=FOCI, seed=given.seed, progress=True
    )
    for _ in scenes:
        pass  # those that are missing are simulated
    todo = {}
    for name in denoisers():
        number = given.specimens if name in THOROUGH else given.others
        for specimen in range(min(number, given.specimens)):
            slug = "".join(c if c.isalnum() else "-" for c in name)
            todo[name, specimen] = tables / f"{slug}-{specimen:03d}.csv.gz"
    how = {"deals": given.deals, "eraser": given.eraser}
    # specimen after specimen, so that whoever stops early has something of each
    left = sorted(
        (k for k, path in todo.items() if not path.exists()), key=lambda k: k[1]
    )
    with ProcessPoolExecutor(given.workers) as pool:
        work = [
            pool.submit(measure, *k, images, todo[k], given.seed, how) for k in left
        ]
        for done in tqdm(as_completed(work), total=len(work), unit="specimen"):
            done.result()
    record = {}
    for name in denoisers():
        paths = [path for (mine, _), path in todo.items() if mine == name]
        some = [
            pd.read_csv(path, compression="gzip", keep_default_na=False)
            for path in paths
        ]
        record[name] = describe_method(pd.concat(some, ignore_index=True))
    write_measured(
        given.to,
        about | {"denoisers": rounded(record), "took no part": left_out()},
        __file__,
    )


if __name__ == "__main__":
    main()
