"""A detector, a segmenter and a regressor: the embedded network's features, frozen, and a small
head trained on scenes. A few minutes on two cores; the weights are kept in a folder."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.segmentation.fcn import FCN, FCNHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign

import convscope
from benchmarks._scenes import SIDE, Scene, Scenes

STAGES = {2: 40, 4: 112, 6: 320}
"""Stages of the embedded network that heads read, at 1/8, 1/16 and 1/32: stage -> channels."""

WIDTH = 64
"""Channels of the pyramid and of the heads."""

MEAN = STD = 0.5
"""Of the embedded network's preprocessing."""

NUM_SCENES, BATCH = 400, 6
DETECTOR_STEPS, SEGMENTER_STEPS, REGRESSOR_STEPS = 450, 200, 300

DENSITY_SCALE = 50.0
"""What a place of the regressor's first map is multiplied with in its loss: an object's cells share
one unit among about 50."""

NOTHING = -3.0
"""Of a softplus or sigmoid: a place with hardly anything in it."""

Maps = OrderedDict[str, Tensor]


class Body(nn.Module):
    """The embedded network up to its last stage, frozen; gives the maps of three stages."""

    def __init__(self) -> None:
        super().__init__()
        network: Any = convscope.load_model().network
        self.stem = nn.Sequential(network.conv_stem, network.bn1)
        self.blocks: nn.Sequential = network.blocks
        self.requires_grad_(False)

    def forward(self, image: Tensor) -> Maps:
        maps: Maps = OrderedDict()
        image = self.stem(image)
        for index, block in enumerate(self.blocks):
            image = block(image)
            if index in STAGES:
                maps[str(index)] = image
        return maps

    def train(self, mode: bool = True) -> Body:
        """Always in evaluation mode."""
        return super().train(False)


class Backbone(nn.Module):
    """The body and a feature pyramid over its stages, as torchvision's detectors have them."""

    out_channels = WIDTH

    def __init__(self) -> None:
        super().__init__()
        self.body = Body()
        self.fpn = FeaturePyramidNetwork(list(STAGES.values()), WIDTH)

    def forward(self, image: Tensor) -> Maps:
        maps: Maps = self.fpn(self.body(image))
        return maps


class FinestLevel(Backbone):
    """The finest level of the pyramid, named as torchvision's segmenters want it."""

    def forward(self, image: Tensor) -> Maps:
        return OrderedDict(out=next(iter(super().forward(image).values())))


class Regressor(nn.Module):
    """How many objects there are, and which share of the photo they cover.

    Both are read off maps at the finest level of the pyramid: a density whose sum is the count
    (Lempitsky & Zisserman, 2010), and the part of every cell that is covered. Two numbers a scene
    alone would teach a head the few backgrounds by heart.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = FinestLevel()
        last = nn.Conv2d(WIDTH, 2, 1)
        self.head = nn.Sequential(nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU(), last)
        # From a photo with nearly nothing in it: from 14 objects, the first steps push every place
        # so far down that none comes back.
        assert last.bias is not None
        nn.init.constant_(last.bias, NOTHING)

    def forward(self, image: Tensor) -> Tensor:
        return self.numbers(self.maps(self.backbone((image - MEAN) / STD)["out"]))

    def maps(self, finest: Tensor) -> Tensor:
        """Density and coverage of every place (n 2 h w)."""
        density, coverage = self.head(finest).split(1, 1)
        return torch.cat([functional.softplus(density) / DENSITY_SCALE, coverage.sigmoid()], 1)

    @staticmethod
    def numbers(maps: Tensor) -> Tensor:
        """The count and the share covered (n 2)."""
        return torch.stack([maps[:, 0].sum((1, 2)), maps[:, 1].mean((1, 2))], 1)


def detector(num_classes: int) -> FasterRCNN:
    """torchvision's Faster R-CNN over three levels, with narrow heads."""
    levels = [str(stage) for stage in STAGES]
    return FasterRCNN(
        Backbone(),
        min_size=SIDE,
        max_size=SIDE,
        image_mean=[MEAN] * 3,
        image_std=[STD] * 3,
        rpn_anchor_generator=AnchorGenerator(((40,), (72,), (110,)), ((0.5, 1.0, 2.0),) * 3),
        box_roi_pool=MultiScaleRoIAlign(levels, output_size=7, sampling_ratio=2),
        box_head=TwoMLPHead(WIDTH * 49, WIDTH),
        box_predictor=FastRCNNPredictor(WIDTH, num_classes),
        box_score_thresh=0.3,
        rpn_post_nms_top_n_train=128,
        rpn_post_nms_top_n_test=64,
        box_batch_size_per_image=64,
    )


def segmenter(num_classes: int) -> FCN:
    """torchvision's FCN on the finest level of the pyramid."""
    return FCN(FinestLevel(), FCNHead(WIDTH, num_classes))


