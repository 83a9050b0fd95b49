"""Page 14: surfaces of particles, and what denoisers do to them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
