"""The same jobs and the same pass on Ray, with a worker and an actor that die at their first
job."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

import pytest

from convscope import atlas
from convscope.atlas.render.renderer import Renderer
from convscope.atlas.scan.scanner import Scanner
from convscope.errors import NumericError
from tests.dies_once import DiesOnce
from tests.small_atlas import SMALL, small_model, state


class Dies(Renderer):
    """Takes its whole process with it, once."""

    def __init__(self, model):
        super().__init__(model)
        self.marker = None

    def __getstate__(self):
        return super().__getstate__() | {"marker": self.marker}

    def __call__(self, job):
        if job.layer == "third" and not Path(self.marker).exists():
            Path(self.marker).write_text("dead")
            os._exit(1)
        if job.layer == "head":
            raise NumericError("the head is broken.")
        return super().__call__(job)


class Vanishes(DiesOnce, Scanner):
    """Takes the actor that looks at photos with it, once."""


@pytest.mark.filterwarnings("ignore")
def test_the_same_bytes_though_a_worker_died(photos, tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
    # The workers import this module by its name.
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([root, *filter(None, sys.path)]))
    options = {"layers": "first,third", "k": 3, "samples": 2, "batch": 8}
    atlas.build(small_model(), "first,third", str(tmp_path / "local"), **SMALL)
    atlas.examples(small_model(), str(photos), str(tmp_path / "local"), **options)
    cards = {"layers": "first", "judge": "none", "batch": 8}
    atlas.cards(small_model(), str(photos), str(tmp_path / "local"), **cards)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        module = sys.modules["convscope.atlas.build"]

        def dying(model):
            work = Dies(model)
            work.marker = str(tmp_path / "marker")
            return work

        monkeypatch.setattr(module, "Renderer", dying)
        report = atlas.build(
            small_model(), "first,third", str(tmp_path / "ray"), engine="ray", **SMALL
        )
        assert (tmp_path / "marker").exists()
        assert report["made"] == 20
        with pytest.raises(NumericError, match="the head is broken"):
            atlas.build(small_model(), "head", str(tmp_path / "ray"), engine="ray", **SMALL)

        def vanishing(*given, **named):
            work = Vanishes(*given, **named)
            work.marker = str(tmp_path / "vanished")
            return work

        monkeypatch.setattr(sys.modules["convscope.atlas.examples"], "Scanner", vanishing)
        atlas.examples(small_model(), str(photos), str(tmp_path / "ray"), engine="ray", **options)
        assert (tmp_path / "vanished").exists()
        atlas.cards(small_model(), str(photos), str(tmp_path / "ray"), engine="ray", **cards)
    finally:
        ray.shutdown()
    assert state(tmp_path / "ray") == state(tmp_path / "local")
