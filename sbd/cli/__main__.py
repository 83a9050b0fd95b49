"""``python -m sbd.cli``, the same as ``sbd``."""

from sbd.cli import main

raise SystemExit(main())
