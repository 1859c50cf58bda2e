from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from convscope.errors import TargetError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.questions.target import find_class
from convscope.results.result import Result
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize import OptimizationResult, optimize
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings, numpy
from convscope.verbs._verb import PhotoLike, bytes_of, verb


@verb
def fool(
    model: Model,
    photo: PhotoLike,
    *,
    target: int | str | Sequence[int | str] | None = None,
    preset: str = "cs231n",
    steps: int | None = None,
    rate: float | None = None,
    half: bool = False,
    seed: int = 0,
) -> Result:
    """The smallest steps that make the network say something else (Szegedy et al., 2013; steps as
    in CS231n).

    Ascends the target's score by rate * g / ||g||, in the network's own units, until the network
    says the target. Every image that the network is asked about is rounded to 8 bits first, so that
    the saved PNG fools too. `result["image"]` is n 3 h w in [0, 1] at the network's size,
    `result["original"]` what the network saw before, `result["score"]` n steps. A table row per
    photo says whether it was fooled, in how many steps, both answers, and the L2 and Linf size of
    the change in [0, 1] units.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        target: a class index or label, or one for each photo; by default the least likely class.
        preset: cs231n (normalized gradient), or plain (rate 200 on the gradient itself).
        steps: at most so many steps.
        rate: step size.
        half: climb in bfloat16; the network is asked in full precision before an image counts as
            fooling.
        seed: of the one random generator; the published presets draw nothing.

    Raises:
        TargetError: no such class, or as many targets as there are not photos.

    Example:
        convscope.fool(model, "cat.jpg", target="stingray")
        $ convscope fool cat.jpg --target stingray --out fooled.png
    """
    original = ((torch.cat([model.fit(one) for one in photo]) * 255).round() / 255).clamp(0, 1)
    settings = Settings(preset, "fool", steps=steps, rate=rate, size=model.size)
    with Probe(model) as probe:
        before = model.probabilities(probe.scores(model.preprocess(original)))
        wanted = torch.tensor(_targets(model, target, before), device=before.device)
        made, watch, best = _climb(
            inference_copy(model, half=half), probe, settings, original, wanted, seed
        )
        after = model.probabilities(probe.scores(model.preprocess(best)))
    taken = watch.taken
    change = best - original
    table = [
        {
            "photo": place,
            "fooled": bool(taken[place] >= 0),
            "steps": int(taken[place]) if taken[place] >= 0 else settings.steps,
            "target": model.label(int(wanted[place])),
            "before": model.label(int(before[place].argmax())),
            "before_probability": float(before[place].max()),
            "after": model.label(int(after[place].argmax())),
            "after_probability": float(after[place].max()),
            "l2": float(change[place].norm()),
            "linf": float(change[place].abs().max()),
        }
        for place in range(len(original))
    ]
    arrays = {
        "image": numpy(best),
        "original": numpy(original),
        "score": numpy(made.score),
        "target": wanted.cpu().float().numpy(),
    }
    titles = [f"{row['before']} to {row['after']}" for row in table]
    return Result(
        "fool", "fooling", arrays, table, bytes_of(photo), {"titles": titles, "ended": made.ended}
    )


def _climb(
    fast: Model, probe: Probe, settings: Settings, original: Tensor, wanted: Tensor, seed: int
) -> tuple[OptimizationResult, _Watch, Tensor]:
    """From the photos towards the targets: the ascent, what was seen on the way, and the images to
    keep."""
    keys = ["fool"] * len(original)
    parameterization = _Eight(
        settings.parameterization(fast, len(original), RandomStreams.of(seed, keys), original)
    )
    watch = _Watch(probe, parameterization, wanted, original)
    goals = [objective("logit", target=index) for index in wanted.tolist()]
    with Probe(fast) as faster:
        made = optimize(
            faster,
            goals,
            parameterization,
            RandomStreams.of(seed, keys, fast.device),
            settings.config(),
            done=watch,
            what="fool",
        ).living()
        # An image is evaluated before the step that follows it, so the last one is missing.
        if made.ended is None:
            parameterization.seen = parameterization.shown
            watch(parameterization.shown, faster.output(fast.preprocess(parameterization.shown)))
    return (
        made,
        watch,
        torch.where((watch.taken >= 0)[:, None, None, None], watch.best, parameterization.shown),
    )


class _Watch:
    """Keeps each image at the first step at which the network says its target; true once all have
    done so.

    The climb is on a faster copy. Where that says the target, the network itself is asked
    (`probe`); by a hair it may not say so yet.
    """

    def __init__(
        self, probe: Probe, parameterization: _Eight, wanted: Tensor, original: Tensor
    ) -> None:
        self.probe, self.parameterization, self.wanted = probe, parameterization, wanted
        self.best = original.clone()
        self.taken = torch.full_like(wanted, -1)
        self.steps = 0

    def __call__(self, image: Tensor, output: Any) -> bool:
        model = self.probe.model
        found = ((model.scores(output).argmax(1) == self.wanted) & (self.taken < 0)).nonzero()[:, 0]
        if len(found):
            candidates = self.parameterization.seen[found]
            sure = self.probe.scores(model.preprocess(candidates)).argmax(1) == self.wanted[found]
            self.taken[found[sure]] = self.steps
            self.best[found[sure]] = candidates[sure]
        self.steps += 1
        return bool((self.taken >= 0).all())


class _Eight(nn.Module):
    """Images rounded to 8 bits, with the gradient of the unrounded ones; `seen` was last given to
    the network, `shown` was last asked for."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner
        self.shown = self.seen = torch.empty(0)

    def forward(self) -> Tensor:
        image: Tensor = self.inner()
        self.shown = ((image.detach() * 255).round() / 255).clamp(0, 1)
        if torch.is_grad_enabled() and image.requires_grad:
            self.seen = self.shown
        return image + (self.shown - image.detach())

    def project(self) -> None:
        self.inner.project()  # type: ignore[operator]


def _targets(model: Model, given: Any, before: Tensor) -> list[int]:
    if given is None:
        return [int(row.argmin()) for row in before]
    many = list(given) if isinstance(given, (list, tuple)) else [given] * len(before)
    if len(many) != len(before):
        raise TargetError(
            f"{len(many)} targets were given for {len(before)} photos; give one, or one for each."
        )
    return [find_class(model, each) for each in many]
