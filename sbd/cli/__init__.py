"""The command line: a thin door onto the functions, a module for each command."""

import argparse
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

EXAMPLES = """examples:
  sbd check particle.dm4                        are these electrons?
  sbd denoise particle.dm4 denoised.tif         the network that comes with it
  sbd judge particle.dm4 columns.csv            which columns its electrons support
  sbd report particle.dm4 particle.html         all of it, as a page
  sbd train images folder --steps 1500          a network of one's own
  sbd score my_module:denoise                   how well that does on the benchmark
"""

COMMANDS = (
    "check", "rank", "denoise", "judge", "report", "simulate", "train", "score",
    "verify", "fetch", "export", "provenance",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``sbd COMMAND ...``; return 0, or 1 when an input was refused."""
    parser = argparse.ArgumentParser(
        prog="sbd",
        description="Denoise micrographs of few electrons, and ask the electrons what "
        "of it to believe.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {version('sbd')}"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = import_module(f"sbd.cli.{name}")
        # an option that is not given has the default of the function behind it
        about = {"help": command.HELP, "argument_default": argparse.SUPPRESS}
        command.add_arguments(commands.add_parser(name, **about))
    options = vars(parser.parse_args(arguments))
    name = options.pop("command")
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            code = import_module(f"sbd.cli.{name}").run(**options)
    except (ValueError, TypeError, OSError, RuntimeError, ImportError) as error:
        sys.stderr.write(f"sbd {name}: {error}\n")
        return 1
    return code or 0


def _show_warning(message: Warning | str, *_: object) -> None:
    """Say a warning without the line of code that gave it."""
    sys.stderr.write(f"warning: {message}\n")
