"""Presets: published ways of making a picture, as data.

A preset is a TOML file: `source` says where its numbers are from, `steps` and `size` are its own,
`parameterization` names one with its options, `transforms` and `regularizers` are lists in order,
and `[optimization]` says how the optimizer goes. A table named after a verb replaces what it holds
for that verb. What a caller gives overrides it.

A file of one's own may stand anywhere, and its text does as well; `base = "distill"` takes
everything from another preset that it does not say itself.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from convscope.core.ranges import Sigma
from convscope.core.registry import Registry
from convscope.errors import OptionError, suggest
from convscope.synthesis import preset_text as texts
from convscope.synthesis import regularizers
from convscope.synthesis.config import (
    Normalization,
    Optimizer,
    OptionValue,
    PartSpec,
    PenaltySpec,
)

VERBS = ("visualize", "class_image", "invert", "dream", "fool", "caricature")
"""The verbs that take presets, which may have tables of their own in one."""

SMALL_NETWORK = 96
"""Longest side in pixels of a network that takes a preset's variant for small ones: CS231n's is of
64."""

TomlTable: TypeAlias = dict[str, JsonValue]
"""A table of a TOML file: values, lists and tables by name."""

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
    blur: Sigma = 0.0
    blur_every: int = Field(default=1, ge=1)
    blur_growth: Sigma = 0.0
    patience: int | None = Field(default=None, ge=1)


class Refinement(_Checked):
    """A second stage that goes on from the first one's image for a share of the steps."""

    share: float = Field(gt=0, lt=1)
    parameterization: str
    rate: float = Field(gt=0)
    rate_decay: float = Field(default=0.0, ge=0, le=1)
    redirect: int = Field(default=0, ge=0)


class Preset(_Checked):
    """One preset, as it is for one verb. A part is its name with its options in one table.

    `input_span` is how far apart black and white are in the network's units that rates, noise and
    L2 weight were published for. `objective` is what the verb raises, where the source has its own
    formula. `norm_step` is the share by which fooling makes a change
    smaller after each step at which it fools, and larger after each at which it does not (0: it
    ends at the first that fools). `small` names the preset for networks of few pixels, and
    `network_size` lets a dream on one be of its size. `half` computes in bfloat16 where the
    processor has instructions for it. `regularizer_stride` is the stride of the layers that the
    regularizers' weights are for: at coarser ones, which say less of fine detail, they grow with
    it.
    """

    source: str = ""
    steps: int = Field(ge=1, le=10**7)
    size: int | None = Field(default=None, ge=1, le=10**5)
    input_span: float | None = Field(default=None, gt=0)
    small: str | None = None
    objective: str | None = None
    norm_step: float = Field(default=0.0, ge=0, lt=1)
    display: Literal["clip", "standardize"] = "clip"
    parameterization: dict[str, OptionValue]
    transforms: tuple[dict[str, OptionValue], ...] = ()
    regularizers: tuple[dict[str, OptionValue], ...] = ()
    optimization: Optimization = Optimization()
    refinement: Refinement | None = None
    octaves: int = Field(default=1, ge=1, le=100)
    octave_scale: float = Field(default=1.4, gt=1)
    network_size: bool = False
    half: bool = False
    regularizer_stride: int | None = Field(default=None, ge=1)


