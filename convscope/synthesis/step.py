"""One evaluation of a batch of images: transform, run the network as far as needed, score, and
subtract penalties."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from convscope.errors import ImageError, ModelError, NoGradientError, OptionError, shortened
from convscope.probe import Probe
from convscope.probe.backward_rules import backward_rule
from convscope.probe.memory import NoRoomError
from convscope.questions.target import Target
from convscope.synthesis import regularizers
from convscope.synthesis.config import PartSpec, PenaltySpec
from convscope.synthesis.evaluate import evaluate
from convscope.synthesis.objective import Objective
from convscope.synthesis.objectives import ForwardPass, Maps
from convscope.synthesis.questions import question_texts
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.tiles import gradient_in_tiles
from convscope.synthesis.transforms import apply


class OptimizationStep:
    """Scores a batch of images by their objectives, and gives the gradient at the images.

    `output` is what the network returned last, where an objective reads it. `has_gradient` says of
    which images the objective's own score had a gradient at the image, penalties and redirection
    left aside.
    """

    def __init__(
        self,
        probe: Probe,
        objectives: Sequence[Objective],
        streams: RandomStreams,
        transforms: Sequence[PartSpec] = (),
        penalties: Sequence[PenaltySpec] = (),
        reference: Mapping[str, Tensor] | None = None,
        questions: Mapping[str, Target] | None = None,
    ) -> None:
        if questions is None:  # photos that they name are read once
            texts = question_texts(objectives)
            questions = {text: Target.of_any_image(probe.model, text) for text in texts}
        self.questions = questions
        self.probe, self.objectives, self.streams = probe, objectives, streams
        self.transforms, self.penalties, self.reference = transforms, penalties, reference or {}
        self.layers = list(
            dict.fromkeys(name for objective in objectives for name in objective.layers)
        )
        self.reads_output = any(objective.reads_output for objective in objectives)
        self.resizes = False
        self.output: object = None
        self.has_gradient = torch.zeros(len(objectives), dtype=torch.bool)
        self._network_input: Tensor | None = None

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The score less penalties, and the score alone (both n); differentiable."""
        transformed = apply(image, self.streams, self.transforms)
        if not self.resizes:
            try:
                maps = self._run(transformed)
            except ImageError:
                self.resizes = self._can_resize(transformed)
                if not self.resizes:
                    raise
            except NoRoomError:  # as large an image as a network of a fixed size never runs on
                self.resizes = not self._takes_larger()
                if not self.resizes:
                    raise
        if self.resizes:
            transformed = nn.functional.interpolate(
                transformed, self.probe.model.size, mode="bilinear", align_corners=False
            )
            maps = self._run(transformed)
        score = self._score(transformed, maps, copies=len(transformed) // len(image))
        return self._less_penalties(score, image), score

    def _run(self, image: Tensor) -> Maps:
        """The activations that the objectives read."""
        # In the memory order in which a prepared network's convolutions run.
        self._network_input = self.probe.model.preprocess(image).contiguous(
            memory_format=torch.channels_last
        )
        return self._activations(self._network_input)

    def _can_resize(self, image: Tensor) -> bool:
        """Whether an image that the network refused may be shown to it at the network's own size.

        Some networks take their own size only (plain ViT, flattened heads), or multiples of a
        window; where others refuse an image it is too small for them.
        """
        size = self.probe.model.size
        if tuple(image.shape[-2:]) == tuple(size):
            return False
        is_smaller = any(
            side < network_side for side, network_side in zip(image.shape[-2:], size, strict=True)
        )
        return not (is_smaller and self._takes_larger())

    def _activations(self, network_input: Tensor) -> Maps:
        if self.reads_output:
            maps, self.output = self.probe.activations_and_output(network_input, self.layers)
        else:
            maps = self.probe.activations(network_input, self.layers)
        for tensor in maps.values():
            # An objective that picks channels makes its gradient in the other memory order, and
            # every layer before would follow it.
            if tensor.requires_grad and tensor.is_contiguous(memory_format=torch.channels_last):
                tensor.register_hook(_channels_last)  # type: ignore[no-untyped-call]
        return Maps(maps)

    def _score(self, image: Tensor, maps: Maps, copies: int) -> Tensor:
        """Each image's score, the mean over its copies."""
        reference = _Reference(
            {name: _resized(tensor, maps, name, copies) for name, tensor in self.reference.items()}
        )
        objectives = [objective for objective in self.objectives for _ in range(copies)]
        questions = {
            text: target.repeat(copies) if len(target) > 1 else target
            for text, target in self.questions.items()
        }
        forward = ForwardPass(self.probe.model, image, maps, self.output, reference, questions)
        return evaluate(objectives, forward).view(-1, copies).mean(1)

    def _less_penalties(self, score: Tensor, image: Tensor) -> Tensor:
        """The scores less what is penalized in the images."""
        value = score
        for name, weight, options in self.penalties:
            traits = regularizers.registry.traits(name)
            subject = self.probe.model.preprocess(image) if traits.network_units else image
            penalty = regularizers.registry.get(name)(subject, **options)
            value = value - weight * traits.scale * penalty
        return value

    def gradient(
        self, image: Tensor, tile: int | None = None, *, redirect: bool = False
    ) -> tuple[Tensor, Tensor]:
        """The score (n) and the gradient of score less penalties at the image (n c h w); with
        `tile`, no more than so large a piece at once.

        With `redirect`, an image that no gradient reaches is evaluated once more with closed ReLUs
        letting it through, on the same random numbers.

        Raises:
            NoGradientError: no objective depends on the image.
        """
        self.has_gradient = torch.zeros(len(image), dtype=torch.bool, device=image.device)
        state = self.streams.get_state() if redirect else None
        score, gradient = gradient_in_tiles(self._gradient, image, tile, self.streams)
        if state is not None and not bool(self.has_gradient.all()):
            has_gradient = self.has_gradient
            self.streams.set_state(state)
            with backward_rule("redirected", required=False):
                redirected = gradient_in_tiles(self._gradient, image, tile, self.streams)[1]
            gradient = torch.where(has_gradient.view(-1, 1, 1, 1), gradient, redirected)
            self.has_gradient = has_gradient
        return score, gradient

    def _gradient(self, image: Tensor) -> tuple[Tensor, Tensor]:
        leaf = image.clone().requires_grad_()
        value, score = self(leaf)
        network_input, at_input = self._network_input, None
        if value.requires_grad and network_input is not None:
            gradient, at_input = torch.autograd.grad(
                value.sum(), [leaf, network_input], allow_unused=True
            )
        if at_input is None:
            raise NoGradientError(
                f"{shortened(self.objectives[0])} does not depend on the image, so there is nothing"
                " to climb."
            )
        self.has_gradient = self.has_gradient | _is_nonzero(at_input, len(image))
        self._network_input = None
        return score.detach(), gradient

    def _takes_larger(self) -> bool:
        """Whether the network runs on an image larger than its own size."""
        model = self.probe.model
        height, width = (side + side // 2 for side in model.size)
        gray = torch.full((1, model.channels, height, width), 0.5)
        try:
            self.probe.output(model.preprocess(gray))
        except (ImageError, ModelError):
            return False
        return True


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


def _is_nonzero(gradient: Tensor, images: int) -> Tensor:
    """Which images have a gradient other than 0 (or one that is no number); `gradient` may hold
    several crops of each."""
    is_nonzero = (gradient.amax((1, 2, 3)) != 0) | (gradient.amin((1, 2, 3)) != 0)
    return is_nonzero.view(images, -1).any(1)


class _Reference(dict[str, Tensor]):
    """Maps of a reference photo by layer; asking where there is none is an error of the user's."""

    def __missing__(self, name: str) -> Tensor:
        raise OptionError(
            f"The objective compares with a photo's maps at {name!r}, but no photo was given; pass"
            " photo=."
        )


def _resized(reference: Tensor, maps: Mapping[str, Tensor], name: str, copies: int) -> Tensor:
    """A photo's maps, for copies of each image and at the size that transforms leave them."""
    if len(reference) > 1 and copies > 1:
        reference = reference.repeat_interleave(copies, 0)
    if name in maps and reference.shape[-2:] != maps[name].shape[-2:]:
        reference = nn.functional.interpolate(
            reference, maps[name].shape[-2:], mode="bilinear", align_corners=False
        )
    return reference
