"""The one optimization loop: raise each image's objective, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from convscope.core import interrupt
from convscope.core.progress import advance
from convscope.errors import NumericError, shortened
from convscope.probe import Probe
from convscope.probe.malloc import keep_freed_memory
from convscope.questions.target import Target
from convscope.synthesis.config import OptimizationConfig
from convscope.synthesis.objective import Objective
from convscope.synthesis.padam import Padam
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.result import OptimizationResult, StopReason
from convscope.synthesis.step import OptimizationStep
from convscope.synthesis.transforms.blur import smooth

StopCondition: TypeAlias = Callable[[Tensor, object], bool]
"""Called after each step with the images that the network saw (n c h w in [0, 1]) and what it
returned; True ends the optimization."""

Preview: TypeAlias = Callable[[int, Callable[[], Tensor]], None]
"""Called after each step with its number and a function that gives the images (n c h w) so far."""

EPSILON = 1e-5  # added to the size a gradient is divided by (Chollet)

# a rise of less than this share of the score's range so far counts as none, for the early stop
PLATEAU = 1e-3

_OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "ascent": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "padam": Padam,
}

_GRADIENT_SIZES: dict[str, Callable[[Tensor], Tensor]] = {
    "rms": lambda flat: flat.pow(2).mean(1).sqrt(),
    "l2": lambda flat: flat.pow(2).sum(1).sqrt(),
    "mean_abs": lambda flat: flat.abs().mean(1),
}


@keep_freed_memory()
def optimize(
    probe: Probe,
    objectives: Sequence[Objective],
    parameterization: nn.Module,
    streams: RandomStreams,
    config: OptimizationConfig,
    *,
    reference: Mapping[str, Tensor] | None = None,
    questions: Mapping[str, Target] | None = None,
    stop_condition: StopCondition | None = None,
    preview: Preview | None = None,
    task: str = "optimization",
) -> OptimizationResult:
    """Change `parameterization` so that each of its images scores higher on its own objective.

    Args:
        objectives: one per image.
        parameterization: what the images are made of; its weights are changed.
        streams: the random numbers, one stream per image.
        config: how to go.
        reference: maps of a photo by layer, for the objectives that compare with one.
        questions: what the texts of `score` mean, one for all images or one each, where the caller
            knows; by default they are read as asked of any image.
        stop_condition: ends the optimization when it returns True.
        preview: shows the images on the way.
        task: the name of the work, for progress bars.

    Raises:
        NoGradientError: no objective depends on the image.
        NumericError: a score or image came out as NaN or infinity.
        ImageError: the network cannot run on images of this size.
    """
    step = OptimizationStep(
        probe, objectives, streams, config.transforms, config.regularizers, reference, questions
    )
    run = _Run(step, parameterization, config)
    try:
        # The first Ctrl-C is heeded between two steps: a step cut in half could not be made again.
        with interrupt.stopping() as stop:
            reason = _steps(run, task, stop, stop_condition, preview)
        if stop.asked:
            interrupt.request_stop()
    except KeyboardInterrupt:
        reason = StopReason.INTERRUPTED
    if reason is StopReason.INTERRUPTED:
        interrupt.interrupted(len(run.scores), config.steps)
        if not run.scores:
            raise KeyboardInterrupt
    return run.result(reason)


def _steps(
    run: _Run,
    task: str,
    stop: interrupt.Stop,
    stop_condition: StopCondition | None,
    preview: Preview | None,
) -> StopReason:
    """Make the steps; why they ended."""
    config = run.config
    for index in range(config.steps):
        if stop.asked or not interrupt.may_step():
            return StopReason.INTERRUPTED
        advance(task, index, config.steps)
        image = run.advance(index)
        interrupt.step_made()
        if preview is not None:
            preview(index + 1, run.images)
        if stop_condition is not None and stop_condition(image, run.step.output):
            return StopReason.CONDITION_MET
        if config.patience and _is_flat(run.scores, config.patience):
            return StopReason.CONVERGED
    advance(task, config.steps, config.steps)
    return StopReason.COMPLETED


class _Run:
    """One optimization under way: its optimizer, and what has been measured so far."""

    def __init__(
        self, step: OptimizationStep, parameterization: nn.Module, config: OptimizationConfig
    ) -> None:
        self.step, self.parameterization, self.config = step, parameterization, config
        weights = [weight for weight in parameterization.parameters() if weight.requires_grad]
        betas = {} if config.optimizer == "ascent" else {"betas": (config.beta1, config.beta2)}
        self.optimizer: torch.optim.Optimizer = _OPTIMIZERS[config.optimizer](
            weights, config.rate, foreach=True, **betas
        )
        image = parameterization().detach()
        self.scores: list[Tensor] = []
        self.snapshots: dict[int, Tensor] = {}
        self.has_gradient = torch.zeros(len(image), dtype=torch.bool, device=image.device)
        self.transparency = torch.zeros_like(image[:, 0])

    def advance(self, index: int) -> Tensor:
        """Make the step of that index; the images as they were before it."""
        config, step = self.config, self.step
        step.streams.progress = index / config.steps
        self._set_rate(index)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.enable_grad():
            image: Tensor = self.parameterization()
            score, gradient = step.gradient(
                image.detach(), config.tile, redirect=index < config.redirect
            )
            # The only sign change: optimizers go down, pictures go up.
            torch.autograd.backward(image, -gradient)
        self._require_finite(score, index)
        self.has_gradient |= step.has_gradient
        self.transparency += gradient.abs().mean(1)
        self._normalize()
        self.optimizer.step()
        self._after_step(index)
        self.scores.append(score.detach())
        if index + 1 in config.snapshots:
            self.snapshots[index + 1] = self.parameterization().detach().clone()
        return image.detach()

    @torch.no_grad()
    def images(self) -> Tensor:
        """The images (n c h w) as they are now."""
        image: Tensor = self.parameterization().detach()
        return image

    def _set_rate(self, index: int) -> None:
        steps = self.config.steps
        share = min(1.0, (steps - index) / max(self.config.rate_decay * steps, 1.0))
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.rate * share

    @torch.no_grad()
    def _normalize(self) -> None:
        """Divide each image's gradient by its own size."""
        normalization = self.config.normalize
        for weight in self.parameterization.parameters():
            if normalization != "none" and weight.grad is not None:
                epsilon = EPSILON if normalization == "rms" else 1e-30
                size = _GRADIENT_SIZES[normalization](weight.grad.flatten(1)) + epsilon
                weight.grad /= size.view(-1, *[1] * (weight.ndim - 1))

    @torch.no_grad()
    def _after_step(self, index: int) -> None:
        """What happens to the pixels themselves between two steps."""
        config = self.config
        project = getattr(self.parameterization, "project", lambda: None)
        project()
        # The first step is blurred and the last ones are not, as in CS231n.
        if config.blur and index % config.blur_every == 0:
            sigma = config.blur + config.blur_growth * (index // config.blur_every)
            for weight in self.parameterization.parameters():
                weight.copy_(smooth(weight, sigma))
            project()

    def _require_finite(self, score: Tensor, index: int) -> None:
        is_finite = torch.isfinite(score)
        if not bool(is_finite.all()):
            first = int((~is_finite).nonzero()[0])
            raise NumericError(
                f"{shortened(self.step.objectives[first])} became NaN or infinite at step {index}."
            )

    def result(self, reason: StopReason) -> OptimizationResult:
        """What came of it; the images of dead units are gray."""
        image = self.parameterization().detach()
        if not bool(torch.isfinite(image).all()):
            raise NumericError("The image became NaN or infinite; a smaller rate may help.")
        has_gradient = self.has_gradient
        if not bool(has_gradient.all()):  # the last step may have opened what was closed until then
            self.step.gradient(image.clone(), self.config.tile)
            has_gradient = has_gradient | self.step.has_gradient
        image[~has_gradient] = 0.5
        return OptimizationResult(
            self.step.objectives,
            image,
            torch.stack(self.scores, dim=1),
            self.transparency,
            self.config.steps,
            reason,
            self.snapshots,
            (~has_gradient).tolist(),
        )


def _is_flat(scores: list[Tensor], patience: int) -> bool:
    """Whether no image's best score of the last `patience` steps is above its best before."""
    if len(scores) <= 2 * patience:
        return False
    curve = torch.stack(scores)
    before, now = curve[:-patience].amax(0), curve[-patience:].amax(0)
    return bool((now - before <= PLATEAU * (before - curve[0]).abs()).all())
