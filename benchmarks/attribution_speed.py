"""Attribution against peers on ResNet-50 (random weights), one photo of 224 px, the same process, threads and image, in turns.

    python benchmarks/attribution_speed.py [--out FILE.json] [--repeats 3] [--jobs integrated_gradients,ablation_cam,score_cam]

Peers that take minutes run once, whatever `--repeats` says.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import convscope
from convscope.attribution._method import Method
from convscope.probe import Probe
from convscope.target import Target

INDEX = 281
LAYER = "layer4"
LONG = 30.0
"""Seconds from which on a peer runs once."""


def ours(model: convscope.Model, name: str, **options: object) -> Callable[[Tensor], Tensor]:
    def run(image: Tensor) -> Tensor:
        with Probe(model) as probe:
            return Method.of(name, probe, options=dict(options))(probe, image, Target.of(model, INDEX))

    return run


def grad_cam_library(name: str, network: nn.Module) -> Callable[[Tensor], Tensor]:
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    def run(image: Tensor) -> Tensor:
        with getattr(pytorch_grad_cam, name)(model=network, target_layers=[network.get_submodule(LAYER)]) as cam:
            return torch.from_numpy(cam(input_tensor=image, targets=[ClassifierOutputTarget(INDEX)]))

    return run


def captum_gradients(network: nn.Module) -> Callable[[Tensor], Tensor]:
    from captum.attr import IntegratedGradients

    return lambda image: IntegratedGradients(network).attribute(image, target=INDEX)


def timed(run: Callable[[Tensor], Tensor], image: Tensor) -> float:
    started = time.perf_counter()
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        run(image.clone())
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", default="integrated_gradients,ablation_cam,score_cam")
    given = parser.parse_args()
    model = convscope.load_model("torchvision:resnet50", weights=False)
    theirs = convscope.load_model("torchvision:resnet50", weights=False).network.eval()
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    jobs = {
        "integrated_gradients": (ours(model, "integrated_gradients"), captum_gradients(theirs), "Captum IntegratedGradients, 50 steps", 3),
        "ablation_cam": (ours(model, "ablation_cam"), grad_cam_library("AblationCAM", theirs), "pytorch-grad-cam AblationCAM", 50),
        "score_cam": (ours(model, "score_cam"), grad_cam_library("ScoreCAM", theirs), "pytorch-grad-cam ScoreCAM", 4),
    }
    rows = []
    for name in given.jobs.split(","):
        mine, peer, title, wanted = jobs[name]
        times: dict[str, list[float]] = {"ours": [], "peer": []}
        for _ in range(given.repeats):
            times["ours"].append(timed(mine, image))
            if not times["peer"] or times["peer"][-1] < LONG:
                times["peer"].append(timed(peer, image))
        middle = {who: statistics.median(each) for who, each in times.items()}
        row = {"method": name, "peer": title, "ours_s": middle["ours"], "peer_s": middle["peer"], "ratio": middle["peer"] / middle["ours"]}
        rows.append(row | {"wanted": wanted, "times": times, "threads": torch.get_num_threads()})
        said = f"{name:22s} ours {middle['ours']:8.2f} s   {title} {middle['peer']:8.2f} s"
        print(f"{said}   ratio {row['ratio']:.1f} (wanted {wanted})", flush=True)
    if given.out:
        Path(given.out).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
