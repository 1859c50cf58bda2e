from __future__ import annotations

import importlib
import sys

import pytest

from convscope import attribution
from convscope.errors import OptionError


@pytest.fixture
def kind(tmp_path, monkeypatch):
    package = tmp_path / "zoo"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from dataclasses import dataclass\nfrom convscope.core.registry import Registry\n"
        "@dataclass(frozen=True)\nclass Traits:\n    legs: int = 4\n"
        "registry = Registry(__name__, 'animal', Traits)\nregister = registry.register\n"
    )
    (package / "cat.py").write_text(
        "from zoo import register\n@register(legs=4)\ndef cat(x, *, lives: int = 9):\n   "
        ' """Purrs."""\n    return x\n'
    )
    (package / "dog.py").write_text(
        "from zoo import register\n@register()\ndef wolf(x):\n    return x\n"
    )
    (package / "_hidden.py").write_text("raise RuntimeError\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("zoo").registry
    for name in [name for name in sys.modules if name.split(".")[0] == "zoo"]:
        del sys.modules[name]


def test_names_come_from_files_and_nothing_is_imported(kind):
    assert kind.names() == ["cat", "dog"]
    assert kind.schema("cat").options[0].default == 9
    assert "zoo.cat" not in sys.modules


def test_a_function_is_imported_when_used(kind):
    assert kind.get("cat")(5) == 5
    assert kind.traits("cat").legs == 4


def test_refusals(kind):
    with pytest.raises(OptionError, match="no animal 'cta'; did you mean 'cat'"):
        kind.get("cta")
    with pytest.raises(OptionError, match=r"must live in wolf\.py"):
        kind.get("dog")

    def cat() -> None: ...

    with pytest.raises(OptionError, match="already a animal called 'cat'"):
        kind.register()(cat)


def test_a_function_from_elsewhere_joins(kind):
    @kind.register(legs=2)
    def hen(x: int, *, eggs: int = 1) -> int:
        """Clucks."""
        return x

    assert kind.names() == ["cat", "dog", "hen"]
    assert kind.get("hen")(1) == 1
    assert kind.schema("hen").options[0].name == "eggs"


def test_every_method_says_what_it_is():
    for name in attribution.registry:
        schema = attribution.registry.schema(name)
        assert schema.summary.endswith("."), name
        assert "Example:" in schema.doc, name
        for option in schema.options:
            assert option.help or option.name == "layer", (
                f"{name} does not say what {option.name} is"
            )


@pytest.mark.parametrize(
    ("traits", "sentence"),
    [
        ({"lgs": 4}, "The animal 'hen' has no trait 'lgs'; did you mean 'legs'?"),
        ({"legs": "four"}, "The animal 'hen': legs must be an integer; 'four' was given."),
    ],
)
def test_a_misspelt_trait_is_refused_when_it_is_registered(kind, traits, sentence):
    def hen() -> None: ...

    with pytest.raises(OptionError) as raised:
        kind.register(**traits)(hen)
    assert str(raised.value) == sentence
    assert "hen" not in kind


def test_a_needed_trait_must_be_said():
    def method() -> None: ...

    with pytest.raises(OptionError, match="must say its traits space, heatmap"):
        attribution.register()(method)
