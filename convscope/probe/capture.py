"""What the hooks of one run bring back, and how they end it early."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence

from torch import Tensor, nn

from convscope.errors import LayerError
from convscope.networks.concept_layer import module_and_call
from convscope.networks.layer import Layers
from convscope.networks.layout import first_tensor, replace_first


class StopForward(BaseException):
    """Raised in a hook when nothing more of the network is wanted; no `except Exception` in a
    network catches it."""


class Capture:
    """What the hooks of one run bring back: the output of the wanted call of each wanted layer.

    Args:
        leaves: outputs that become leaves of the graph, so that gradients can be asked for there.
        complete: the network runs to its end, also when nothing more is missing.
    """

    def __init__(
        self, names: Sequence[str], layers: Layers, *, leaves: Collection[str], complete: bool
    ) -> None:
        self.leaves = frozenset(leaves)
        self.complete = complete
        self.outputs: dict[str, Tensor] = {}
        self.wanted: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
        for name in names:
            calls = layers[name].calls
            base, call = module_and_call(name)
            self.wanted[base][call or calls].append(name)
        self.bases = list(self.wanted)
        self.missing = set(names)
        self.calls: dict[str, int] = dict.fromkeys(self.bases, 0)

    def hook(self, base: str) -> Callable[[nn.Module, object, object], object]:
        """The forward hook of one layer."""

        def record(module: nn.Module, inputs: object, output: object) -> object:
            self.calls[base] += 1
            names = self.wanted[base].get(self.calls[base])
            if names is None:
                return None
            tensor = first_tensor(output)
            if tensor is None:
                raise LayerError(
                    f"Layer {base!r} gives {type(output).__name__} without a tensor in it, so there"
                    " is nothing to look at."
                )
            if not tensor.requires_grad and self.leaves.intersection(names):
                tensor = tensor.detach().requires_grad_()
            self.outputs |= dict.fromkeys(names, tensor)
            self.missing -= set(names)
            if not self.missing and not self.complete:
                raise StopForward
            # The network goes on with a copy: an in-place operation that follows must not change
            # what was captured.
            return replace_first(output, tensor.clone())

        return record

    def take(self, name: str) -> Tensor:
        """The captured raw output.

        Raises:
            LayerError: the layer did not run.
        """
        if name not in self.outputs:
            raise LayerError(
                f"Layer {name!r} did not run on this image, so there is nothing to look at."
            )
        return self.outputs[name]
