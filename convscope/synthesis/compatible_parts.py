"""What parts of an optimization ask of each other: checked before it starts."""

from __future__ import annotations

from convscope.errors import OptionError
from convscope.synthesis import parameterizations, regularizers, transforms
from convscope.synthesis.config import OptimizationConfig
from convscope.synthesis.overrides import ImageOverrides


def require_opacity(parameterization: str, config: OptimizationConfig) -> None:
    """Refuse what reads an image's opacity where the image has none, and an opacity that nothing
    takes off before the network sees it.

    Raises:
        OptionError: they do not go together.
    """
    composites = [part for part, _ in config.transforms if transforms.registry.traits(part).alpha]
    readers = composites + [
        part for part, *_ in config.regularizers if regularizers.registry.traits(part).alpha
    ]
    has_alpha = parameterizations.registry.traits(parameterization).alpha
    if readers and not has_alpha:
        raise OptionError(
            f"{readers[0]} reads the opacity of an image, and {parameterization} makes images"
            " without one; use preset='transparent' or parameterization='transparent'."
        )
    if has_alpha and not composites:
        raise OptionError(
            f"{parameterization} makes images with an opacity, which no network takes; add the"
            " transform composite, as preset='transparent' does."
        )


def require_pixels_to_blur(
    parameterization: str, config: OptimizationConfig, overrides: ImageOverrides
) -> None:
    """Refuse to blur an image that is not made of pixels, and to say when where nothing is blurred.

    Raises:
        OptionError: there is nothing to blur.
    """
    if config.blur and not parameterizations.registry.traits(parameterization).pixels:
        raise OptionError(
            f"blur={config.blur} blurs pixels between steps, and {parameterization} has none; use"
            " parameterization='pixels', or transforms='blur(1)' for what the network sees."
        )
    if overrides.get("blur_every") is not None and not config.blur:
        raise OptionError(
            f"blur_every={config.blur_every} says when to blur, and nothing is blurred; pass blur="
            " too."
        )
