"""Concepts of photos: how many are enough, how stable they are, and whether the important ones
matter, beside CRAFT's authors' code (craft-xai) and Overcomplete, where these are installed; and
TCAV beside Captum's.

    python -m benchmarks.concepts FOLDER writes concepts.json and concepts.md in docs/

Each photo is asked about the network's top prediction. Every number is a mean over five seeds, the
same for all rows. `pip install --no-deps craft-xai overcomplete` brings the two others.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import convscope
from benchmarks import captum_tcav
from benchmarks._peers import require_peers
from benchmarks.concept_oracles import Oracle, oracles
from convscope.concepts.stability import STABLE, stability
from convscope.core.files import write_whole
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.verbs._concept_layer import ConceptLayer
from convscope.verbs._verb import network_input

Method = Literal["nmf", "ice", "craft", "semi_nmf", "pca", "sparse_autoencoder"]
METHODS: tuple[Method, ...] = ("nmf", "ice", "craft", "semi_nmf", "pca", "sparse_autoencoder")
FEWER: tuple[Method, ...] = ("nmf", "craft")
"""On the network after the first, beside CRAFT's authors' code alone."""

NETWORKS = {
    "EfficientNet-Lite0": "embedded",
    "EfficientNet-Lite1": "embedded:efficientnet_lite1",
}
SEEDS = 5
AUTHORS = "CRAFT's authors' code"
DOCS = Path(__file__).parent.parent / "docs"

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Row:
    """One method at one number of concepts: means over the seeds, and the mean matched cosine of
    two of them."""

    name: str
    kept: float
    error: float
    stability: float
    deletion: float
    insertion: float

    def line(self) -> str:
        """Its line of the page's table."""
        numbers = [f"{self.kept:.0%}", f"{self.error:.2f}", f"{self.stability:.2f}"]
        numbers += [f"{self.deletion:.3f}", f"{self.insertion:.3f}"]
        return f"| {self.name} | " + " | ".join(numbers) + " |"


