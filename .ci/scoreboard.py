"""Write the scoreboard of README.md from figures/02_comparison.json, or check it.

    python .ci/scoreboard.py            rewrite the table
    python .ci/scoreboard.py --check    exit 1 if it is out of date

A row is an entry of the file that holds `psnr` and `ssim`. Nothing is typed by hand, so
while there is no such file the table is empty. The standard library is enough.
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = "figures/02_comparison.json"
START, END = "<!-- scoreboard -->", "<!-- /scoreboard -->"


def table(root: Path) -> str:
    """Format the rows, the best first; an empty string where there are none."""
    path = root / NUMBERS
    numbers = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows = {
        name: row
        for name, row in numbers.items()
        if isinstance(row, dict) and {"psnr", "ssim"} <= row.keys()
    }
    if not rows:
        return ""
    image = f" Image: {numbers['judged_on']}." if "judged_on" in numbers else ""
    best_first = sorted(rows, key=lambda name: rows[name]["psnr"], reverse=True)
    lines = [
        "| denoiser | PSNR (dB) | SSIM |",
        "|---|---:|---:|",
        *(
            f"| {name} | {rows[name]['psnr']:.1f} | {rows[name]['ssim']:.3f} |"
            for name in best_first
        ),
        "",
        f"Measured as in the paper, by [`{NUMBERS}`]({NUMBERS}).{image}",
    ]
    return "\n".join(["", *lines, ""])


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Rewrite the block, or with --check only compare it."""
    readme = root / "README.md"
    now = readme.read_text(encoding="utf-8")
    block = f"{START}\n{table(root)}{END}"
    then = re.sub(f"(?s){START}.*{END}", lambda _: block, now)
    if "--check" in arguments:
        if now != then:
            sys.stderr.write("README.md: run `python .ci/scoreboard.py`\n")
        return int(now != then)
    readme.write_text(then, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
