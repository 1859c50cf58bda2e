"""MaCo against Horama at Horama's own settings: 1280 px, six crops of 25 to 30 % enlarged to
224 px, NAdam 1.0, a class's logit. Seconds a step, the first step left out.

Ours is `convscope.visualize`, as its users call it. Horama reads a magnitude from a file that it
downloads; here it finds one with the 1 / frequency of natural images in its place.
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

import convscope
from benchmarks._duel import Row, Run, Setting, duel, rows
from benchmarks.speed_rows._missing import missing, precisions_of
from benchmarks.speed_rows._networks import model_of, network_of
from benchmarks.speed_rows.ascent import seconds_a_step
from convscope.networks.model import Model
from convscope.synthesis.spectrum import inverse

SIZE = 1280
CROPS = "crop(6,0.25,0.30,size=224) noise(uniform=0.0125,normal=0.025)"
INDEX = 7
STEPS = 3
"""Steps that are timed, after one that is not."""


def ours(model: Model, steps: int, *, half: bool) -> Run:
    """Seconds a step of the verb."""

    def call() -> None:
        convscope.visualize(
            model,
            f"logit({INDEX})",
            preset="maco",
            steps=steps + 1,
            size=SIZE,
            transforms=CROPS,
            half=half,
        )

    return seconds_a_step(call, "visualize", model.device.type)


def horamas(network: Any, folder: str, steps: int, device: str) -> Run:
    """Seconds a step, from the second question to the last one, set-up and final image left
    out."""
    import horama

    def run() -> float:
        asked: list[float] = []

        def score(images: Tensor) -> Tensor:
            if images.is_cuda:
                torch.cuda.synchronize()
            asked.append(time.perf_counter())
            score: Tensor = network(images)[:, INDEX].mean()
            return score

        before = os.getcwd()
        os.chdir(folder)
        try:
            horama.maco(score, total_steps=steps + 2, image_size=SIZE, device=device)
        finally:
            os.chdir(before)
        return (asked[-1] - asked[1]) / (len(asked) - 2)

    return run


def run(setting: Setting) -> Iterator[Row]:
    """A row for each network, in full and in half precision."""
    absent = missing("horama")
    precisions = precisions_of(setting.device)
    with tempfile.TemporaryDirectory() as folder:
        np.save(
            os.path.join(folder, "spectrum_decorrelated.npy"),
            inverse(256, 256).expand(3, -1, -1).numpy(),
        )
        for name in ("embedded",) if setting.quick else ("resnet50", "embedded"):
            model = model_of(name, setting.device)
            contestants = {who: ours(model, STEPS, half=who != "ours") for who in precisions}
            if not absent:
                contestants["Horama"] = horamas(
                    network_of(name, setting.device), folder, STEPS, setting.device
                )
            timing = duel(contestants, setting.patience, setting.device)
            for who, title in precisions.items():
                yield from rows(
                    timing,
                    group="maco",
                    job=f"MaCo{title}",
                    network=name,
                    unit="step",
                    ours=who,
                    wanted=3.0,
                    absent={"Horama": absent},
                )
