"""Write the exact version of every package of this environment, for constraints.txt.

`make lock` runs it inside a fresh environment that holds every extra. The standard
library is enough.
"""

import re
import sys
from importlib.metadata import distributions

HEADER = """\
# The exact version of every package, for `pip install -c constraints.txt`: one file for
# laptop, continuous integration and Binder. Made by `make lock`, which keeps these pins
# and adds what is new; `make lock UPGRADE=1` lets every version move.
# The CUDA packages that torch brings along where there is a GPU are left to torch.
"""
OURS = {"sbd", "pip"}
CUDA = re.compile(r"(nvidia|cuda|triton)(-|$)")


def canonical(name: str) -> str:
    """Write a package's name as pip compares it: small letters and hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> list[str]:
    """List `name==version` of what is installed, without the local part as in +cpu."""
    found = {
        canonical(each.name): each.version.partition("+")[0] for each in distributions()
    }
    return [
        f"{name}=={found[name]}"
        for name in sorted(found)
        if name not in OURS and not CUDA.match(name)
    ]


if __name__ == "__main__":
    sys.stdout.write(HEADER + "\n".join(pins()) + "\n")
