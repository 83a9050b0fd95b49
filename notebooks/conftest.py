"""Let nbval see the figures of these notebooks: `sbd.companion.guard`."""

from sbd.companion.guard import (  # noqa: F401
    pytest_runtest_call,
    pytest_runtest_setup,
    pytest_terminal_summary,
)
