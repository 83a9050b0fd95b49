"""A door to `sbd.companion.records`: ``python -m sbd.records run``."""

import sys

from sbd.companion.records import main

if __name__ == "__main__":
    sys.exit(main())