def main() -> None:
    """Measure, and write the data and the page."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("folder", type=Path, help="photos")
    options.add_argument("--quick", action="store_true", help="two seeds instead of five")
    options.add_argument("--networks", type=int, default=1, help="how many, in their order")
    options.add_argument(
        "--out", type=Path, help="of concepts.json and concepts.md; docs, with --quick build/quick"
    )
    arguments = options.parse_args()
    out: Path = arguments.out or (Path("build/quick") if arguments.quick else DOCS)
    if arguments.quick and out.resolve() == DOCS.resolve():
        options.error("--quick measures less and does not write into docs; give another --out")
    require_peers("concepts")
    photos = [Image.open(path).convert("RGB") for path in sorted(arguments.folder.glob("*.png"))]
    seeds = 2 if arguments.quick else SEEDS
    data: dict[str, Any] = {"photos": len(photos), "seeds": seeds, "networks": []}
    for name, spec in list(NETWORKS.items())[: arguments.networks]:
        methods = METHODS if not data["networks"] else FEWER
        network = measured_network(name, spec, photos, methods, seeds)
        network["rows"] += stored_rows_of_absent(network, out / "concepts.json")
        data["networks"].append(network)
    data["tcav"] = asdict(captum_tcav.agreement(convscope.load_model(), photos))
    write_whole(out / "concepts.json", (json.dumps(data, indent=1) + "\n").encode())
    write_whole(out / "concepts.md", markdown(data).encode())


def measured_network(
    name: str, spec: str, photos: list[Image.Image], methods: tuple[Method, ...], seeds: int
) -> dict[str, Any]:
    """All rows of one network at its last layer with places, and the number of concepts that is
    enough there."""
    model = convscope.load_model(spec)
    chosen = convscope.concepts(model, photos, method="nmf", count=None)
    count = len(chosen["directions"])
    print(f"{name}: {count} concepts of nmf are enough", flush=True)
    rows = []
    for method in methods:
        rows.append(measured(model, photos, method, count, seeds))
        print(rows[-1].line(), flush=True)
    image = network_input(model, [convscope.load_image(photo) for photo in photos])
    with Probe(model) as probe:
        layer = ConceptLayer.read(probe, image, None, "nmf", {})
        known = oracles(layer)
        for title in [title for title in known if methods == METHODS or title == AUTHORS]:
            oracle = known[title]
            rows.append(measured_oracle(layer, title, oracle, count, seeds))
            print(rows[-1].line(), flush=True)
    return {
        "name": name,
        "layer": str(chosen.details["layer"]),
        "count": count,
        "curve": [[int(number), float(kept)] for number, kept in chosen["curve"].tolist()],
        "rows": [asdict(row) for row in rows],
    }


def stored_rows_of_absent(network: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    """The rows of packages that are not installed here, as an earlier run left them for the same
    number of concepts; it is said which."""
    if not path.is_file():
        return []
    stored = json.loads(path.read_text())["networks"]
    measured = {row["name"] for row in network["rows"]}
    rows = [
        row
        for earlier in stored
        if (earlier["name"], earlier["count"]) == (network["name"], network["count"])
        for row in earlier["rows"]
        if row["name"] not in measured and row["name"] not in METHODS
    ]
    for row in rows:
        print(f"{row['name']} is not installed; its stored row stays.", flush=True)
    return rows


def measured(
    model: Model, photos: list[Image.Image], method: Method, count: int, seeds: int
) -> Row:
    """A method of `concepts`, through the verb."""
    runs = [
        convscope.concepts(model, photos, method=method, count=count, importance=True, seed=seed)
        for seed in range(seeds)
    ]
    return Row(
        method,
        float(np.mean([run["kept"][0] for run in runs])),
        float(np.mean([run["error"][0] for run in runs])),
        stability([run["directions"] for run in runs])[0],
        float(np.mean([area(run["deletion"]) for run in runs])),
        float(np.mean([area(run["insertion"]) for run in runs])),
    )


def measured_oracle(layer: ConceptLayer, title: str, oracle: Oracle, count: int, seeds: int) -> Row:
    """Another package on the same photos, layer and number."""
    runs = [oracle(count, seed) for seed in range(seeds)]
    length = float(np.linalg.norm(layer.places))
    errors = [
        float(np.linalg.norm(layer.places - factors.reconstruction)) / length
        for factors, _, _, _ in runs
    ]
    return Row(
        title,
        float(np.mean([kept for _, kept, _, _ in runs])),
        float(np.mean(errors)),
        stability([factors.directions for factors, _, _, _ in runs])[0],
        float(np.mean([area(deletion) for _, _, deletion, _ in runs])),
        float(np.mean([area(insertion) for _, _, _, insertion in runs])),
    )


def area(curves: Floats) -> float:
    """The mean over photos of the area under curves (n k+1) over [0, 1]."""
    return float(np.trapezoid(curves, dx=1 / (curves.shape[1] - 1), axis=1).mean())


def markdown(data: dict[str, Any]) -> str:
    """docs/concepts.md."""
    tcav = captum_tcav.Agreement(**data["tcav"])
    lines = [
        "# Concepts, measured",
        "",
        "What [`concepts`](gallery/concepts.md) finds in a layer, beside the packages that do the"
        f" same, on {data['photos']} photos of {data['photos']} classes. Written by"
        " `python -m benchmarks.concepts FOLDER`.",
        "",
        *_goals(data, tcav),
    ]
    for number, network in enumerate(data["networks"]):
        lines += _network(network, data["seeds"], is_first=number == 0)
    lines += captum_tcav.markdown(tcav)
    return "\n".join(lines)


def _goals(data: dict[str, Any], tcav: captum_tcav.Agreement) -> list[str]:
    """What was wanted and what was measured on the first network."""
    network = data["networks"][0]
    rows = {row["name"]: Row(**row) for row in network["rows"]}
    count = network["count"]
    lines = ["| what | measured | wanted |", "|---|---|---|"]
    kept = dict(network["curve"])[count]
    lines += [
        f"| top predictions kept when the last stage is replaced by `nmf`'s {count} concepts |"
        f" {kept:.0%} | at least 95 % |"
    ]
    for title in (name for name in rows if name not in METHODS):
        ours: tuple[Method, ...] = ("nmf", "craft") if title == AUTHORS else ("nmf",)
        for name in ours:
            wanted = "lower" if title == AUTHORS else "no higher"
            lines.append(_duel(rows[name], rows[title], wanted))
    lines += [
        f"| mean matched cosine of `nmf` over {data['seeds']} seeds | {rows['nmf'].stability:.2f} |"
        f" at least {STABLE:g}, or it is called unstable |",
        f"| TCAV beside Captum's, share of {tcav.photos} photos | {tcav.verb:.3f} beside"
        f" {tcav.captum:.3f} | within 0.02 |",
        "",
        f"`{network['layer']}` of {network['name']}, the default network. Deletion: what is left of"
        " the top prediction's probability while concepts are taken away from the layer, the most",
        "important first (area under the curve; lower is better).",
        "",
    ]
    return lines


def _duel(ours: Row, theirs: Row, wanted: str) -> str:
    """The line of the page that compares deletion."""
    return (
        f"| deletion of `{ours.name}` beside {theirs.name} | {ours.deletion:.3f} beside"
        f" {theirs.deletion:.3f} | {wanted} |"
    )


def _network(network: dict[str, Any], seeds: int, *, is_first: bool) -> list[str]:
    """The section of one network."""
    rows = [Row(**row) for row in network["rows"]]
    count = network["count"]
    curve = [f"| {number} | {kept:.0%} |" for number, kept in network["curve"]]
    lines = [
        f"## {network['name']}, {count} concepts",
        "",
        f"Layer `{network['layer']}`, means over {seeds} seeds.",
        "",
        "| method | kept | error | stability | deletion (lower is better) |"
        " insertion (higher is better) |",
        "|---|---:|---:|---:|---:|---:|",
        *[row.line() for row in rows],
        "",
    ]
    if is_first:
        unstable = [row.name for row in rows if row.name in METHODS and row.stability < STABLE]
        lines += _explanation(unstable)
    lines += [
        f"`count=None` takes the smallest number that keeps 95 % of the top predictions: {count}"
        " for `nmf`. The numbers it tried:",
        "",
        "| concepts | top predictions kept |",
        "|---:|---:|",
        *curve,
        "",
    ]
    return lines


def _explanation(unstable: Sequence[str]) -> list[str]:
    """What the columns say, and why the two CRAFTs differ."""
    named = ", ".join(f"`{name}`" for name in unstable) or "none"
    return [
        "`kept` is the share of top predictions that stay when the layer is replaced by its",
        "reconstruction, `error` the relative error of that, `stability` the mean matched cosine of"
        " the",
        f"directions of two seeds (at least {STABLE:g} counts as stable; below it the result's note"
        " says so,",
        f"here of {named}). Deletion and insertion are areas under the curve of the top",
        "prediction's probability while concepts are taken away from the layer's activations, or",
        "put into their reconstruction, the most important of each photo first.",
        "",
        f"`craft` and {AUTHORS} have the same directions and coefficients up to the seed. What",
        "differs is the order: both weigh a concept by its total Sobol index, but an index of",
        "variance does not say whether a concept speaks for the answer or against it; `concepts`",
        "takes those against it away last. Overcomplete has no importance of its own: its",
        "concepts are ordered as ours. Directions that are learned from crops (CRAFT) fit the",
        "places of whole photos of many classes badly; CRAFT is meant for photos of one class.",
        "",
    ]


if __name__ == "__main__":
    main()
