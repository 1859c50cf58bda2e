"""A network held still, and one forward pass of it: foreign errors become one sentence, and an
early stop is no error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from convscope.errors import ConvscopeError, ImageError, ModelError
from convscope.networks.layer import Layers
from convscope.networks.model import Model
from convscope.probe.capture import Capture, StopForward
from convscope.probe.memory import is_out_of_memory, require_room


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
        require_room(self.model, len(image), size, gradients=image.requires_grad)
        try:
            with torch.autocast(image.device.type, torch.bfloat16, enabled=self.model.half):
                return self.model(image)
        except StopForward:
            if stop:
                return None
            raise
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            raise self._translated(error, image) from error

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
