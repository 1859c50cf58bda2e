from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convscope.atlas.engines import Engine
from convscope.atlas.store.summary import Summary
from convscope.atlas.unit_cards.card_run import CardRun, CardSettings
from convscope.core.interrupt import stopping
from convscope.core.ranges import NonNegativeInt, PositiveInt, Seed, Threads
from convscope.core.validation import checked
from convscope.networks.load import ModelLike
from convscope.networks.torch_settings import plain_torch_settings


@plain_torch_settings()
@checked("model", "labels")
def cards(
    model: ModelLike,
    images: str,
    out: str | Path,
    *,
    layers: str | Sequence[str] = "blocks.*",
    labels: str | Sequence[str] | None = None,
    masks: str | None = None,
    judge: str | None = "auto",
    silenced: NonNegativeInt = 4,
    seed: Seed = 0,
    batch: PositiveInt = 32,
    engine: str = "local",
    address: str | None = None,
    threads: Threads | None = None,
) -> Summary:
    """A card for every unit: what it is tuned to, which classes it raises and lowers, a name, and
    whether people could tell what it looks for.

    One pass reads each photo once; then every unit is measured. *Tuning curves* on stimuli that are
    drawn: orientation and spatial frequency of gratings, hue, size, position, and color against
    shape, each with the preferred value and a selectivity (lifetime sparseness; Vinje and Gallant,
    2000). *Effects*: the unit's map is set to zero on the photos that excite it most, and only what
    follows its layer runs again (Bau et al., 2020). *Name*: the object that its map covers best, by
    intersection over union with the masks (Network Dissection; Bau et al., 2017), or the label
    whose photos excite it most; a unit whose evidence is weak has none. *Readability*: how often
    another network tells which of two photos excites the unit more, from nine others of each kind
    (Zimmermann et al., 2024). A run that was killed goes on where it was.

    Args:
        model: what `load_model` takes.
        images: a folder, .parquet or .tar files (webdataset) or patterns of these, or hf:NAME or
            hf:NAME:SPLIT.
        out: a folder, or a URL that fsspec knows.
        layers: names or patterns, as in `build`; "head" is the layer of classes.
        labels: a .csv or .parquet file with the columns photo and label; in Python also photo ->
            label, or a label for each photo in order. By default the photos' folders. Any words
            will do; numbers are classes of the network.
        masks: a folder of pictures named as the photos, white where the object is.
        judge: the network that sorts photos for the readability, not the one looked into. "auto":
            an embedded one that is installed; "none": no readability.
        silenced: on how many photos each unit is silenced; 0: no effects.
        seed: of the photos with masks, where there are more than 256, and of the intervals.
        batch: photos that run at once.
        engine: where to run: local or ray.
        address: of the Ray cluster; without one, Ray runs on this machine.
        threads: processor threads for each worker.

    Raises:
        InputError: labels or masks that cannot be read or do not fit the photos.
        ImageError: not one photo can be read.
        NumericError: activations that are NaN or infinite.
        OutputError: `out` cannot be written.

    Example:
        atlas.cards(model, "photos/", "atlas/", layers="blocks.*,head")
        $ convscope atlas cards --images photos/ --layers 'blocks.*,head' --out atlas/
        $ convscope atlas cards --images photos/ --labels labels.csv --masks masks/ --out atlas/
    """
    run = Engine(engine, address=address, threads=threads)
    settings = CardSettings(silenced, seed, batch)
    cards = CardRun.of(model, images, out, layers, labels, masks, judge, settings)
    try:
        with stopping() as stop:
            return cards.measure(run, stop)
    finally:
        cards.close()
