"""The biases that a run adds, with what it adds them to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class RecordedBiases:
    """The output of every convolution and batch norm that runs, with its bias."""

    def __init__(self) -> None:
        self.of_layers: list[tuple[Tensor, Tensor]] = []

    def overrides(self) -> dict[Any, Any]:
        return {functional.conv2d: self.convolution, functional.batch_norm: self.batch_norm}

    def convolution(
        self, x: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any
    ) -> Tensor:
        return self._keep(torch.conv2d(x, weight, bias, *args, **kwargs), bias)

    def batch_norm(
        self, x: Tensor, mean: Tensor | None, var: Tensor | None, *args: Any, **kwargs: Any
    ) -> Tensor:
        names = ("weight", "bias", "training", "momentum", "eps")
        arguments = dict(zip(names, args, strict=False)) | kwargs
        weight, bias = (arguments.get(name) for name in ("weight", "bias"))
        moments = mean, var
        if mean is None or var is None:  # without running statistics the batch's own are taken
            var, mean = torch.var_mean(x.detach(), (0, 2, 3), correction=0)
        scaling = (1 if weight is None else weight) / (var + arguments.get("eps", 1e-5)).sqrt()
        return self._keep(
            functional.batch_norm(x, *moments, **arguments),
            (0 if bias is None else bias) - mean * scaling,
        )

    def _keep(self, activation: Tensor, bias: Tensor | None) -> Tensor:
        if bias is None or activation.ndim != 4:
            return activation
        self.of_layers.append((activation, bias.detach()))
        # The network goes on with a copy: what follows in place must not change what is kept.
        return activation.clone()
