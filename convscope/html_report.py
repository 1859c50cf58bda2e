"""One photo and one network become one page that explains itself, with everything inlined."""

from __future__ import annotations

import base64
import io
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from torch import Tensor

from convscope import api
from convscope.files import write_whole
from convscope.picture import overlay_heat, to_uint8
from convscope.progress import advance
from convscope.result import Result
from convscope.techniques.visualize import visualize
from convscope.verb import PhotoLike, bytes_of, verb

if TYPE_CHECKING:
    from PIL.Image import Image

    from convscope.model import Model

PHOTO_SIDE = 640
"""Longest side of a photo on the page; it is shown at half of that on most screens."""

UNITS = 4
"""How many of a layer's strongest units are shown, each beside its pattern."""

PATTERN_SIDE = 160


@verb
def report(model: Model, photo: PhotoLike, out: str = "report.html", *, seed: int = 0) -> Result:
    """What a network sees in a photo, as one HTML page with everything inlined.

    The page shows the top predictions, where the network looks for each of the top three classes (Grad-CAM and saliency),
    an early, a middle and a late layer with their strongest units, each beside the pattern it responds to, and how all of
    it was made. With several photos the layers are those of the first.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        out: the page to write.
        seed: of the one random generator.

    Raises:
        OutputError: the page cannot be written.

    Example:
        convscope.report(model, "cat.jpg", out="report.html")
        $ convscope report cat.jpg --out report.html
    """
    steps = 2 * len(photo) + 3
    done = 0

    def step(what: str) -> None:
        nonlocal done
        advance(f"report: {what}", done, steps)
        done += 1

    subjects = []
    results: dict[str, Result] = {}
    for place, one in enumerate(photo):
        step("predictions")
        predicted = api.predict(model, one, top=5)
        step("where it looks")
        subjects.append(_subject(model, one, predicted, seed))
        if place == 0:
            results["predict"] = predicted
    step("layers")
    looked = api.activations(model, photo[0])
    parts = [_layer(model, photo[0], looked, row, seed) for row in looked.table]
    page = _template().render(
        title=f"What {model.name} sees",
        model=model,
        subjects=subjects,
        layers=parts,
        provenance=results["predict"].provenance,
        command=_command(model, results["predict"], out),
    )
    path = write_whole(out, page.encode())
    advance("report", steps, steps)
    return Result("report", "predictions", results["predict"].arrays, results["predict"].table, bytes_of(photo), {"path": str(path)})


def _subject(model: Model, photo: Tensor, predicted: Result, seed: int) -> dict[str, Any]:
    """One photo: what it is called, and where the network looks for each of the first three names."""
    top = [row["index"] for row in predicted.table[:3]]
    rows = []
    cam = api.explain(model, photo, method="grad_cam", target=top, seed=seed)
    saliency = api.explain(model, photo, method="saliency", target=top, seed=seed)
    for place, row in enumerate(predicted.table[:3]):
        rows.append(
            {
                "label": row["label"],
                "probability": row["probability"],
                "cam": _uri(_one(cam, place).picture(style="overlay"), PHOTO_SIDE),
                "saliency": _uri(_one(saliency, place).picture(style="overlay"), PHOTO_SIDE),
            }
        )
    return {
        "photo": _uri(_image(predicted.photos[0]), PHOTO_SIDE),
        "predictions": predicted.table,
        "rows": rows,
        "layer": cam.details["layer"],
        "height": photo.shape[-2],
        "width": photo.shape[-1],
    }


def _layer(model: Model, photo: Tensor, looked: Result, row: dict[str, Any], seed: int) -> dict[str, Any]:
    """One layer: its maps, how sparse it is, and its strongest units beside their patterns."""
    name = row["layer"]
    maps = looked[name][0]
    chosen = row["strongest"][:UNITS]
    patterns = visualize(model, [f"{name}:{index}" for index in chosen], preset="chollet", size=PATTERN_SIDE, seed=seed)
    box = model.preprocessing.box(*photo.shape[-2:])
    units = []
    for place, index in enumerate(chosen):
        heat = np.clip(maps[index], 0, None)
        heat = heat / heat.max() if heat.max() > 0 else heat
        units.append(
            {
                "index": index,
                "where": _uri(_image(overlay_heat(looked.photos[0], heat, box)), PHOTO_SIDE // 2),
                "pattern": _uri(_image(to_uint8(patterns["image"][place].transpose(1, 2, 0))), 2 * PATTERN_SIDE, lossless=True),
            }
        )
    grid = Result("activations", "activations", {name: looked[name]}, [row], looked.photos, looked.details)
    return {"name": name, "row": row, "grid": _uri(grid.picture(), 2000, lossless=True), "units": units}


def _one(result: Result, place: int) -> Result:
    """One row of an explanation as a result of its own."""
    details = {key: value[place : place + 1] if key in ("titles", "boxes") else value for key, value in result.details.items()}
    photo = result.photos[result.details["photo_of"][place]]
    arrays = {name: array[place : place + 1] for name, array in result.arrays.items()}
    return Result(result.verb, result.view, arrays, [], [photo], details | {"photo_of": [0]})


def _command(model: Model, predicted: Result, out: str) -> str:
    """The command that makes the page again, or what stands in its way."""
    path = predicted.provenance["photos"][0]["path"]
    words = ["convscope", "report", path or "PHOTO", "--out", Path(out).name]
    if model.spec not in (None, "embedded"):
        words += ["--model", str(model.spec)]
    words += [word for name, value in model.options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return shlex.join(words)


def _image(pixels: Any) -> Image:
    from PIL import Image

    pixels = np.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] not in (3, 4):
        pixels = pixels[..., 0] if pixels.shape[2] < 3 else pixels[..., :3]
    return Image.fromarray(pixels)


def _uri(picture: Image, longest: int, *, lossless: bool = False) -> str:
    """A picture as a data URI, no larger than it is shown."""
    picture = picture.convert("RGB")
    if max(picture.size) > longest:
        picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "JPEG", quality=88)
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _template() -> jinja2.Template:
    text = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
