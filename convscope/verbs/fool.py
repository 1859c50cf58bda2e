from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor

from convscope.core.ranges import (
    Seed,
)
from convscope.errors import TargetError
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.questions.target import find_class
from convscope.results.arrays import to_numpy
from convscope.results.details import FoolingDetails
from convscope.results.provenance import Row
from convscope.results.result import Result
from convscope.synthesis.eight_bit import EightBit, rounded
from convscope.synthesis.objective import objective
from convscope.synthesis.optimize import optimize
from convscope.synthesis.overrides import TransformOverrides
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.result import OptimizationResult
from convscope.synthesis.settings import Settings
from convscope.verbs._synthesis import add_snapshots, notes_of, seen_by
from convscope.verbs._verb import PhotoLike, bytes_of, verb


@verb
def fool(
    model: Model,
    photo: PhotoLike,
    *,
    target: int | str | Sequence[int | str] | None = None,
    preset: str = "cs231n",
    half: bool = False,
    seed: Seed = 0,
    **overrides: Unpack[TransformOverrides],
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
        preset: cs231n (normalized gradient), plain (rate 200 on the gradient itself), or minimal
            (the smallest change: raises the log-probability, then goes back towards the photo for
            as long as it fools).
        steps: at most so many steps.
        half: climb in bfloat16; the network is asked in full precision before an image counts as
            fooling.
        seed: of the one random generator; the published presets draw nothing.

    Raises:
        TargetError: no such class, or as many targets as there are not photos.

    Example:
        convscope.fool(model, "cat.jpg", target="stingray")
        $ convscope fool cat.jpg --target stingray --out fooled.png
    """
    settings = Settings(preset, "fool", model.preprocessing, size=model.size, **overrides)
    with Probe(model) as probe:
        original = rounded(seen_by(probe, photo))
        before = model.probabilities(probe.scores(model.preprocess(original)))
        targets = _targets(probe, target, before)
        watch, optimization = _fool(probe, settings, original, targets, seed, half)
        image = watch.images()
        after = model.probabilities(probe.scores(model.preprocess(image)))
        table = _table(probe, watch, settings.steps, before, after, image - original)
    arrays = {
        "image": to_numpy(image),
        "original": to_numpy(original),
        "score": to_numpy(optimization.score),
        "target": targets.cpu().float().numpy(),
    }
    titles = [f"{row['before']} to {row['after']}" for row in table]
    details = FoolingDetails(
        titles=titles,
        ended=optimization.early_stop,
        snapshots=add_snapshots(arrays, optimization.snapshots),
        preset=settings.title,
        notes=notes_of(table),
    )
    return Result("fool", details, arrays, table, bytes_of(photo))


def _fool(
    probe: Probe,
    settings: Settings,
    original: Tensor,
    targets: Tensor,
    seed: int,
    half: bool,
) -> tuple[_Watch, OptimizationResult]:
    """From the photos towards the targets, on a faster copy of the network."""
    streams = RandomStreams.of(seed, ["fool"] * len(original), original.device)
    image = EightBit(settings.parameterization(probe, len(original), streams, original))
    watch = _Watch(probe, image, targets)
    kind = settings.preset.objective or "logit"
    objectives = [objective(kind, target=index) for index in targets.tolist()]
    with Probe(inference_copy(probe.model, half=half)) as fast_probe:
        result = optimize(
            fast_probe,
            objectives,
            image,
            streams,
            settings.config,
            stop_condition=watch,
            task="fool",
        ).require_gradient()
        # An image is evaluated before the step that follows it, so the last one is missing.
        if result.early_stop is None:
            image.evaluated = image.shown
            watch(image.shown, fast_probe.output(probe.model.preprocess(image.shown)))
    watch.shrink(original, settings.preset.bisections)
    return watch, result


class _Watch:
    """Keeps each image at the first step at which the network says its target; True once all have
    done so.

    The optimization runs on a faster copy. Where that says the target, the network itself is asked:
    by a hair it may not say so yet. `fooled_at` (n) is that step, -1 before.
    """

    def __init__(self, probe: Probe, image: EightBit, targets: Tensor) -> None:
        self.probe, self.image, self.targets = probe, image, targets
        self.fooled_at = torch.full_like(targets, -1)
        self.kept = image().detach().clone()
        self.steps = 0

    def __call__(self, image: Tensor, output: object) -> bool:
        model = self.probe.model
        says_target = model.scores(output).argmax(1) == self.targets
        places = (says_target & (self.fooled_at < 0)).nonzero()[:, 0]
        if len(places):
            candidates = self.image.evaluated[places]
            answers = self.probe.scores(model.preprocess(candidates)).argmax(1)
            confirmed = answers == self.targets[places]
            self.fooled_at[places[confirmed]] = self.steps
            self.kept[places[confirmed]] = candidates[confirmed]
        self.steps += 1
        return bool((self.fooled_at >= 0).all())

    def shrink(self, original: Tensor, bisections: int) -> None:
        """Make the changes smaller: the images move back towards the photos for as long as they
        fool, halving the distance in question each time."""
        places = (self.fooled_at > 0).nonzero()[:, 0]
        start, change = original[places], (self.kept - original)[places]
        fails = torch.zeros(len(places), 1, 1, 1, device=original.device)
        fools = torch.ones_like(fails)
        for _ in range(bisections if len(places) else 0):
            share = (fails + fools) / 2
            candidates = rounded(start + share * change)
            answers = self.probe.scores(self.probe.model.preprocess(candidates)).argmax(1)
            confirmed = answers == self.targets[places]
            self.kept[places[confirmed]] = candidates[confirmed]
            fools = torch.where(confirmed.view(-1, 1, 1, 1), share, fools)
            fails = torch.where(confirmed.view(-1, 1, 1, 1), fails, share)

    def images(self) -> Tensor:
        """The fooling images, and the last ones where the network was not fooled."""
        is_fooled = (self.fooled_at >= 0)[:, None, None, None]
        return torch.where(is_fooled, self.kept, self.image.shown)


def _table(
    probe: Probe, watch: _Watch, steps: int, before: Tensor, after: Tensor, change: Tensor
) -> list[Row]:
    """A row for each photo: whether it was fooled, both answers, and the size of the change."""
    label = probe.model.label
    rows: list[Row] = []
    for place, fooled_at in enumerate(watch.fooled_at.tolist()):
        first, last = int(before[place].argmax()), int(after[place].argmax())
        row: Row = {
            "photo": place,
            # An answer that was the target from the start is nobody's fault.
            "fooled": fooled_at >= 0 and first != last,
            "steps": fooled_at if fooled_at >= 0 else steps,
            "target": label(int(watch.targets[place])),
            "before": label(first),
            "before_probability": float(before[place].max()),
            "after": label(last),
            "after_probability": float(after[place].max()),
            "l2": float(change[place].norm()),
            "linf": float(change[place].abs().max()),
        }
        rows.append(row | {"note": _note(row)})
    return rows


def _note(row: Row) -> str:
    """What went wrong with a photo, in one sentence; nothing where the network was fooled."""
    if row["fooled"]:
        return ""
    if row["before"] == row["target"]:
        return f"The network says {row['target']} already, so there is nothing to fool."
    if row["linf"] == 0:
        return (
            f"Not fooled in {row['steps']} steps: nothing of the change is left at 8 bits; a larger"
            " rate may help."
        )
    return (
        f"Not fooled in {row['steps']} steps: the network still says {row['after']}; more steps or"
        " another rate may help."
    )


def _targets(
    probe: Probe, target: int | str | Sequence[int | str] | None, before: Tensor
) -> Tensor:
    """The class that each photo should be taken for (n)."""
    if target is None:
        return before.argmin(1)
    targets = [target] * len(before) if isinstance(target, (int, str)) else list(target)
    if len(targets) != len(before):
        raise TargetError(
            f"{len(targets)} targets were given for {len(before)} photos; give one, or one for"
            " each."
        )
    return torch.tensor([find_class(probe.model, each) for each in targets], device=before.device)
