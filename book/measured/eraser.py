"""Measure the test against the image without the column: ``make erased``.

    python book/measured/eraser.py FILE [--specimens N] [--draws N] [--filmed N]

Specimens of the test split, half of them a particle that the eraser never saw, with
columns and without them. The claim is the exact image with the column, at the dot that
the finder sees there; the counts, half of a recording, come from the image without it.
How often is the column found all the same (that is to be the level, 0.05), and how
often where it is there? The same against vacuum. Then with what the claim does not
show, a faint film and uneven illumination, with a simulation of other form factors and
absorption, which the eraser did not learn from, and with what breaks the assumption,
electrons that are counted twice. Last, the whole procedure on carbon films: which of
the speckles that denoisers take for columns are supported?
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage, spatial

import sbd
from sbd.audits.placed_atoms import TOLERANCE, project_columns
from sbd.audits.removals import Removal, image_removal, remove_columns
from sbd.columns.finding import Columns
from sbd.companion.freshness import write_measured
from sbd.evidence.counts import check_independence, whole_counts
from sbd.evidence.erasure import erase_columns
from sbd.evidence.laws import ScoreLaws
from sbd.files import sha256
from sbd.simulation.films import add_film
from sbd.simulation.frame import BOX
from sbd.simulation.imaging import exit_wave, form_image
from sbd.simulation.microscope import LOBATO, Microscope
from sbd.simulation.specimens import structure_table

SAMPLES = 804  # pixels of the box
SIDE = BOX / SAMPLES  # [angstrom]
FOCI = tuple(range(0, 21, 2))  # [nm]
DOSES = (0.45, 2.0, 9.9)
LEVEL = 0.05
SHARE = 0.5  # of the counts that test
NEAR = 0.8  # of a site, that the finder's dot has to be [angstrom]
FILM = 0.03, 0.15  # contrast of a film that no claim shows, and its grain [1, nm]
CARBON = (2.0, 5.0, 10.0)  # thickness of carbon films [nm]
FILMED = (4, 10, 18)  # focus of their images [nm]
DEALS = 3  # of the whole procedure
LIGHT = 0.05  # slope of the illumination across the box
TWICE = 0.1  # electrons that are counted twice


def draw_specimens(number: int) -> list[tuple[str, object, tuple[float, float]]]:
    """Draw specimens of the test split, every second one of PtNp2, with their tilts."""
    table = structure_table()
    table = table[table["split"] == "test"]
    chosen = []
    for k in range(number):
        rng = np.random.default_rng([11, k])
        mine = table["particle"] == "PtNp2"
        rows = table[mine] if k % 2 == 0 else table[~mine]
        row = rows.iloc[rng.integers(len(rows))]
        defect = f"{row['defect']}{row['variant'].lstrip('a')}"
        atoms = sbd.pt_on_ceria(row["particle"], defect, thickness=row["thickness"])
        tilt = [0.0, 0.0]
        tilt[rng.integers(2)] = float(rng.integers(5))
        removal = remove_columns(atoms, tuple(tilt), number=8, rng=rng)
        chosen.append((row["structure"], removal, tuple(tilt)))
    return chosen


def test_site(
    claim: np.ndarray, truths: dict[str, np.ndarray], place: np.ndarray
) -> list[dict]:
    """Test a claimed column against what its image without it says, and vacuum."""
    one = Columns(place[None], np.array([8.0]), np.array([0.1]))
    erased = erase_columns(claim, one, pixel=SIDE)
    rows = []
    for dose in DOSES:
        factor = SHARE * dose / sbd.VACUUM
        row = {"dose": dose}
        for name, null in (("erased", erased.scaled(factor)), ("vacuum", None)):
            laws = ScoreLaws(factor * claim, erased.columns, SHARE * dose, erased=null)
            row[f"{name}, power"] = float(laws.power(LEVEL)[0])
            for kind, truth in truths.items():
                laws.full = factor * truth[laws.pixels]  # what the counts come from
                row[f"{name}, {kind}"] = float(laws.power(LEVEL)[0])
        rows.append(row)
    return rows


def add_to(absent: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Give the image without columns as it is, and with what a microscope may add."""
    grain = FILM[1] * 10 / SIDE / 2.355
    film = ndimage.gaussian_filter(
        rng.standard_normal(absent.shape), grain, mode="wrap"
    )
    slope = np.linspace(1 - LIGHT, 1 + LIGHT, absent.shape[1])
    return {
        "size": absent,
        "size with a film": absent * (1 + FILM[0] * film / film.std()),
        "size in uneven light": absent * slope,
    }


