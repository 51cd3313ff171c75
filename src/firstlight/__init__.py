"""firstlight: your data goes in; a tested PyTorch model, a picture of how good it is, and its script come out.

>>> import firstlight as fl
>>> table = fl.read(fl.datasets.penguins())
>>> table.frame.shape
(344, 7)

Each name is imported when it is first used, so that `import firstlight` loads neither torch nor polars.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from firstlight.refusal import Refused

if TYPE_CHECKING:
    from firstlight import datasets
    from firstlight.checking import check
    from firstlight.data.sources import read
    from firstlight.inspecting import inspect
    from firstlight.stepping import build, plan, save, split
    from firstlight.using import eject, evaluate, fit, load, predict

    __version__: str

_HOMES = {
    "build": "firstlight.stepping",
    "check": "firstlight.checking",
    "eject": "firstlight.using",
    "evaluate": "firstlight.using",
    "fit": "firstlight.using",
    "inspect": "firstlight.inspecting",
    "load": "firstlight.using",
    "plan": "firstlight.stepping",
    "predict": "firstlight.using",
    "read": "firstlight.data.sources",
    "save": "firstlight.stepping",
    "split": "firstlight.stepping",
}
__all__ = [
    "Refused", "build", "check", "datasets", "eject", "evaluate", "fit", "inspect", "load", "plan", "predict", "read",
    "save", "split",
]  # fmt: skip


class _Door(ModuleType):
    """This package. `plan`, `evaluate` and `eject` are functions here, and rooms of the house as well.

    When Python imports a room it would put the room in the function's place; the door keeps the function.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door


def __getattr__(name: str) -> object:
    if name in _HOMES:
        value: object = getattr(importlib.import_module(_HOMES[name]), name)
    elif name == "datasets":
        value = importlib.import_module("firstlight.datasets")
    elif name == "__version__":
        value = importlib.import_module("importlib.metadata").version("firstlight")
    else:
        raise AttributeError(f"module 'firstlight' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
