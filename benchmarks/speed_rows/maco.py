"""MaCo against Horama at Horama's own settings: 1280 px, six crops of 20 to 25 % user_networks to
224 px, NAdam 1.0, a class's logit.

Horama reads a magnitude from a file that it downloads; here it finds one with the 1 / frequency of
natural images in its place.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks._duel import Row, Run, Setting, duel, rows
from benchmarks.speed_rows._missing import missing
from benchmarks.speed_rows._networks import model_of, network_of
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.parameterizations._spectrum import inverse
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings

SIZE = 1280
CROPS = "crop(6,0.25,0.30,size=224) noise(uniform=0.0125,normal=0.025)"
INDEX = 7


def ours(model: Model, steps: int, *, half: bool) -> Run:
    """Seconds a step."""
    settings = Settings("maco", "visualize", steps=steps + 1, size=SIZE, transforms=CROPS)
    fast = inference_copy(model, half=half)
    goals = [objective("logit", target=INDEX)]

    def run() -> float:
        ends: list[float] = []

        def done(image: Tensor, output: Any) -> bool:
            if image.is_cuda:
                torch.cuda.synchronize()
            ends.append(time.perf_counter())
            return False

        streams = RandomStreams.of(0, ["maco"], model.device)
        with Probe(fast) as probe:
            parameterization = settings.parameterization(probe, 1, streams)
            optimize(probe, goals, parameterization, streams, settings.config, stop_condition=done)
        return (ends[-1] - ends[0]) / (len(ends) - 1)

    return run


def horamas(network: Any, folder: str, steps: int, device: str) -> Run:
    """Seconds a step, from the first question to the last gradient, set-up and final image left
    out."""
    import horama

    def run() -> float:
        asked: list[float] = []

        def score(images: Tensor) -> Tensor:
            if images.is_cuda:
                torch.cuda.synchronize()
            asked.append(time.perf_counter())
            found: Tensor = network(images)[:, INDEX].mean()
            return found

        before = os.getcwd()
        os.chdir(folder)
        try:
            horama.maco(score, total_steps=steps + 1, image_size=SIZE, device=device)
        finally:
            os.chdir(before)
        return (asked[-1] - asked[0]) / steps

    return run


def run(setting: Setting) -> Iterator[Row]:
    """A row for each network, in full and in half precision."""
    absent = missing("horama")
    with tempfile.TemporaryDirectory() as folder:
        np.save(
            os.path.join(folder, "spectrum_decorrelated.npy"),
            inverse(256, 256).expand(3, -1, -1).numpy(),
        )
        for name in ("embedded",) if setting.quick else ("resnet50", "embedded"):
            model = model_of(name, setting.device)
            contestants = {
                "ours": ours(model, 2, half=False),
                "ours in half": ours(model, 2, half=True),
            }
            if not absent:
                contestants["Horama"] = horamas(
                    network_of(name, setting.device), folder, 2, setting.device
                )
            timing = duel(contestants, setting.patience, setting.device)
            for who, title in (("ours", ""), ("ours in half", ", bfloat16")):
                for row in rows(
                    timing,
                    group="maco",
                    job=f"MaCo{title}",
                    network=name,
                    unit="step",
                    ours=who,
                    wanted=3.0,
                ):
                    if absent:
                        row.peer, row.missing = "Horama", absent
                    yield row
