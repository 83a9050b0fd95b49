"""Atomic columns: find them, match them, outline them, say how much is there."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
