"""A flat graph of operations as a network with layers: every operation becomes a module that hooks
fit on."""

from __future__ import annotations

import operator
from collections.abc import Callable

from torch import fx, nn


class Operation(nn.Module):
    """One operation of a graph."""

    def __init__(self, run: Callable[..., object]) -> None:
        super().__init__()
        self.run = run

    def forward(self, *args: object, **kwargs: object) -> object:
        """What the operation gives."""
        return self.run(*args, **kwargs)

    def _get_name(self) -> str:
        return str(getattr(self.run, "__name__", self.run)).partition(".")[0]


def operations_as_modules(graph: fx.GraphModule) -> dict[str, nn.Module]:
    """Turn each operation of a graph into a module, in place; layer name -> module.

    An operation with weights has the name of the module they belonged to ("layer1.0.conv1"), any
    other its own.
    """
    modules: dict[str, nn.Module] = {}
    for node in list(graph.graph.nodes):
        if node.op != "call_function" or node.target is operator.getitem:
            continue
        owners = [
            str(input_node.target).rpartition(".")[0]
            for input_node in node.all_input_nodes
            if input_node.op == "get_attr"
        ]
        name = owners[0] if owners and owners[0] and owners[0] not in modules else node.name
        place = f"operation_{len(modules)}"
        modules[name] = Operation(node.target)
        graph.add_submodule(place, modules[name])
        node.op, node.target = "call_module", place
    graph.recompile()
    return modules
