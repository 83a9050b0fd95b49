"""Write the scoreboard of README.md from what was measured, or check it.

    python .ci/scoreboard.py            rewrite the block
    python .ci/scoreboard.py --check    exit 1 if it is out of date

Every method on images of structures that were kept out of training
(book/measured/methods.json; the paper's network, on the same images and counts, in
gpu.json), and how many of the paper's claims have which verdict
(book/claims.yml). Nothing is typed by hand.
"""

import json
import re
import sys
from pathlib import Path

from sbd.companion.claims import count_verdicts, read_claims, write_number

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = "book/measured/methods.json"
TRAINED = "book/measured/gpu.json"
START, END = "<!-- scoreboard -->", "<!-- /scoreboard -->"


def table(root: Path) -> list[str]:
    """Format the methods, the best first."""
    numbers = json.loads((root / NUMBERS).read_text(encoding="utf-8"))
    every = numbers["strict test"]["all"]
    rows = {name: row for name, row in every.items() if isinstance(row, dict)}
    trained = json.loads((root / TRAINED).read_text(encoding="utf-8"))
    scores = trained["score"]["strict test"]
    if scores["images"] != every["images"]:
        sys.exit(f"{TRAINED} must have as many images as {NUMBERS}")
    whole, minutes = scores["whole"], trained["training"]["minutes"]
    rows[f"paper's network, {minutes:.0f} GPU minutes"] = {
        "psnr": whole["mean"], "standard_error": whole["standard_error"],
        "ssim": scores["ssim"]["mean"],
    }  # fmt: skip
    particles = [
        group["network"]["psnr"]
        for name, group in numbers["strict test"].items()
        if name.startswith("particle ")
    ]
    low, high = min(particles), max(particles)
    best_first = sorted(rows.items(), key=lambda pair: pair[1]["psnr"], reverse=True)
    return [
        "| denoiser | PSNR (dB) | SSIM |",
        "|---|---:|---:|",
        *(
            f"| {name} | {write_number(row['psnr'], row['standard_error'])} "
            f"| {row['ssim']:.3f} |"
            for name, row in best_first
        ),
        "",
        f"Means of {every['images']} simulated images at 0.45 electrons per pixel, of",
        "structures kept out of training (of PtNp1 the network learnt some labels,",
        "then with other atoms), with standard errors over images, by the authors'",
        f"metric ([`{NUMBERS}`]({NUMBERS})). A structure can lie",
        "farther off: the network's means for a particle are",
        f"{low:.1f} to {high:.1f} dB.",
        "Filters run with their defaults.",
        "The paper's network learnt from white images alone, a third of these, and",
        "so did the small one of its kind.",
    ]


def verdicts(root: Path) -> list[str]:
    """Say what became of the paper's claims."""
    claims = read_claims(
        root / "book/claims.yml", root / "figures", root / "book/measured"
    )
    reached = next(claim for claim in claims if claim.id == "reaches-published")
    authors = [f for f in reached.findings if "the authors'" in f.what]
    shown = [write_number(f.value, f.error) for f in authors]
    counts = [f"{n} {name}" for name, n in count_verdicts(claims).items()]
    return [
        "",
        f"On {len(authors)} simulated images of the authors it reaches",
        f"{', '.join(shown)} dB, with errors over draws of their counts.",
        "No network learnt from these, but the simulation was fitted to them. Their",
        f"own network reaches {reached.theirs} on 279 validation images, by their log.",
        "",
        f"Of {len(claims)} claims, numbers, tables and figures of the paper,",
        f"{', '.join(counts)}: [`book/claims.md`](book/claims.md) holds each against",
        "what was measured.",
    ]


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Rewrite the block, or with --check only compare it."""
    readme = root / "README.md"
    now = readme.read_text(encoding="utf-8")
    block = "\n".join([START, "", *table(root), *verdicts(root), END])
    then = re.sub(f"(?s){START}.*{END}", lambda _: block, now)
    if "--check" in arguments:
        if now != then:
            sys.stderr.write("README.md: run `python .ci/scoreboard.py`\n")
        return int(now != then)
    readme.write_text(then, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
