"""Many calls of each verb in a row: the memory of a fresh process does not grow."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.quick_verbs import VERBS

CALLS = 500
WARM = 100
"""Calls after which everything that is kept once is there."""

GROWTH_KB = 2048
"""Measured: 0 to 0.5 MiB in 400 calls; a photo or a graph kept at each call would be 5 or more."""

CODE = """
import gc, pathlib, sys
import torch
from tests.quick_verbs import VERBS, small_model

def resident():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])

torch.set_num_threads(1)
verb, calls, warm, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
model = small_model()
for call in range(calls):
    VERBS[verb](model, pathlib.Path(folder))
    if call == warm:
        gc.collect()
        before = resident()
gc.collect()
print(resident() - before)
"""

SELDOM = {"concepts": 60, "audit": 60, "rerun": 60, "activation_grid": 100}
"""Verbs that take half a second and more, each call."""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("verb", VERBS)
def test_memory_is_flat(verb, tmp_path):
    calls = SELDOM.get(verb, CALLS)
    arguments = [verb, str(calls), str(min(WARM, calls // 3)), str(tmp_path)]
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, *arguments],
        capture_output=True,
        text=True,
        timeout=850,
        cwd=Path(__file__).parents[2],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]),
        },
    )
    assert ended.returncode == 0, ended.stderr[-500:]
    assert int(ended.stdout.split()[-1]) < GROWTH_KB
