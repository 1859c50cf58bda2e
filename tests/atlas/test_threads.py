"""No thread outlives the verb that started it, also after Ctrl-C and errors. One that still holds a
Python object when the interpreter ends kills the process: "terminate called without an active
exception"."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from contextlib import nullcontext

import pytest

from convscope import atlas
from convscope.atlas.scan import listing
from convscope.atlas.scan.crops import Cropper
from convscope.core.progress import report_to
from tests.small_atlas import SMALL

IN_A_NEW_PROCESS = """
import os, sys
import pyarrow.parquet
import torch
torch.set_num_threads(1)
from convscope import atlas
from tests.small_atlas import small_model

def running():
    tasks = os.listdir("/proc/self/task")
    return sorted(open(f"/proc/self/task/{task}/comm").read() for task in tasks)

model, out, photos = small_model(), *sys.argv[1:]
before = running()
atlas.build(model, "third", out, steps=1, size=16)
atlas.examples(model, photos, out, layers="third", k=2, samples=1, batch=8)
atlas.verify(out)
assert running() == before, (before, running())
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="no list of threads here")
def test_a_build_leaves_no_thread_of_any_library(photos, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", IN_A_NEW_PROCESS, str(tmp_path / "a")]
    subprocess.run([*command, str(photos)], check=True, timeout=120)


class BrokenError(Exception):
    """What goes wrong in the middle."""


def break_at(what: str, done: int, error: type[BaseException] | None):
    """A reporter that raises, or presses Ctrl-C twice, when a loop has come so far."""

    def report(task: str, count: int, total: int) -> None:
        if task == what and count >= done:
            if error is not None:
                raise error
            # The first is only noted; the second one ends the work at once.
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    return report_to(report)


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (nullcontext(), None),
        (break_at("atlas: photos", 8, BrokenError), BrokenError),
        (break_at("atlas: photos", 8, None), KeyboardInterrupt),
        (break_at("atlas: crops, by photo", 1, BrokenError), BrokenError),
        (break_at("atlas: crops, by photo", 1, None), KeyboardInterrupt),
    ],
    ids=["to the end", "error in the pass", "Ctrl-C in the pass", "error in crops", "Ctrl-C"],
)
def test_no_thread_is_left(context, expected, model, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "SHARD_SIZE", 8)
    before = set(threading.enumerate())
    seen: set[threading.Thread] = set()
    crop = Cropper._crop

    def observed(self, entry, examples):
        seen.update(threading.enumerate())
        return crop(self, entry, examples)

    monkeypatch.setattr(Cropper, "_crop", observed)
    atlas.build(model, "third", str(tmp_path), **SMALL)
    try:
        with context:
            atlas.examples(model, str(photos), str(tmp_path), layers="third", k=3, batch=4)
    except BaseException as error:
        assert type(error) is expected
    else:
        assert expected is None
        assert len(seen - before) > 1, "the pass has threads"
    gc.collect()
    assert set(threading.enumerate()) <= before
