"""Presets: published ways of making a picture, as data.

A preset is a TOML file: `source` says where its numbers are from, `steps` and `size` are its own,
`parameterization` names one with its options, `transforms` and `regularizers` are lists in order,
and `[optimization]` says how the optimizer goes. A table named after a verb replaces what it holds
for that verb. What a caller gives overrides it.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from convscope.errors import OptionError, suggest
from convscope.synthesis.config import Normalization, Optimizer, OptionValue

VERBS = ("visualize", "class_image", "invert", "dream", "fool", "caricature")
"""The verbs that take presets, which may have tables of their own in one."""

_FOLDER = Path(__file__).parent


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Optimization(_Checked):
    """How the optimizer goes; `OptimizationConfig` says what each means."""

    optimizer: Optimizer = "adam"
    rate: float = Field(default=0.05, gt=0, allow_inf_nan=False)
    normalize: Normalization = "none"
    redirect: int = Field(default=0, ge=0)
    rate_decay: float = Field(default=0.0, ge=0, le=1)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.999, ge=0, lt=1)
    blur: float = Field(default=0.0, ge=0)
    blur_every: int = Field(default=1, ge=1)
    blur_growth: float = Field(default=0.0, ge=0)
    patience: int | None = Field(default=None, ge=1)


class Refinement(_Checked):
    """A second stage that goes on from the first one's image for a share of the steps."""

    share: float = Field(gt=0, lt=1)
    parameterization: str
    rate: float = Field(gt=0)
    rate_decay: float = Field(default=0.0, ge=0, le=1)
    redirect: int = Field(default=0, ge=0)


class Preset(_Checked):
    """One preset, as it is for one verb. A part is its name with its options in one table."""

    source: str
    steps: int = Field(ge=1)
    size: int | None = Field(default=None, ge=1)
    display: Literal["clip", "standardize"] = "clip"
    parameterization: dict[str, OptionValue]
    transforms: tuple[dict[str, OptionValue], ...] = ()
    regularizers: tuple[dict[str, OptionValue], ...] = ()
    optimization: Optimization
    refinement: Refinement | None = None
    octaves: int = Field(default=1, ge=1)
    octave_scale: float = Field(default=1.4, gt=1)


def names() -> list[str]:
    """All presets."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def preset_data(name: str, verb: str) -> dict[str, Any]:
    """What a preset's file says for one verb, as plain data.

    Raises:
        OptionError: there is no such preset, or it is for other verbs.
    """
    if name not in names():
        raise OptionError(f"There is no preset {name!r}; {suggest(name, names())}")
    tables = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    common = {key: value for key, value in tables.items() if key not in VERBS}
    data: dict[str, Any] = common | tables.get(verb, {})
    if "optimization" not in data:
        verbs = [key for key in VERBS if "optimization" in tables.get(key, {})]
        raise OptionError(f"The preset {name!r} is for {' and '.join(verbs)}, not for {verb}.")
    return data


@lru_cache
def preset(name: str, verb: str) -> Preset:
    """The preset of that name, as it is for one verb.

    Raises:
        OptionError: there is none, it is for other verbs, or its file holds something else.
    """
    try:
        return Preset.model_validate(preset_data(name, verb))
    except ValidationError as error:
        raise OptionError(f"The preset {name!r}: {_first_fault(error)}") from None


def _first_fault(error: ValidationError) -> str:
    """What is wrong with a file, as one sentence."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{place!r} is nothing that a preset has."
    return f"{place}: {fault['msg'].lower()}; {fault['input']!r} was given."
