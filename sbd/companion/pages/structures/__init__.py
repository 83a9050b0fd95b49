"""Page 05: the specimens, counted along the beam and drawn as balls."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
