"""Convscope shows what a convolutional network sees.

    import convscope
    model = convscope.load_model()
    convscope.explain(model, "cat.jpg", target="Egyptian cat").save("cat.png")

Importing this package loads no torch: a name is fetched from its module when it is first used. The
names are listed in `__init__.pyi`.
"""

import sys
import types

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


class _Package(types.ModuleType):
    """Importing the folders `audit/` and `concepts/` would put modules where the verbs of these
    names belong."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in ("audit", "concepts") or not isinstance(value, types.ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
