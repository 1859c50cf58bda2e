"""What an audit reports of flaws that were planted, and how fast its first pass is.

    python -m benchmarks.audit planted                  four cases on a small network, minutes
    python -m benchmarks.audit planted --embedded       the same with a head on the embedded network
    python -m benchmarks.audit rate [--photos 2048]     the pass against the bare forward

The cases (see `benchmarks/planted_photos.py`): a tag in the corner of one class, a class that only
its background tells, five swapped labels in a hundred, and clean photos. Each network is trained on
photos with the flaw and audited on others.
"""

from __future__ import annotations

import argparse
import copy
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import convscope
from benchmarks.planted_photos import CLASSES, PLACED, Flaw, PlantedPhoto, photos, write
from convscope.atlas.engines import Engine
from convscope.atlas.scan import listing
from convscope.audit.forward_pass import ForwardPass
from convscope.audit.labels import read_labels
from convscope.networks.model import Model
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe
from convscope.results.details import AuditDetails
from convscope.results.result import Result

SMALL_SIDE, EMBEDDED_SIDE = 48, 160
TRAINING, AUDITED, SWAPPED = 1500, 360, 100
EPOCHS = 14
TAG_SHARE = 0.4
"""Of the audited photos of the class with the tag; in training all of them have it."""


def images(planted: list[PlantedPhoto]) -> Tensor:
    """Photos as n 3 h w in [0, 1]."""
    pixels = np.stack([photo.image for photo in planted])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def small_network(planted: list[PlantedPhoto], seed: int) -> Model:
    """Four convolutions, trained from scratch."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after, stride in ((3, 16, 2), (16, 32, 1), (32, 48, 2), (48, 64, 1)):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, stride=stride),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    network = nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(CLASSES))
    )
    inputs, labels = images(planted) - 0.5, torch.tensor([photo.label for photo in planted])
    optimizer = torch.optim.Adam(network.parameters(), 4e-3)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(inputs)).split(64):
            loss = nn.functional.cross_entropy(network(inputs[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return convscope.load_model(
        network.eval(),
        size=(SMALL_SIDE, SMALL_SIDE),
        mean=(0.5, 0.5, 0.5),
        std=(1.0, 1.0, 1.0),
        labels=list(CLASSES),
    )


def embedded_network(planted: list[PlantedPhoto], seed: int) -> Model:
    """A linear head on the embedded network."""
    base = convscope.load_model()
    network = copy.deepcopy(base.network)
    network.classifier = nn.Identity()
    with torch.no_grad():
        features = torch.cat(
            [network(base.preprocess(batch)) for batch in images(planted).split(32)]
        )
    labels = torch.tensor([photo.label for photo in planted])
    torch.manual_seed(seed)
    head = nn.Linear(features.shape[1], len(CLASSES))
    optimizer = torch.optim.Adam(head.parameters(), 3e-3, weight_decay=1e-3)
    for _ in range(300):
        loss = nn.functional.cross_entropy(head(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.classifier = head
    known = base.preprocessing
    side = (EMBEDDED_SIDE, EMBEDDED_SIDE)
    return convscope.load_model(
        network.eval(), size=side, mean=known.mean, std=known.std, labels=list(CLASSES)
    )


def audited(
    model: Model, planted: list[PlantedPhoto], labels: list[int], folder: Path
) -> tuple[Result, list[str]]:
    """The audit of photos written to a folder, and the photos' names in order."""
    write(folder, planted, labels)
    names = [f"{CLASSES[label]}/{number:04d}.png" for number, label in enumerate(labels)]
    result = convscope.audit(
        model,
        str(folder / "photos"),
        out=str(folder / "audit.html"),
        masks=str(folder / "masks"),
        unit_steps=0,
    )
    return result, names


def of_kind(result: Result, kind: str) -> list[str]:
    """The subjects of the findings of one kind, in order."""
    findings = result.details_as(AuditDetails).findings
    return [finding.subject for finding in findings if finding.kind == kind]


