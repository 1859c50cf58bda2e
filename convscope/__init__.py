"""Convscope shows what a convolutional network sees.

    import convscope
    model = convscope.load_model()
    convscope.explain(model, "cat.jpg", target="Egyptian cat").save("cat.png")

Importing this package loads no torch: a name is fetched from its module when it is first used. The
names are listed in `__init__.pyi`.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
