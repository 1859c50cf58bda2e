"""The one optimization loop: raise each image's objective, step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from convscope.core.progress import advance
from convscope.errors import DeadUnitError, NumericError
from convscope.probe import Probe
from convscope.probe.malloc import keep_freed_memory
from convscope.synthesis.objective import Objective
from convscope.synthesis.padam import Padam
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.step import OptimizationStep
from convscope.synthesis.transforms import TransformSpec
from convscope.synthesis.transforms.blur import smooth

Optimizer = Literal["ascent", "adam", "nadam", "padam"]
Normalize = Literal["none", "rms", "l2", "mean_abs"]

EPSILON = 1e-5  # added to the size a gradient is divided by (Chollet)

# a rise of less than this share of the score's range so far counts as none, for the early stop
PLATEAU = 1e-3


@dataclass(frozen=True)
class OptimizationConfig:
    """How to climb. `rate` is Adam's, or the step of plain ascent; `regularizers` are (name,
    weight, options) and are subtracted; `redirect` is for how many steps closed ReLUs let the
    gradient through; `settle` is the share of the steps, at the end, in which the rate goes down to
    nothing; `momentum` and `memory` are Adam's decays: a shorter momentum follows the transforms'
    surprises faster, a shorter memory suits a start with large gradients, which else slow all later
    steps; `blur` blurs the pixels by so many every `blur_every` steps, growing by `blur_growth`
    each time; `patience` stops when no score has risen for so many steps; `tile` is the largest
    side that the network sees at once, so that memory does not grow with the image.
    """

    steps: int
    optimizer: Optimizer = "adam"
    rate: float = 0.05
    normalize: Normalize = "none"
    transforms: tuple[TransformSpec, ...] = ()
    regularizers: tuple[tuple[str, float, dict[str, Any]], ...] = ()
    redirect: int = 0
    settle: float = 0.0
    momentum: float = 0.9
    memory: float = 0.999
    blur: float = 0.0
    blur_every: int = 1
    blur_growth: float = 0.0
    patience: int | None = None
    snapshots: tuple[int, ...] = ()
    tile: int | None = None


@dataclass
class OptimizationResult:
    """What came of it: the images (n c h w in [0, 1]), the score at each step (n steps; before that
    step), snapshots by step, the accumulated size of the gradient at each pixel (n h w), why it
    ended early, if it did, and which objectives are
    dead: their score stood still and no gradient reaches the image; such an image is plain gray."""

    image: Tensor
    score: Tensor
    snapshots: dict[int, Tensor] = field(default_factory=dict)
    transparency: Tensor | None = None
    ended: str | None = None
    dead: list[str] = field(default_factory=list)

    def living(self) -> OptimizationResult:
        """The same; a `DeadUnitError` where every objective is dead."""
        if self.dead and len(self.dead) == len(self.image):
            raise DeadUnitError(
                f"{', '.join(self.dead[:5])}: no gradient reaches the image; a dead unit has no"
                " picture."
            )
        return self


@keep_freed_memory()
def optimize(
    probe: Probe,
    objectives: Sequence[Objective],
    parameterization: nn.Module,
    streams: RandomStreams,
    config: OptimizationConfig,
    *,
    reference: dict[str, Tensor] | None = None,
    done: Callable[[Tensor, Any], bool] | None = None,
    what: str = "ascent",
) -> OptimizationResult:
    """Change `parameterization` so that each of its images scores higher on its own objective.

    Args:
        objectives: one per image.
        canvas: a parameterization.
        streams: the random numbers, one stream per image.
        recipe: how to climb.
        reference: maps of a photo by layer, for the objectives that compare with one.
        done: called after each step with the images that were looked at and the network's output;
            True ends the ascent.
        what: the name of the work, for progress bars.

    Raises:
        NoGradientError: no objective depends on the image.
        NumericError: a score or image came out as NaN or infinity.
        ImageError: the network cannot run on images of this size.
    """
    evaluation = OptimizationStep(
        probe, objectives, streams, config.transforms, config.regularizers, reference or {}
    )
    weights = [weight for weight in parameterization.parameters() if weight.requires_grad]
    own = {} if config.optimizer == "ascent" else {"betas": (config.momentum, config.memory)}
    optimizer: torch.optim.Optimizer = _OPTIMIZERS[config.optimizer](
        weights, config.rate, foreach=True, **own
    )
    scores: list[Tensor] = []
    found = OptimizationResult(parameterization().detach(), torch.empty(0))
    has_gradient = torch.zeros(len(objectives), dtype=torch.bool, device=found.image.device)
    transparency = torch.zeros_like(found.image[:, 0])
    try:
        for step in range(config.steps):
            advance(what, step, config.steps)
            streams.progress = step / config.steps
            for group in optimizer.param_groups:
                group["lr"] = config.rate * min(
                    1.0, (config.steps - step) / max(config.settle * config.steps, 1.0)
                )
            optimizer.zero_grad(set_to_none=True)
            with torch.enable_grad():
                image = parameterization()
                score, gradient = evaluation.gradient(
                    image.detach(), config.tile, redirect=step < config.redirect
                )
                # The only sign change: optimizers go down, pictures go up.
                torch.autograd.backward(image, -gradient)
            if not bool(torch.isfinite(score).all()):
                raise NumericError(
                    f"{objectives[int((~torch.isfinite(score)).nonzero()[0])]} became NaN or"
                    f" infinite at step {step}."
                )
            has_gradient |= evaluation.reached
            transparency += gradient.abs().mean(1)
            _normalize(parameterization, config.normalize)
            optimizer.step()
            with torch.no_grad():
                _after(parameterization, config, step)
            scores.append(score.detach())
            if step + 1 in config.snapshots:
                found.snapshots[step + 1] = parameterization().detach().clone()
            if done is not None and done(image.detach(), evaluation.output):
                found.ended = f"done after {step + 1} steps"
                break
            if config.patience and _flat(scores, config.patience):
                found.ended = f"no rise in {config.patience} steps, stopped after {step + 1}"
                break
        advance(what, config.steps, config.steps)
    except KeyboardInterrupt:
        if not scores:
            raise
        found.ended = f"interrupted after {len(scores)} of {config.steps} steps"
    found.image = parameterization().detach()
    if not bool(torch.isfinite(found.image).all()):
        raise NumericError("The image became NaN or infinite; a smaller rate may help.")
    found.score = torch.stack(scores, dim=1)
    found.transparency = transparency
    if not bool(has_gradient.all()):  # the last step may have opened what was closed until then
        evaluation.gradient(found.image.clone(), config.tile)
    dead = ~(has_gradient | evaluation.reached)
    found.image[dead] = 0.5
    found.dead = [str(objectives[place]) for place in dead.nonzero()[:, 0].tolist()]
    return found


_OPTIMIZERS: dict[str, Any] = {
    "ascent": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "padam": Padam,
}

_SIZES: dict[str, Callable[[Tensor], Tensor]] = {
    "rms": lambda flat: flat.pow(2).mean(1).sqrt(),
    "l2": lambda flat: flat.pow(2).sum(1).sqrt(),
    "mean_abs": lambda flat: flat.abs().mean(1),
}


@torch.no_grad()
def _normalize(parameterization: nn.Module, how: Normalize) -> None:
    """Divide each image's gradient by its own size."""
    for weight in parameterization.parameters():
        if how != "none" and weight.grad is not None:
            size = _SIZES[how](weight.grad.flatten(1)) + (EPSILON if how == "rms" else 1e-30)
            weight.grad /= size.view(-1, *[1] * (weight.ndim - 1))


def _after(parameterization: nn.Module, config: OptimizationConfig, step: int) -> None:
    """What happens to the pixels themselves between two steps."""
    if config.blur and (step + 1) % config.blur_every == 0:
        for weight in parameterization.parameters():
            weight.copy_(
                smooth(weight, config.blur + config.blur_growth * (step // config.blur_every))
            )
    getattr(parameterization, "project", lambda: None)()


def _flat(scores: list[Tensor], patience: int) -> bool:
    """Whether no image's best score of the last `patience` steps is above its best before."""
    if len(scores) <= 2 * patience:
        return False
    curve = torch.stack(scores)
    before, now = curve[:-patience].amax(0), curve[-patience:].amax(0)
    return bool((now - before <= PLATEAU * (before - curve[0]).abs()).all())