def run_planted(embedded: bool, count: int, seed: int) -> None:
    """Print what is reported of each case."""
    side = EMBEDDED_SIDE if embedded else SMALL_SIDE
    train = embedded_network if embedded else small_network
    cases: tuple[tuple[str, Flaw], ...] = (
        ("clean", "none"),
        ("swapped labels", "none"),
        ("tag", "tag"),
        ("background", "background"),
    )
    networks: dict[Flaw, Model] = {}
    for name, flaw in cases:
        if flaw not in networks:
            networks[flaw] = train(photos(count, flaw=flaw, side=side, seed=seed + 1), seed)
        share = TAG_SHARE if flaw == "tag" else 1.0
        number = SWAPPED if name == "swapped labels" else AUDITED
        planted = photos(number, flaw=flaw, share=share, side=side, seed=seed + 2)
        labels = [photo.label for photo in planted]
        swapped: list[int] = []
        if name == "swapped labels":
            generator = np.random.default_rng(seed)
            swapped = generator.choice(number, 5, replace=False).tolist()
            for place in swapped:
                labels[place] = (labels[place] + int(generator.integers(1, 6))) % len(CLASSES)
        with tempfile.TemporaryDirectory() as scratch:
            result, names = audited(networks[flaw], planted, labels, Path(scratch))
            page = (Path(scratch) / "audit.html").read_text()
        print(f"{name:16s}accuracy {result['accuracy'][0]:.2f}; {verdict(name, result)}")
        if name == "swapped labels":
            worst = page[page.index("The worst mistakes") : page.index("Odd reasons")]
            listed = set(re.findall(r'alt="([\w/.]+png)"', worst))
            print(f"{'':16s}{sum(names[place] in listed for place in swapped)} of 5 on the page")
        if name == "tag":
            tagged = {names[at] for at, photo in enumerate(planted) if photo.is_planted}
            print(f"{'':16s}{purity_and_recall(result, tagged)}")


def verdict(name: str, result: Result) -> str:
    """What is reported, kind by kind."""
    reported = {kind: of_kind(result, kind) for kind in ("label", "reason", "background")}
    extra = f" (planted: {CLASSES[PLACED]})" if name == "background" else ""
    return "; ".join(f"{kind}: {subjects or 'nothing'}" for kind, subjects in reported.items()) + (
        extra
    )


def purity_and_recall(result: Result, tagged: set[str]) -> str:
    """Of the first odd group, in the photos that carry the tag."""
    reasons = of_kind(result, "reason")
    if not reasons:
        return "no odd reason"
    group = {row["photo"] for row in result.table if row["group"] == reasons[0]}
    shared = len(group & tagged)
    return f"first odd group: purity {shared / len(group):.2f}, recall {shared / len(tagged):.2f}"


def run_rate(count: int, repeats: int) -> None:
    """Photos a second of the first pass, and of the bare forward on the same photos in memory."""
    model = convscope.load_model()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch), photos(count, side=256, seed=0))
        source = source_of(str(Path(scratch) / "photos"))
        named = convscope.load_model(
            model.network, size=model.size, labels=list(model.labels or ())
        )
        labels = read_labels(named, source, [number % 2 for number in range(count)])
        image = model.preprocess(torch.rand(32, 3, *model.size))
        bare, audit = [], []
        for _ in range(repeats):
            started = time.perf_counter()
            with Probe(model) as probe:
                for _ in range(count // 32):
                    probe.scores(image)
            bare.append(count / (time.perf_counter() - started))
            forward = ForwardPass(model, source, labels, batch=32, half=False, run="rate")
            started = time.perf_counter()
            shards = listing.announce_ahead(listing.shards(source, ()), forward.announce)
            for _ in Engine("local", address=None, threads=None)(forward, shards, data=True):
                pass
            audit.append(count / (time.perf_counter() - started))
            forward.close()
    print(f"bare forward {max(bare):.1f} photos a second, first pass {max(audit):.1f}:")
    print(f"{max(audit) / max(bare):.2f} of the bare forward")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["planted", "rate"])
    parser.add_argument("--embedded", action="store_true")
    parser.add_argument("--training", type=int, default=TRAINING)
    parser.add_argument("--photos", type=int, default=2048)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.what == "planted":
        run_planted(arguments.embedded, arguments.training, arguments.seed)
    else:
        run_rate(arguments.photos, arguments.repeats)


if __name__ == "__main__":
    main()
