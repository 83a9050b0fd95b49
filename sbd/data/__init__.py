"""Files from outside: what there is, how to fetch it, and micrographs to begin with."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