def heads_of(folder: Path, photos: Path | str) -> dict[str, Any]:
    """The three networks with trained heads; trained and kept in `folder` where they are not there
    yet."""
    scenes = Scenes(photos)
    torch.manual_seed(0)
    networks: dict[str, Any] = {
        "detector": detector(len(scenes.labels)),
        "segmenter": segmenter(len(scenes.labels)),
        "regressor": Regressor(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    files = {name: folder / f"{name}.pt" for name in networks}
    missing = [name for name, file in files.items() if not file.is_file()]
    if missing:
        _train(networks, scenes, {name: files[name] for name in missing})
    for name, network in networks.items():
        network.load_state_dict(torch.load(files[name], weights_only=True), strict=False)
        network.eval()
    return networks


def _train(networks: dict[str, Any], scenes: Scenes, files: dict[str, Path]) -> None:
    """The body runs once over all scenes; the heads are trained on its maps."""
    rng = np.random.default_rng(0)
    drawn = [scenes.random(rng) for _ in range(NUM_SCENES)]
    body = Body()
    maps: list[Maps] = []
    with torch.no_grad():
        for scene in drawn:
            kept = body((scene.image[None] - MEAN) / STD)
            maps.append(OrderedDict((name, part.half()) for name, part in kept.items()))
    losses: dict[str, tuple[Callable[[Maps, list[Scene]], Tensor], int]] = {
        "detector": (lambda maps, batch: _detection_loss(networks, maps, batch), DETECTOR_STEPS),
        "segmenter": (lambda maps, batch: _mask_loss(networks, maps, batch), SEGMENTER_STEPS),
        "regressor": (lambda maps, batch: _value_loss(networks, maps, batch), REGRESSOR_STEPS),
    }
    for name in files:
        loss, steps = losses[name]
        print(f"{name}: {steps} steps", flush=True)
        _optimize(networks[name], loss, steps, drawn, maps, rng)
        weights = networks[name].state_dict()
        torch.save({key: weights[key] for key in weights if "body." not in key}, files[name])


def _optimize(
    network: nn.Module,
    loss: Callable[[Maps, list[Scene]], Tensor],
    steps: int,
    scenes: list[Scene],
    maps: list[Maps],
    rng: np.random.Generator,
) -> None:
    network.train()
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, 1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for step in range(steps):
        places = rng.integers(len(scenes), size=BATCH)
        batch = OrderedDict(
            (name, torch.cat([maps[place][name] for place in places]).float()) for name in maps[0]
        )
        value = loss(batch, [scenes[place] for place in places])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"  {step}: {float(value.detach()):.3f}", flush=True)


def _detection_loss(networks: dict[str, Any], maps: Maps, batch: list[Scene]) -> Tensor:
    network = networks["detector"]
    images = ImageList(torch.zeros(len(batch), 3, SIDE, SIDE), [(SIDE, SIDE)] * len(batch))
    targets = [{"boxes": scene.boxes, "labels": scene.labels} for scene in batch]
    pyramid = network.backbone.fpn(maps)
    proposals, first = network.rpn(images, pyramid, targets)
    _, second = network.roi_heads(pyramid, proposals, images.image_sizes, targets)
    total: Tensor = sum((first | second).values())
    return total


def _mask_loss(networks: dict[str, Any], maps: Maps, batch: list[Scene]) -> Tensor:
    network = networks["segmenter"]
    logits = network.classifier(next(iter(network.backbone.fpn(maps).values())))
    logits = functional.interpolate(logits, scale_factor=2, mode="bilinear", align_corners=False)
    labels = torch.stack([scene.label_map[::4, ::4] for scene in batch])
    return functional.cross_entropy(logits, labels)


def _value_loss(networks: dict[str, Any], maps: Maps, batch: list[Scene]) -> Tensor:
    network = networks["regressor"]
    actual = network.maps(next(iter(network.backbone.fpn(maps).values())))
    cells = [
        functional.adaptive_avg_pool2d(scene.masks.float(), actual.shape[2:]) for scene in batch
    ]
    density = torch.stack([(part / part.sum((1, 2), keepdim=True)).sum(0) for part in cells])
    coverage = torch.stack([part.sum(0) for part in cells])
    counts = torch.tensor([float(len(scene.labels)) for scene in batch])
    return (
        functional.mse_loss(DENSITY_SCALE * actual[:, 0], DENSITY_SCALE * density)
        + functional.binary_cross_entropy(actual[:, 1], coverage.clamp(0, 1))
        + 0.1 * functional.mse_loss(network.numbers(actual)[:, 0], counts)
    )


if __name__ == "__main__":
    import sys

    heads_of(Path(sys.argv[2]), sys.argv[1])
