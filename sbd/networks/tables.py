"""Tables that are made once for each size, and serve every call after it."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

import torch

_P = ParamSpec("_P")
_T = TypeVar("_T")


def keep_tables(number: int) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Keep the last `number` results of a function that makes tensors.

    They are ordinary tensors even where the first caller is in inference mode, whose
    tensors no later gradient could use.
    """

    def keep(make: Callable[_P, _T]) -> Callable[_P, _T]:
        @lru_cache(maxsize=number)
        @wraps(make)
        def made(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            with torch.inference_mode(mode=False), torch.no_grad():
                return make(*args, **kwargs)

        return made

    return keep
