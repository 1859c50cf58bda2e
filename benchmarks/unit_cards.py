"""Are the units of the last layer called by their classes' names?

    python -m benchmarks.unit_cards PHOTOS

PHOTOS is a folder of photos with labels.csv (file, imagenet_index) and the object's mask in the
alpha channel. The sample photos that come with scikit-image are put beside them, without labels.
The unit of every class that occurs is right where its card bears the class's name.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path

import convscope
from convscope import atlas
from convscope.photos.samples import SAMPLES


def write_photos(source: Path, folder: Path) -> list[int]:
    """The photos as opaque pictures, the samples, and beside the folder a table of labels, which
    are the numbers of the classes; these."""
    import numpy as np
    from PIL import Image

    with (source / "labels.csv").open(newline="") as file:
        labels = {row["file"]: row["imagenet_index"] for row in csv.DictReader(file)}
    for name in labels:
        # The alpha channel is a mask, and not to be composited.
        pixels = np.asarray(Image.open(source / name).convert("RGBA"))
        Image.fromarray(np.ascontiguousarray(pixels[:, :, :3])).save(folder / name)
    for name, load in SAMPLES.items():
        Image.fromarray(load()).convert("RGB").save(folder / f"sample-{name}.png")
    with (folder.parent / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("photo", "label"), *labels.items()])
    return sorted({int(label) for label in labels.values()})


def measure(source: Path) -> tuple[int, int]:
    """How many classes' units bear the right name, and how many classes occur."""
    model = convscope.load_model()
    with tempfile.TemporaryDirectory() as place:
        photos, out = Path(place, "photos"), str(Path(place, "atlas"))
        photos.mkdir()
        classes = write_photos(source, photos)
        table = str(photos.parent / "labels.csv")
        atlas.cards(model, str(photos), out, layers="head", labels=table, judge="none", silenced=0)
        names = {row["unit"]: row["name"] for row in atlas.open(out).all_cards()}
    for index in classes:
        print(f"{index:4d} {model.label(index)}: {names[index] or 'no name'}")
    return sum(names[index] == model.label(index) for index in classes), len(classes)


def main() -> None:
    """Print the names and the share that is right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    right, total = measure(parser.parse_args().photos)
    print(f"{right} of {total} classes ({right / total:.0%})")


if __name__ == "__main__":
    main()
