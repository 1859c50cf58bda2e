"""Types that stand below everything else: what a network's output may mean, and the few that are
not known, by name, since what lies behind each is someone else's."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

Task = Literal[
    "classification", "multi-label", "regression", "detection", "segmentation", "embedding"
]
"""What a network's output means."""

Foreign: TypeAlias = Any
"""A module or an object of an optional library without types (Keras, ONNX, pyarrow, Ray ...)."""

Options: TypeAlias = dict[str, Any]
"""Options by name, as a user gives them; the schema of their function checks each value."""

AutogradContext: TypeAlias = Any
"""The `ctx` of a `torch.autograd.Function`, to which anything may be attached."""

JsonObject: TypeAlias = dict[str, Any]
"""An object as JSON holds it."""
