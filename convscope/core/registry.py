"""A folder of files becomes a set of names: file stem = function name = public name.

A kind of thing (attribution methods, objectives, transforms ...) is a package that holds one
`Registry`. Listing the names and reading a schema look at the files only; a file is imported when
its function is first used.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from convscope.core.schema import Schema
from convscope.errors import OptionError, suggest

F = TypeVar("F", bound=Callable[..., Any])

_registries: dict[str, Registry] = {}


class Registry:
    """The functions of one kind, found by folder.

    `kind` is the word used in messages ("attribution method"). A registered function carries
    *traits*, facts that the caller of the kind needs before calling it (for an attribution method,
    whether its map lives at a layer).
    """

    def __init__(self, package: str, kind: str) -> None:
        self.package = package
        self.kind = kind
        self._folder = Path(str(sys.modules[package].__file__)).parent
        self._functions: dict[str, Callable[..., Any]] = {}
        self._traits: dict[str, Mapping[str, Any]] = {}
        _registries[package] = self

    @staticmethod
    def of(package: str) -> Registry:
        """The registry that a package holds."""
        importlib.import_module(package)
        return _registries[package]

    def register(self, **traits: Any) -> Callable[[F], F]:
        """Decorator: enter a function under its own name; a second function of that name is
        refused."""

        def enter(function: F) -> F:
            name = function.__name__
            own = f"{self.package}.{name}"
            if function.__module__.startswith(self.package + ".") and function.__module__ != own:
                raise OptionError(
                    f"The {self.kind} {name!r} must live in {name}.py, not in"
                    f" {function.__module__}."
                )
            if function.__module__ != own and name in self:
                raise OptionError(
                    f"There is already a {self.kind} called {name!r}; choose another name."
                )
            self._functions[name] = function
            self._traits[name] = MappingProxyType(dict(traits))
            return function

        return enter

    def names(self) -> list[str]:
        """All names, sorted; no file is imported."""
        files = {path.stem for path in self._folder.glob("*.py") if not path.stem.startswith("_")}
        return sorted(files | self._functions.keys())

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def get(self, name: str) -> Callable[..., Any]:
        """The function of that name.

        Raises:
            OptionError: there is none; the message names the near misses.
        """
        if name not in self._functions:
            if name not in self.names():
                raise OptionError(
                    f"There is no {self.kind} {name!r}; {suggest(name, self.names())}"
                )
            importlib.import_module(f"{self.package}.{name}")
            if name not in self._functions:
                raise OptionError(
                    f"{self.package}/{name}.py does not register a function called {name!r}."
                )
        return self._functions[name]

    def traits(self, name: str) -> Mapping[str, Any]:
        """What the function said about itself when it was registered."""
        self.get(name)
        return self._traits[name]

    def schema(self, name: str) -> Schema:
        """Parameters and help of a name, read from its source without importing it."""
        path = self._folder / f"{name}.py"
        if name in self._functions:
            return Schema.of_function(self._functions[name])
        if name not in self.names():
            raise OptionError(f"There is no {self.kind} {name!r}; {suggest(name, self.names())}")
        return Schema.of_file(path, name)
