"""Page 06: how faithful the simulation is to the images that were published."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
