"""The modules of a network by name, and the network held still."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn


class ModuleIndex:
    """All modules of a network by name, each once, the network itself as "": as `named_modules()`
    has them.

    To ask whether it still fits costs a tenth of walking through the network.
    """

    def __init__(self, network: nn.Module) -> None:
        self.modules: dict[str, nn.Module] = dict(network.named_modules())
        self._children = [
            (module, dict(module._modules.items())) for module in self.modules.values()
        ]
        self.structure = tuple(
            (name, id(module), type(module).__name__) for name, module in self.modules.items()
        )
        """Stands for the modules and their names without holding the modules."""
        self.has_other_state = any(map(_has_other_state, map(type, self.modules.values())))
        """Whether a module keeps state elsewhere than in its parameters and buffers."""

    def is_current(self) -> bool:
        """Whether no module was added, taken away or exchanged since."""
        return all(module._modules == children for module, children in self._children)

    @property
    def tensors(self) -> list[Tensor]:
        """All parameters and buffers, each once for every module that has it."""
        tensors: list[Tensor | None] = []
        for module in self.modules.values():
            if module._parameters:
                tensors += module._parameters.values()
            if module._buffers:
                tensors += module._buffers.values()
        return [tensor for tensor in tensors if tensor is not None]

    @contextmanager
    def evaluation_mode(self) -> Iterator[None]:
        """The network in evaluation mode with all weights frozen; every flag is put back at the
        end, whatever happens.

        The flags are set one by one, since a network may do more in its own `train()` and
        `requires_grad_()`; and only where they differ, since setting an attribute of a module costs
        more than reading it.
        """
        modes = [module.training for module in self.modules.values()]
        weights = {
            id(weight): weight
            for module in self.modules.values()
            if module._parameters
            for weight in module._parameters.values()
            if weight is not None
        }
        flags = [(weight, weight.requires_grad) for weight in weights.values()]
        try:
            self._set_modes([False] * len(modes))
            for weight, required in flags:
                if required:
                    weight.requires_grad = False
            yield
        finally:
            self._set_modes(modes)
            for weight, required in flags:
                if weight.requires_grad != required:
                    weight.requires_grad = required

    def _set_modes(self, modes: Sequence[bool]) -> None:
        """The training flag of each module."""
        for module, training in zip(self.modules.values(), modes, strict=True):
            if module.training == training:
                continue
            attributes = module.__dict__
            if "training" in attributes:
                attributes["training"] = training
            else:  # a scripted module keeps it elsewhere
                module.training = training


def _has_other_state(kind: type[nn.Module]) -> bool:
    """Whether a kind of module says itself what a file of its weights holds."""
    return (
        kind._save_to_state_dict is not nn.Module._save_to_state_dict
        or kind.get_extra_state is not nn.Module.get_extra_state
    )
