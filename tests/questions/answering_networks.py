"""Networks whose answers can be computed by hand: a detector, a segmenter, an embedding."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Detector(nn.Module):
    """Two boxes, left and right half; the score of each is the sigmoid of the mean red (class 1) or
    green (class 2) in it, plus a weak second candidate of the left one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(3)[:, :, None, None] * 4)

    def forward(self, image: Tensor) -> list[dict[str, Tensor]]:
        maps = self.conv(image)
        side = image.shape[-1]
        left, right = maps[:, 0, :, : side // 2], maps[:, 1, :, side // 2 :]
        boxes = torch.tensor(
            [[0.0, 0, side // 2, side], [side // 2, 0, side, side], [0, 0, side // 2, side - 4]]
        )
        rows = []
        for a, b in zip(left.mean((1, 2)).sigmoid(), right.mean((1, 2)).sigmoid(), strict=True):
            scores = torch.stack([a, b, a * 0.5])
            rows.append({"boxes": boxes, "scores": scores, "labels": torch.tensor([1, 2, 1])})
        return rows


class Segmenter(nn.Module):
    """Three classes; the logit of each at a place is one color there, at half the resolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 2, stride=2, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 2, 2) / 4)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return {"out": self.conv(image), "aux": image}


class Embedder(nn.Module):
    """The mean color as an embedding, and a text side that knows three words."""

    num_classes = 0

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.eye(3)[:, :, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image).mean((2, 3))

    def embed_text(self, text: str) -> Tensor:
        return torch.tensor([float(word in text) for word in ("red", "green", "blue")])


class Regressor(nn.Module):
    """Twice the mean red minus green, and the mean blue."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        with torch.no_grad():
            self.conv.weight.copy_(torch.tensor([[2.0, -1, 0], [0, 0, 1]])[:, :, None, None])

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(image).mean((2, 3))
