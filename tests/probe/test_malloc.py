"""Freed memory is kept inside the block and given back after it."""

from __future__ import annotations

import os

import pytest
import torch

from convscope.probe import malloc as heap


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.skipif(heap._library() is None, reason="no glibc here")
def test_memory_is_kept_and_then_given_back():
    before = resident()
    with heap.keep_freed_memory():
        torch.ones(50, 2**20)
        inside = resident()
    assert inside - before > 150
    assert resident() - before < 50


def test_elsewhere_nothing_happens(monkeypatch):
    monkeypatch.setattr(heap, "_library", lambda: None)
    with heap.keep_freed_memory():
        assert torch.ones(3).sum() == 3


def test_an_error_passes_through():
    with pytest.raises(ValueError, match="inside"), heap.keep_freed_memory():
        raise ValueError("inside")


@pytest.mark.skipif(heap._library() is None, reason="no glibc here")
def test_the_end_of_an_inner_block_leaves_the_outer_one(monkeypatch):
    calls: list[tuple[int, int]] = []

    class Library:
        def mallopt(self, option, value):
            calls.append((option, value))

        def malloc_trim(self, pad):
            calls.append((0, pad))

    monkeypatch.setattr(heap, "_library", Library)
    with heap.keep_freed_memory():
        entered = list(calls)
        with heap.keep_freed_memory():
            pass
        assert calls == entered
    assert calls[len(entered) :] == [*heap.DEFAULTS.items(), (0, 0)]


@pytest.mark.parametrize("name", ["MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_what_the_environment_says_holds(monkeypatch, name):
    monkeypatch.setenv(name, "1")
    assert heap._library.__wrapped__() is None
