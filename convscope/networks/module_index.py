"""The modules of a network by name, and the network held still."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


class ModuleIndex:
    """All modules of a network by name, each once, the network itself as "": as `named_modules()`
    has them.

    To ask whether it still fits costs a tenth of walking through the network.
    """

    def __init__(self, network: nn.Module) -> None:
        self.modules: dict[str, nn.Module] = {}
        seen: set[int] = set()

        def visit(module: nn.Module, name: str) -> None:
            if id(module) in seen:
                return
            seen.add(id(module))
            self.modules[name] = module
            for child, inner in module._modules.items():
                if inner is not None:
                    visit(inner, f"{name}.{child}" if name else child)

        visit(network, "")
        self._children = [
            (module, dict(module._modules.items())) for module in self.modules.values()
        ]
        self.structure = tuple(
            (name, id(module), type(module).__name__) for name, module in self.modules.items()
        )
        """Stands for the modules and their names without holding the modules."""
        self.has_other_state = any(map(_has_other_state, map(type, self.modules.values())))
        """Whether a module keeps state elsewhere than in its parameters and buffers."""

    def fits(self, network: nn.Module) -> bool:
        """Whether it is of this network, and no module was added, taken away or exchanged since."""
        return self.modules[""] is network and all(
            module._modules == children for module, children in self._children
        )


@contextmanager
def evaluation_mode(module_index: ModuleIndex) -> Iterator[None]:
    """The network in evaluation mode with all weights frozen; every flag is put back at the end,
    whatever happens.

    The flags are set one by one, since a network may do more in its own `train()` and
    `requires_grad_()`; and only where they differ, since setting an attribute of a module costs
    more than reading it.
    """
    modes = [(module, module.training) for module in module_index.modules.values()]
    weights = {
        id(weight): weight
        for module, _ in modes
        if module._parameters
        for weight in module._parameters.values()
        if weight is not None
    }
    wanted = [(weight, weight.requires_grad) for weight in weights.values()]
    try:
        for module, training in modes:
            if training:
                _set_mode(module, False)
        for weight, required in wanted:
            if required:
                weight.requires_grad = False
        yield
    finally:
        for module, training in modes:
            if module.training != training:
                _set_mode(module, training)
        for weight, required in wanted:
            if weight.requires_grad != required:
                weight.requires_grad = required


def _set_mode(module: nn.Module, training: bool) -> None:
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