def names() -> list[str]:
    """All presets that come with the package."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def preset_data(name: str, verb: str) -> TomlTable:
    """What a preset says for one verb, as plain data.

    Raises:
        OptionError: there is no such preset, or it is for other verbs.
    """
    tables = _tables(name)
    data = _for_verb(tables, verb)
    if "optimization" not in data:
        verbs = [key for key in VERBS if "optimization" in _table(tables, key)]
        if verbs:
            raise OptionError(
                f"The preset {texts.title(name)!r} is for {' and '.join(verbs)}, not for {verb}."
            )
    return data


def variant(name: str, verb: str, size: tuple[int, int]) -> str:
    """The preset of that name for a network of that size: its variant for small ones, or itself."""
    small = preset(name, verb).small
    return small if small is not None and max(size) <= SMALL_NETWORK else name


def preset(name: str, verb: str) -> Preset:
    """The preset of that name, or in that file or text, as it is for one verb.

    Raises:
        OptionError: there is none, it is for other verbs, or its file holds something else.
    """
    return _checked_preset(texts.with_content(name), verb)


@lru_cache
def _checked_preset(name: str, verb: str) -> Preset:
    try:
        return Preset.model_validate(preset_data(name, verb))
    except ValidationError as error:
        raise OptionError(f"The preset {texts.title(name)!r}: {_first_fault(error)}") from None


def checked_optimization(values: Mapping[str, object]) -> Optimization:
    """How the optimizer goes, with every value checked.

    Raises:
        OptionError: a value out of range, or a word that does not exist.
    """
    try:
        return Optimization.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        if fault["type"] == "literal_error":
            words = str(fault["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            name = fault["loc"][0]
            raise OptionError(
                f"There is no {name} {fault['input']!r}; {suggest(str(fault['input']), words)}"
            ) from None
        raise OptionError(_first_fault(error)) from None


def part_of(table: dict[str, OptionValue], registry: Registry[object]) -> PartSpec:
    """A part of a preset's file: its name, and its options, checked.

    Raises:
        OptionError: no such part, or an option that it does not have.
    """
    if not isinstance(table.get("name"), str):
        raise OptionError(f"A {registry.kind} of a preset needs a name; {table!r} was given.")
    options = {key: value for key, value in table.items() if key != "name"}
    name = str(table["name"])
    return PartSpec(name, registry.schema(name).validate(options))


def penalty_of(table: dict[str, OptionValue]) -> PenaltySpec:
    """A regularizer of a preset's file, with its weight."""
    weight = table.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        raise OptionError(f"A regularizer's weight is a number; {weight!r} was given.")
    part = part_of(
        {key: value for key, value in table.items() if key != "weight"}, regularizers.registry
    )
    return PenaltySpec(part.name, float(weight), part.options)


def _tables(name: str) -> TomlTable:
    """A preset as it is written, with what its base says."""
    text, title = texts.with_content(name), texts.title(name)
    if not texts.is_text(text):
        if name not in names():
            raise OptionError(
                f"There is no preset {name!r}; {suggest(name, names())} A preset of your own is a"
                " file that ends in .toml."
            )
        text = (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    try:
        tables: TomlTable = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"The preset {title!r} cannot be read as TOML: {error}.") from None
    base = tables.pop("base", None)
    if base is None:
        return tables
    if base not in names():
        raise OptionError(
            f"The base of {title!r} is no preset: {base!r}; {suggest(str(base), names())}"
        )
    return _merged(_tables(base), tables)


def _merged(base: TomlTable, changes: TomlTable) -> TomlTable:
    """One file over another; tables of values are merged, lists are replaced."""
    merged = base | changes
    for key in (*VERBS, "optimization"):
        if isinstance(base.get(key), dict) and isinstance(changes.get(key), dict):
            merged[key] = _merged(_table(base, key), _table(changes, key))
    return merged


def _table(tables: TomlTable, name: str) -> TomlTable:
    """A table within another; empty where there is none of that name."""
    table = tables.get(name)
    return table if isinstance(table, dict) else {}


def _for_verb(tables: TomlTable, verb: str) -> TomlTable:
    common = {key: value for key, value in tables.items() if key not in VERBS}
    return common | _table(tables, verb)


def _first_fault(error: ValidationError) -> str:
    """What is wrong with a file, as one sentence."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{place!r} is nothing that a preset has."
    if fault["type"] == "missing":
        return f"it does not say {place!r}."
    ranges = {
        "greater_than": "above {gt:g}",
        "greater_than_equal": "{ge:g} or more",
        "less_than": "below {lt:g}",
        "less_than_equal": "at most {le:g}",
    }
    if fault["type"] in ranges:
        said = ranges[fault["type"]].format(**fault["ctx"])
        return f"{place} must be {said}; {fault['input']!r} was given."
    return f"{place}: {fault['msg'].lower()}; {fault['input']!r} was given."
