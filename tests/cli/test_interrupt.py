"""Ctrl-C: 130 from every verb, a sentence, and what exists is kept."""

from __future__ import annotations

import builtins
import os
import signal

import pytest

import convscope
from convscope.cli import main
from convscope.results.png import read_provenance

INTERRUPTED = {
    "predict": ["sample:chelsea"],
    "activations": ["sample:chelsea"],
    "overview": ["sample:chelsea"],
    "explain": ["sample:chelsea"],
    "place": ["sample:chelsea", "100", "100"],
    "concepts": ["sample:chelsea"],
    "intervene": ["sample:chelsea", "blocks.3:1"],
    "evaluate": ["sample:chelsea", "x.npz"],
    "visualize": ["blocks.3:1"],
    "class_image": ["tabby"],
    "caricature": ["sample:chelsea"],
    "invert": ["sample:chelsea"],
    "dream": ["sample:chelsea"],
    "fool": ["sample:chelsea"],
    "activation_grid": ["sample:chelsea"],
    "semantic_dictionary": ["sample:chelsea"],
    "report": ["sample:chelsea"],
}


@pytest.mark.parametrize("verb", INTERRUPTED)
def test_an_interrupted_verb_says_so(verb, capsys, folder, monkeypatch, embedded):
    """A signal comes while the verb is at work on the network."""

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the signal did not come")

    if verb == "evaluate":
        convscope.explain(embedded, "sample:chelsea", layer="blocks.6").save("x.npz")
    monkeypatch.setattr("convscope.networks.load._from_source", lambda *arguments: embedded)
    monkeypatch.setattr(type(embedded), "__call__", interrupted)
    before = {path.name for path in folder.iterdir()}
    assert main([verb, *INTERRUPTED[verb]]) == 130
    assert "convscope: stopped." in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == before


def test_interrupted_batches_keep_what_is_made(capsys, folder, monkeypatch):
    """Three units one after the other; the signal comes in the second one's third step."""
    steps = 0

    def counted():
        nonlocal steps
        steps += 1
        if steps == 13:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("convscope.core.interrupt.step_made", counted)
    units = ["blocks.1:0", "blocks.1:1", "blocks.1:2"]
    arguments = ["visualize", *units, "--batch", "1", "--steps", "10", "--size", "16"]
    assert main([*arguments, "--out", "x.png"]) == 130
    assert "interrupted after 3 of 10 steps" in capsys.readouterr().err
    assert read_provenance("x.png")["interrupted"]["after"] == 3


def test_an_interrupt_before_the_first_module_is_loaded(capsys, monkeypatch):
    """Half a second of imports comes before the verb."""
    loaded = builtins.__import__

    def interrupted(name, *arguments, **options):
        if name == "convscope.cli.commands":
            raise KeyboardInterrupt
        return loaded(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    assert main(["methods"]) == 130
    assert capsys.readouterr().err == "convscope: stopped.\n"
