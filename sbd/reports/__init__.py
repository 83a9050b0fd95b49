"""One page on one recording: what its counts are, and how far to believe an image."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
