"""A network held still, and one forward pass of it: foreign errors become one sentence, and an
early stop is no error."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from convscope.core.quantities import format_bytes, pluralize
from convscope.errors import ConvscopeError, ImageError, ModelError
from convscope.networks.layer import Layers
from convscope.networks.memory_errors import is_out_of_memory
from convscope.networks.model import Model
from convscope.probe.capture import Capture, StopForward
from convscope.probe.memory import (
    UNCHECKED_VALUES,
    MemoryCost,
    NoRoomError,
    bytes_needed,
    free_memory,
)
from convscope.probe.memory_order import MemoryOrder


class Runner:
    """Holds a model still and runs it; another thread that wants the same network waits."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._stack = ExitStack()

    def __enter__(self) -> Runner:
        with ExitStack() as stack:
            stack.enter_context(self.model.state.memory.lock)
            stack.enter_context(self.held_still())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    @contextmanager
    def held_still(self) -> Iterator[None]:
        """The network in evaluation mode with frozen weights, where autograd may work."""
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode(False))
            if not self.model.is_frozen:
                memory = self.model.state.memory
                stack.enter_context(memory.evaluation_mode(self.model.module_index))
            yield

    @contextmanager
    def capture(
        self,
        names: Sequence[str],
        layers: Layers,
        *,
        leaves: Sequence[str] = (),
        complete: bool = False,
    ) -> Iterator[Capture]:
        """Hooks on the named layers for the length of the block; `Capture` says what they do."""
        capture = Capture(names, layers, leaves=leaves, complete=complete)
        modules = self.model.modules
        handles = []
        try:
            for base in capture.bases:
                handles.append(
                    modules[base].register_forward_hook(capture.hook(base), always_call=False)
                )
            yield capture
        finally:
            for handle in handles:
                handle.remove()

    def run(self, image: Tensor, *, stop: bool = False) -> object:
        """What the network returns for an input (n c h w), in bfloat16 where the model is set to
        it.

        Args:
            stop: hooks may end the run early; None is returned then.

        Raises:
            ImageError: the network cannot run on an image of this size.
            ModelError: it raised something else.
            OptionError: so many and so large images have no room in memory.
        """
        size = (image.shape[-2], image.shape[-1])
        self.require_room(len(image), size, gradients=image.requires_grad)
        try:
            with torch.autocast(image.device.type, torch.bfloat16, enabled=self.model.half):
                return self.model(self.in_order(image))
        except StopForward:
            if stop:
                return None
            raise
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            raise self._translated(error, image) from error

    def in_order(self, images: Tensor) -> Tensor:
        """Network inputs (n c h w) in a memory order that the network takes: the usual one, where
        it was not found out that it takes theirs."""
        model = self.model
        # A prepared copy works in this order, and was compared with its original.
        if images.is_contiguous() or model.is_frozen:
            return images
        known = model.state.memory.recall(MemoryOrder)
        is_taken = known is not None and known == MemoryOrder(model.state.structure, True)
        return images if is_taken else images.contiguous()

    def require_room(
        self, images: int, size: tuple[int, int], *, gradients: bool, optimized: bool = False
    ) -> None:
        """Refuse so many images of a size (height, width) where there is surely no room for them;
        `bytes_needed` says what `optimized` means.

        Raises:
            NoRoomError: they need more memory than is free.
        """
        model = self.model
        shape = (images, model.channels, *size)
        if math.prod(shape) <= UNCHECKED_VALUES:
            return
        cost = model.state.memory.recall(MemoryCost)
        needed = bytes_needed(cost, shape, gradients=gradients, optimized=optimized)
        free = free_memory(model.device)
        if free is not None and needed > free:
            height, width = size
            raise NoRoomError(
                f"{pluralize(images, 'image')} of {height:,} x {width:,} pixels need at least"
                f" {format_bytes(needed)} of memory in {model.name}, and {format_bytes(free)} are"
                " free; take a smaller size, or fewer images at once."
            )

    def _translated(self, error: Exception, image: Tensor) -> Exception:
        if isinstance(error, ConvscopeError) or is_out_of_memory(error):
            return error
        name, model_size = self.model.name, self.model.size
        size = " x ".join(map(str, image.shape[-2:]))
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if tuple(image.shape[-2:]) != tuple(model_size):
            return ImageError(
                f"{name} cannot run on an image of {size} (its own size is"
                f" {' x '.join(map(str, model_size))}): {reason}"
            )
        return ModelError(
            f"{name} raised {type(error).__name__} while it ran on an image of {size}: {reason}"
        )


def normal_tensor(image: Tensor) -> Tensor:
    """An image that autograd may work on, also when the caller made it under `inference_mode`."""
    return image.clone() if image.is_inference() else image
