from __future__ import annotations

import inspect
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from convscope.atlas.engines import Engine
from convscope.audit.audit_run import AuditRun, RunSettings
from convscope.audit.class_names import class_name
from convscope.audit.concept_evidence import concept_set
from convscope.audit.conclusions import Conclusions, findings
from convscope.audit.measures import confusion_matrix
from convscope.audit.output import check_place, photo_rows, write_concepts, write_tables
from convscope.audit.page import PageRequest, page_of
from convscope.audit.predictions import Predictions
from convscope.audit.thumbnails import Thumbnails
from convscope.core.files import write_whole
from convscope.core.quantities import pluralize
from convscope.core.ranges import NonNegativeInt, PositiveFloat, PositiveInt, Seed, Threads
from convscope.core.types import JsonObject
from convscope.core.validation import checked
from convscope.networks.command_words import model_words
from convscope.networks.load import ModelLike
from convscope.networks.model import Model
from convscope.networks.torch_settings import plain_torch_settings
from convscope.photos.load_image import PhotoLike
from convscope.results import provenance
from convscope.results.details import AuditDetails, ClassAccuracy, Finding
from convscope.results.result import Result


@plain_torch_settings()
@checked("model", "photos", "labels")
def audit(
    model: ModelLike,
    photos: PhotoLike,
    out: str = "audit.html",
    *,
    labels: str | Sequence[str] | None = None,
    masks: str | None = None,
    layer: str | None = None,
    worst: PositiveInt = 10,
    max_explained: PositiveInt = 1000,
    max_seconds: PositiveFloat | None = None,
    unit_steps: NonNegativeInt = 64,
    seed: Seed = 0,
    batch: PositiveInt = 32,
    half: bool = False,
    engine: str = "local",
    address: str | None = None,
    threads: Threads | None = None,
) -> Result:
    """What a classifier gets wrong in a folder of photos, and whether it is right for the right
    reasons, on one page.

    The page says how good it is, with 95 % intervals; whether its probabilities can be
    trusted; what it takes for what; its worst mistakes, each with why; groups of photos that get
    their class for an odd reason (heatmaps clustered as in SpRAy, Lapuschkin et al., 2019); and,
    with masks, which classes are told by their background. Beside the page lies a folder of the
    same name with the rows behind it, as Parquet, and the concepts of the worst mistakes, by
    non-negative matrix factorization of the explained photos' activations:
    `concept:audit/concepts/0` is then a unit everywhere.

    `result.table` has a row per photo: photo, label, predicted, probability, correct, group. The
    arrays are `accuracy`, `calibration_error` (value, low, high), `top_5` where there are ten
    classes or more, `bins` (15 rows of probability, share right, photos) and `confusion` (label by
    prediction). `result.details.findings` are what stands out.

    One pass runs the network on every photo, in bounded memory; a second one explains the photos
    that matter. A run that was killed goes on where it was.

    Args:
        model: what `load_model` takes; a classifier.
        photos: a folder with a folder a class, .parquet or .tar files (webdataset) or patterns of
            these, or hf:NAME; or a list of photos.
        out: the page to write; its rows go into the folder of that name without .html.
        labels: a .csv or .parquet file with the columns photo (its path in the folder, as
            cats/1.jpg) and label; in Python also photo -> label, or a label for each photo; by
            default the folder's name or the source's column.
        masks: a folder of masks named as the photos, white where the object is.
        layer: where explanations are made; by default the last one whose output still has places.
        worst: how many mistakes are shown.
        max_explained: how many photos are explained at most.
        max_seconds: how long photos are explained at most, concepts included.
        unit_steps: of the picture of a mistake's unit; 0 leaves these pictures out.
        seed: of the choice of photos, the clusters and the bootstrap.
        batch: photos that run at once.
        half: compute in bfloat16.
        engine: where to run: local or ray.
        address: of the Ray cluster; without one, Ray runs on this machine.
        threads: processor threads for each worker.

    Raises:
        InputError: no photos, no labels or only one, a label that is no class, a mask that does not
            fit its photo.
        OptionError: a network that is no classifier.
        LayerError: no such layer, or one without places.
        NumericError: the network gives NaN.
        OutputError: the rows would go into the folder of the photos or masks, or where they would
            be taken for photos.

    Example:
        convscope.audit(model, "photos/", out="audit.html")
        $ convscope audit photos/ --labels labels.csv --masks masks/ --out audit.html
    """
    started = time.perf_counter()
    page = check_place(out)
    settings = RunSettings(max(max_explained, worst), worst, seed, batch, half)
    engine_of = Engine(engine, address=address, threads=threads)
    run = AuditRun.of(model, photos, labels, masks, layer, page, settings, engine_of)
    predictions, conclusions = run.measure(max_seconds)
    listed = findings(run.model, predictions, conclusions)
    arguments: dict[str, object] = {
        "photos": run.source_text,
        "out": str(out),
        "labels": labels,
        "masks": masks,
        "layer": run.layer,
        "worst": worst,
        "max_explained": max_explained,
        "max_seconds": max_seconds,
        "unit_steps": unit_steps,
        "seed": seed,
        "batch": batch,
        "half": half,
        "engine": engine,
        "address": address,
        "threads": threads,
    }
    record = _record(run.model, arguments)
    request = PageRequest(
        run.source_text,
        run.layer,
        worst,
        unit_steps,
        _command(run.model, photos, arguments),
        masks is not None,
        str(page.with_suffix("")),
        seed,
        run.kept,
    )
    rows = _write(run, predictions, conclusions, listed, page, request, record)
    record["seconds"] = round(time.perf_counter() - started, 3)
    return _result(run.model, predictions, conclusions, listed, page, rows, record)


