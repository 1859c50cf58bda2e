"""A folder of files becomes a set of names: file stem = function name = public name.

A kind of thing (attribution methods, objectives, transforms ...) is a package that holds one
`Registry`. Listing the names and reading a schema look at the files only; a file is imported when
its function is first used.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar, get_type_hints

from convscope.core.quiet import without_warnings
from convscope.core.schema import Schema
from convscope.core.validation import check
from convscope.errors import OptionError, suggest

Registered: TypeAlias = Callable[..., Any]
"""A function of a kind: what it is called with, and what it gives, only its kind knows."""

F = TypeVar("F", bound=Registered)
Traits = TypeVar("Traits", covariant=True)


@dataclass(frozen=True)
class NoTraits:
    """The traits of a kind whose functions are all called alike."""


class Registry(Generic[Traits]):
    """The functions of one kind, found by folder.

    `package` is the folder, which is not imported, and `kind` the word used in messages
    ("attribution method"). A registered function carries *traits*, facts that the caller of the
    kind needs before calling it (for an attribution method, whether its map lives at a layer): the
    fields of the frozen dataclass `traits`. `shared` names the files of the folder that hold what
    its functions have in common.
    """

    def __init__(
        self, package: str, kind: str, traits: type[Traits], *, shared: Collection[str] = ()
    ) -> None:
        self.package = package
        self.kind = kind
        self._traits_type = traits
        self._shared = frozenset(shared)
        spec = importlib.util.find_spec(package)
        self._folder = Path(str(spec.origin if spec else "")).parent
        self._functions: dict[str, Registered] = {}
        self._traits: dict[str, Traits] = {}
        self._schemas: dict[str, Schema] = {}

    def register(self, **traits: object) -> Callable[[F], F]:
        """Decorator: enter a function under its own name.

        Raises:
            OptionError: a trait that the kind does not have, or a value that it cannot take; or a
                second function of that name.
        """

        def enter(function: F) -> F:
            name = function.__name__
            home = f"{self.package}.{name}"
            if function.__module__.startswith(self.package + ".") and function.__module__ != home:
                raise OptionError(
                    f"The {self.kind} {name!r} must live in {name}.py, not in"
                    f" {function.__module__}."
                )
            if function.__module__ != home and name in self:
                raise OptionError(
                    f"There is already a {self.kind} called {name!r}; choose another name."
                )
            self._traits[name] = self._checked_traits(name, traits)
            self._functions[name] = function
            self._schemas.pop(name, None)
            return function

        return enter

    def names(self) -> list[str]:
        """All names, sorted; no file is imported."""
        files = {path.stem for path in self._folder.glob("*.py") if not path.stem.startswith("_")}
        return sorted((files - self._shared) | self._functions.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> Registered:
        """The function of that name.

        Raises:
            OptionError: there is none; the message names the near misses.
        """
        if name not in self._functions:
            self._require(name)
            # What libraries say while they are loaded (tqdm, of widgets that a notebook lacks) is
            # of no use to those who asked for a network.
            with without_warnings:
                importlib.import_module(f"{self.package}.{name}")
            if name not in self._functions:
                raise OptionError(
                    f"{self.package}/{name}.py does not register a function called {name!r}."
                )
        return self._functions[name]

    def traits(self, name: str) -> Traits:
        """What the function said about itself when it was registered."""
        self.get(name)
        return self._traits[name]

    def schema(self, name: str) -> Schema:
        """Parameters and help of a name, read from its source without importing it."""
        if name in self._functions:
            if name not in self._schemas:
                self._schemas[name] = Schema.of_function(self._functions[name])
            return self._schemas[name]
        self._require(name)
        return Schema.of_file(self._folder / f"{name}.py", name)

    def _require(self, name: str) -> None:
        if name not in self.names():
            raise OptionError(f"There is no {self.kind} {name!r}; {suggest(name, self.names())}")

    def _checked_traits(self, name: str, traits: dict[str, object]) -> Traits:
        owner = f"The {self.kind} {name!r}"
        known = [field.name for field in fields(self._traits_type)]  # type: ignore[arg-type]
        for trait in traits:
            if trait not in known:
                raise OptionError(f"{owner} has no trait {trait!r}; {suggest(trait, known)}")
        hints = get_type_hints(self._traits_type) if traits else {}
        try:
            return self._traits_type(
                **{
                    trait: check(owner, trait, hints[trait], value)
                    for trait, value in traits.items()
                }
            )
        except TypeError:
            raise OptionError(f"{owner} must say its traits {', '.join(known)}.") from None
