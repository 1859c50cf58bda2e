"""Both passes of an audit on Ray, where a worker dies at its first shard: the same rows."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from convscope.audit.forward_pass import ForwardPass
from tests.audit import colored_photos
from tests.dies_once import DiesOnce

pytest.importorskip("ray")


class Vanishes(DiesOnce, ForwardPass):
    """Takes the actor that reads photos with it, once."""


@pytest.mark.filterwarnings("ignore")
def test_the_same_rows_though_a_worker_died(tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
    # The workers import this module by its name.
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, sys.path)]))
    colored_photos.write(tmp_path, flaw="tag", swapped=3)
    local = colored_photos.run(tmp_path)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:

        def vanishing(*given, **named):
            work = Vanishes(*given, **named)
            work.marker = str(tmp_path / "vanished")
            return work

        module = sys.modules["convscope.audit.audit_run"]
        monkeypatch.setattr(module, "ForwardPass", vanishing)
        remote = colored_photos.run(tmp_path, engine="ray")
    finally:
        ray.shutdown()
    assert (tmp_path / "vanished").exists()
    assert remote.table == local.table
    assert remote.details.findings == local.details.findings
    assert len(remote.details.findings) >= 1
    for name, array in local.arrays.items():
        np.testing.assert_array_equal(remote[name], array)
    assert not (tmp_path / "audit" / "partial").exists()