def _write(
    run: AuditRun,
    predictions: Predictions,
    conclusions: Conclusions,
    listed: list[Finding],
    page: Path,
    request: PageRequest,
    record: provenance.Provenance,
) -> list[JsonObject]:
    """Write the page and its tables; the rows of all photos."""
    thumbnails = Thumbnails(run.model, run.source, run.layer, page, page.with_suffix(""))
    data = page_of(run.model, predictions, conclusions, listed, thumbnails, request, record)
    rows = list(run.files.rows("photos"))
    write_tables(run.files.store, run.model, rows, conclusions, listed)
    write_concepts(run.files.store, concept_set(conclusions.concepts, run.layer, request.seed))
    write_whole(page, data)
    thumbnails.remove_old_copies()
    run.files.remove_parts()
    return rows


def _command(model: Model, photos: PhotoLike, arguments: dict[str, object]) -> str:
    """The command that makes the page again: the arguments that are not the defaults. What came
    from memory stands there as PHOTOS, LABELS or MODEL."""
    defaults = inspect.signature(audit).parameters
    words = ["convscope", "audit", str(photos) if isinstance(photos, (str, Path)) else "PHOTOS"]
    for name, value in arguments.items():
        flag = f"--{name.replace('_', '-')}"
        if name == "photos" or value is None:
            continue
        if not isinstance(value, (str, Path, int, float)):
            words += [flag, name.upper()]
        elif value != defaults[name].default:
            words += [flag] if value is True else [flag, str(value)]
    return shlex.join(words + model_words(model))


def _record(model: Model, arguments: dict[str, object]) -> provenance.Provenance:
    import torch

    return provenance.describe(
        "audit",
        arguments,
        model={
            "name": model.name,
            "spec": model.spec,
            "options": provenance.to_json(model.options),
            "weights": model.identity,
        },
        photos=[],
        device=str(model.device),
        threads=torch.get_num_threads(),
    )


def _result(
    model: Model,
    predictions: Predictions,
    conclusions: Conclusions,
    listed: list[Finding],
    page: Path,
    rows: list[dict[str, object]],
    record: provenance.Provenance,
) -> Result:
    intervals = {"accuracy": conclusions.top_1, "calibration_error": conclusions.calibration}
    if conclusions.top_5 is not None:
        intervals["top_5"] = conclusions.top_5
    arrays = {
        name: np.array([entry.value, entry.low, entry.high], np.float32)
        for name, entry in intervals.items()
    }
    labeled = predictions.is_labeled
    arrays["bins"] = np.array(
        [[entry.probability, entry.accuracy, entry.photos] for entry in conclusions.bins],
        np.float32,
    )
    arrays["confusion"] = confusion_matrix(
        predictions.label[labeled], predictions.predicted[labeled], model.classes
    ).astype(np.float32)
    classes = [
        ClassAccuracy(
            class_name(model, measure.index),
            measure.photos,
            measure.recall.value,
            measure.recall.low,
            measure.recall.high,
        )
        for measure in conclusions.classes
    ]
    details = AuditDetails(
        path=str(page),
        folder=str(page.with_suffix("")),
        photos=len(rows),
        explained=len(conclusions.rows),
        findings=listed,
        classes=classes,
    )
    table = photo_rows(model, rows, conclusions.group_of())
    unread = pluralize(len(predictions.skipped), "photo")
    note = f"{unread} skipped, since unreadable." if predictions.skipped else ""
    return Result("audit", details, arrays, table, provenance=record, note=note)
