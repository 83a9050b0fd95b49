"""A figure guard for notebooks: a digest of what a figure draws, compared by pytest.

It needs nothing else of this package, so any project can use it. In a notebook,
``%load_ext sbd.figureguard`` stores a digest beside every Matplotlib figure; in the
top ``conftest.py``, ``pytest_plugins = ["sbd.figureguard.plugin"]`` lets
``pytest --nbval`` compare it with that of a new run.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