def test_sites(number: int, microscope: Microscope) -> pd.DataFrame:
    """Test all sites of some specimens at all foci."""
    rows = []
    for k, (name, removal, tilt) in enumerate(draw_specimens(number)):
        foci = 10.0 * np.array(FOCI)
        how = {"samples": SAMPLES, "microscope": microscope}
        pairs = image_removal(removal, tilt, foci, **how)
        for focus, pair in zip(FOCI, pairs, strict=True):
            present, absent = (image.astype(float) for image in pair)
            truths = add_to(absent, np.random.default_rng([12, k, focus]))
            found = sbd.find_columns(present, threshold=0.15)
            for label, place in seen_sites(removal, found):
                label |= {"specimen": k, "structure": name, "focus": focus}
                rows += [label | row for row in test_site(present, truths, place)]
        print(f"{k + 1} of {number} specimens", flush=True)
    return pd.DataFrame(rows)


def seen_sites(removal: Removal, found: Columns) -> list[tuple[dict, np.ndarray]]:
    """List the sites at which the finder sees a dot, and where that is [pixels]."""
    seen = []
    for index, site in removal.sites.iterrows():
        place = site[["row", "column"]].to_numpy(float) / SIDE
        gap = np.linalg.norm(found.positions - place, axis=1)
        if not len(gap) or gap.min() * SIDE > NEAR:
            continue
        kind = "surface" if site["rim"] else "interior"
        label = {"site": index, "element": site["element"],
                 "kind": "planted" if site["planted"] else kind,
                 "whole": bool(site["atoms"] == site["full"])}  # fmt: skip
        seen.append((label, found.positions[gap.argmin()]))
    return seen


def refuse_doubles(draws: int) -> dict:
    """Count the recordings with electrons counted twice that are refused."""
    clean, _ = sbd.example_truth("simulated")
    record = {}
    for dose in DOSES:
        for share in (0.0, TWICE):
            refused = 0
            for draw in range(draws):
                rng = np.random.default_rng([13, draw, int(100 * dose)])
                counts = rng.poisson(clean * (dose / sbd.VACUUM))
                again = rng.binomial(counts, share)
                counts = counts + np.roll(again, 1, axis=int(rng.integers(2)))
                try:
                    whole = whole_counts(counts)
                    smooth = sbd.denoise_windowed_fourier(whole.astype(np.float32))
                    check_independence(whole, smooth, np.ones(whole.shape, bool))
                except ValueError:
                    refused += 1
            label = f"{dose:g} e/pixel, {100 * share:g} % counted twice"
            record[label] = f"{refused} of {draws} refused"
    return record


