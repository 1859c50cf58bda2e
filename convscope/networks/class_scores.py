"""The class scores in what a network returned, or one sentence on why there are none.

A wrong number said with confidence is worse than an error: boxes, maps and embeddings have tensors
in them too, whose softmax means nothing. So only what is n images x classes by type, shape and
meaning is read as scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from torch import Tensor

from convscope.errors import ModelError
from convscope.networks.layout import Keyed

PROBABILITY_SLACK = 1e-3
"""How far the sum of a row of probabilities may be from 1, in half precision too."""

_DETECTIONS = frozenset({"boxes", "masks", "keypoints", "pred_boxes"})
"""Names of outputs that detectors have, beside scores of boxes that are no scores of images."""


@dataclass(frozen=True)
class ScoreFacts:
    """What one run said about a network's scores: how many there are (or, `is_minimum`, at least:
    a list of detections names only the classes that were seen), and whether they are probabilities
    already."""

    count: int
    is_probability: bool
    is_minimum: bool = False


def class_scores(output: object, name: str, images: int | None = None) -> Tensor:
    """The scores (n classes, float32) in a network's raw output.

    Args:
        output: a tensor, or a structure in which one tensor is the answer beyond doubt.
        name: the network's, for messages.
        images: how many images went in, where that is known.

    Raises:
        ModelError: there are no scores in it.
    """
    scores = _the_tensor(output)
    if scores is None:
        raise _no_scores(name, _describe(output))
    if not scores.is_floating_point():
        raise _no_scores(name, f"whole numbers ({str(scores.dtype).removeprefix('torch.')})")
    if scores.ndim == 1:
        scores = scores[:, None]
    if scores.ndim == 4 and scores.shape[2:] == (1, 1):
        scores = scores.flatten(1)
    if scores.ndim != 2 or scores.numel() == 0:
        raise _no_scores(name, f"a tensor of {_shape(scores)}")
    if images is not None and scores.shape[0] != images:
        raise ModelError(
            f"{name} returned {scores.shape[0]} row(s) of scores for {images} image(s), so they"
            " cannot be told apart; it must give one row per image."
        )
    return scores.float()


def score_facts(
    scores: Tensor, *, is_probability: bool = False, is_minimum: bool = False
) -> ScoreFacts:
    """How many scores there are, and whether they are probabilities: where that is not known
    (`is_probability`), whether each row is a distribution.

    A row of three or more logits, all in [0, 1], does not sum to 1 by chance.
    """
    sums = scores.sum(1)
    is_distribution = (
        scores.shape[1] > 1
        and bool((scores >= 0).all())
        and bool(((sums - 1).abs() <= PROBABILITY_SLACK).all())
    )
    return ScoreFacts(scores.shape[1], is_probability or is_distribution, is_minimum)


def _the_tensor(output: object) -> Tensor | None:
    """The one tensor in an output that can be its scores."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, Keyed):
        return _from_names({str(key): output[key] for key in output.keys()})  # noqa: SIM118
    if isinstance(output, Sequence) and not isinstance(output, str):
        return _from_sequence(output)
    return _from_names(dict(vars(output))) if hasattr(output, "__dict__") else None


def _from_names(entries: Mapping[str, object]) -> Tensor | None:
    """`logits` where it is there, or else the only tensor."""
    if _DETECTIONS.intersection(entries):
        return None
    logits = entries.get("logits")
    if isinstance(logits, Tensor):
        return logits
    tensors = [value for value in entries.values() if isinstance(value, Tensor)]
    return tensors[0] if len(tensors) == 1 else None


def _from_sequence(entries: Sequence[object]) -> Tensor | None:
    """The first tensor, where no other could be the scores as well."""
    entries = [entry for entry in entries if entry is not None]
    if len(entries) == 1:
        return _the_tensor(entries[0])
    if not entries or not isinstance(entries[0], Tensor):
        return None
    first: Tensor = entries[0]
    others = entries[1:]
    for other in others:
        if isinstance(other, Mapping) or (_are_scores(other) and other.shape != first.shape):
            return None
    return first


def _are_scores(part: object) -> TypeGuard[Tensor]:
    return isinstance(part, Tensor) and part.is_floating_point() and part.ndim == 2


def _no_scores(name: str, returned: str) -> ModelError:
    return ModelError(
        f"{name} returned {returned}, not one score per class and image; give a callable target"
        " that makes one score per image of it."
    )


def _describe(output: object) -> str:
    """What an output is, in a few words."""
    if isinstance(output, Tensor):
        return f"a tensor of {_shape(output)}"
    if isinstance(output, Mapping):
        names = ", ".join(map(str, list(output)[:6]))
        return f"a dictionary ({names})"
    if isinstance(output, (list, tuple)):
        if not output:
            return f"an empty {type(output).__name__}"
        return f"a {type(output).__name__} of {len(output)} ({_describe(output[0])} first)"
    return f"a {type(output).__name__}"


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
