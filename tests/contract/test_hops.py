"""A network is handed on seldom: what needs it owns it, and is asked."""

from __future__ import annotations

import sys
from pathlib import Path
from types import CodeType, FrameType

import pytest
from torch import nn

import convscope
from convscope.networks.model import Model

PACKAGE = "convscope"

MAX_FIRST, MAX_LATER = 21, 11
"""Functions of the package that are given a network, one of its modules, or what an image is made
of: in the first call, which finds out about the network and copies it, and in any later one."""


def parameter_names(code: CodeType) -> list[str]:
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & 0x04) + bool(code.co_flags & 0x08)
    names = list(code.co_varnames[:count])
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def holds_network(value: object) -> bool:
    """Whether a value is a network or a module, or a tuple, list or dictionary that has one."""
    if isinstance(value, dict):
        value = list(value.values())
    parts = value if isinstance(value, (list, tuple)) else [value]
    return any(isinstance(part, (Model, nn.Module)) for part in parts)


def hops(call) -> set[str]:
    """The functions of the package that are given a network while `call` runs."""
    names = set()

    def record(frame: FrameType, event: str, argument: object) -> None:
        # A dataclass's own `__init__` has no file, so the module's name tells where it is from.
        module = str(frame.f_globals.get("__name__", ""))
        if event != "call" or module.partition(".")[0] != PACKAGE:
            return
        if any(holds_network(frame.f_locals.get(name)) for name in parameter_names(frame.f_code)):
            names.add(f"{module}.{frame.f_code.co_qualname}")

    sys.setprofile(record)
    try:
        call()
    finally:
        sys.setprofile(None)
    return names


@pytest.fixture
def fresh():
    """A network about which nothing is known yet."""
    return convscope.load_model()


def test_visualize_hands_the_network_on_seldom(fresh):
    def call():
        convscope.visualize(fresh, "blocks.3:11", steps=2, size=64)

    first, later = hops(call), hops(call)
    assert len(first) <= MAX_FIRST, sorted(first)
    assert len(later) <= MAX_LATER, sorted(later)
    assert "convscope.verbs.visualize.visualize" in first & later


def test_a_hop_is_counted():
    """Also one within a list, of a dataclass, and not what a method belongs to."""
    module = nn.Identity()
    assert holds_network(module)
    assert holds_network([1, module])
    assert holds_network({"layer": module})
    assert not holds_network(Path("net.pt"))
    code = (lambda self, one, *others, two=2, **more: None).__code__
    assert parameter_names(code) == ["one", "two", "others", "more"]