def judge_films(number: int) -> dict:
    """Judge recordings of specimens on carbon films."""
    network = sbd.load_model()
    denoisers = {
        "network": lambda counts: sbd.denoise_network(counts, network, device="cpu"),
        "windowed Fourier": sbd.denoise_windowed_fourier,
    }
    rows = []
    for k, (name, removal, tilt) in enumerate(draw_specimens(number)):
        columns = project_columns(removal.present, tilt)[["row", "column"]]
        known = spatial.KDTree(columns.to_numpy() / SIDE)
        for thickness in CARBON:
            rng = np.random.default_rng([14, k, int(thickness)])
            filmed = add_film(removal.present, 10 * thickness, rng=rng)
            (wave,) = exit_wave(filmed, tilts=[tilt])
            for focus, dose in itertools.product(FILMED, DOSES):
                image = form_image(wave, defocus=10.0 * focus, samples=SAMPLES)
                noisy = rng.poisson(image.clip(0) * (dose / sbd.VACUUM))
                label = {"specimen": k, "structure": name, "nm of carbon": thickness,
                         "focus": focus, "dose": dose}  # fmt: skip
                # above the particle there is only the film
                label["contrast"] = image[:150].std() / image[:150].mean()
                for method, denoise in denoisers.items():
                    judged = sbd.judge_columns(
                        noisy, denoise, rng=rng, deals=DEALS, pixel=SIDE
                    )
                    gap = known.query(judged.columns.positions)[0] * SIDE
                    rows.append(label | {
                        "method": method,
                        "claims": len(gap), "supported": int(judged.supported.sum()),
                        "speckles": int((gap > TOLERANCE).sum()),
                        "speckles, supported":
                            int((judged.supported & (gap > TOLERANCE)).sum()),
                    })  # fmt: skip
        print(f"films under {k + 1} of {number} specimens", flush=True)
    record = {}
    table = pd.DataFrame(rows)
    for (method, thickness, dose), some in table.groupby(
        ["method", "nm of carbon", "dose"]
    ):
        false, supported = (some[n] for n in ("speckles, supported", "supported"))
        shares = false / supported.clip(lower=1)
        record.setdefault(method, {})[f"{thickness:g} nm, {dose:g} e/pixel"] = {
            "recordings": len(some),
            "contrast of the film": round(float(some["contrast"].mean()), 3),
            **{n: int(some[n].sum()) for n in (
                "claims", "supported", "speckles", "speckles, supported")},
            "false discovery proportion": round(float(shares.mean()), 4),
            "its standard error": round(float(shares.sem()), 4),
        }  # fmt: skip
    return record


def summarise(table: pd.DataFrame) -> dict:
    """Average over sites; the error is that among specimens."""
    record = {}
    names = [name for name in table if ", " in name]
    groups = {"platinum": table[table["element"] == "Pt"],
              "cerium": table[table["element"] == "Ce"]}  # fmt: skip
    for element, mine in groups.items():
        sites = mine[["specimen", "site"]].drop_duplicates()
        record[element] = {
            "sites": len(sites),
            "specimens": sites["specimen"].nunique(),
            "kinds": mine.groupby("kind").size().to_dict(),
        }
        for dose, at in mine.groupby("dose"):
            by_focus = at.groupby("focus")[names].mean()
            each = at.groupby("specimen")[names].mean()
            record[element][f"{dose:g} e/pixel"] = {
                name: {
                    "mean": round(float(at[name].mean()), 4),
                    "standard error": round(float(each[name].sem()), 4),
                    "highest of the foci": round(float(by_focus[name].max()), 4),
                    "by focus [nm]": {
                        int(f): round(float(v), 3) for f, v in by_focus[name].items()
                    },
                }
                for name in names
            }
    return record


def main() -> None:
    """Measure, and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--specimens", type=int, default=8)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--filmed", type=int, default=3)
    given = parser.parse_args()
    table = test_sites(given.specimens, LOBATO)  # as the eraser's training pairs
    record = {
        "level": LEVEL, "share of the counts that test": SHARE,
        "weights": sha256(sbd.fetch("weights/eraser")),
        "film": f"contrast {FILM[0]:g}, grain {FILM[1]:g} nm",
        "uneven light": f"+-{LIGHT:g} across the box",
        **summarise(table),
        "simulated with other form factors and absorption":
            summarise(test_sites(given.specimens, Microscope())),
        "doubles": refuse_doubles(given.draws),
        "carbon films": judge_films(given.filmed),
    }  # fmt: skip
    write_measured(given.file, record, __file__)
    print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
