from __future__ import annotations

from convscope.core.quantities import pluralize
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.details import LayerTotals, TableDetails
from convscope.results.result import Result
from convscope.verbs._verb import verb


@verb
def layers(model: Model, *, match: str = "**") -> Result:
    """Every layer of a network: dotted name, kind, output shape, units and parameters, from one dry
    run.

    `result.table` has a row per layer in the order in which they finish (name, kind, shape, units,
    parameters, calls); `parameters` of a container count its children's. `result.details` has the
    totals.

    Args:
        model: what `load_model` takes.
        match: only layers whose name fits this pattern: `*` does not cross a dot, `**` does
            ("blocks.*" are the stages, "blocks.**" all that is inside them too).

    Example:
        convscope.layers(model, match="blocks.?")
        $ convscope layers --match "blocks.?"
    """
    with Probe(model) as probe:
        layout = probe.layers
    matching = [layout[name] for name in layout.match(match)]
    table = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "shape": " x ".join(map(str, layer.shape)),
            "units": layer.units,
            "parameters": layer.parameters,
            "calls": layer.calls,
        }
        for layer in matching
    ]
    totals = LayerTotals(
        layers=len(table),
        units=sum(layer.units for layer in matching),
        parameters=layout.parameters,
    )
    title = f"{model.name}: {pluralize(len(table), 'layer')}, {layout.parameters:,} parameters"
    return Result("layers", TableDetails(title=title, totals=totals), table=table)
