"""One photo and one network become one page that explains itself, with everything inlined."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np

from convscope.core.files import write_whole
from convscope.core.progress import advance
from convscope.networks.load import load_model
from convscope.networks.model import Model
from convscope.probe import Probe
from convscope.results.pictures import heat_of, overlay_heat, to_rgb, to_uint8
from convscope.results.result import Result
from convscope.verbs._verb import ModelLike, PhotoLike
from convscope.verbs.activations import activations
from convscope.verbs.class_image import class_image
from convscope.verbs.dream import dream
from convscope.verbs.explain import explain
from convscope.verbs.fool import fool
from convscope.verbs.invert import invert
from convscope.verbs.predict import predict
from convscope.verbs.visualize import visualize

if TYPE_CHECKING:
    from PIL.Image import Image

PHOTO_SIDE = 640
"""Longest side of a photo on the page; it is shown at half of that on most screens."""

UNITS, CHANNELS, DEPTHS = 4, 64, 4
"""Of a layer: its strongest units that are shown, the channels in its grid; and the depths at which
the photo is inverted."""

PATTERN_SIDE, PATTERN_STEPS = 144, 96
CLASS_SIDE, CLASS_STEPS = 224, 192
INVERSION_STEPS = 128
"""Sizes and steps that keep the whole page under a minute or two on two cores; by the score curves,
more changes little."""

DREAM_SIDE = 480
"""Longest side of the dream."""


def report(
    model: ModelLike, photo: PhotoLike, out: str = "report.html", *, seed: int = 0
) -> Result:
    """What a network sees in a photo, as one HTML page with everything inlined.

    The page shows the top predictions; where the network looks for each of the top three classes
    (Grad-CAM and saliency); an early, a middle and a late layer with their strongest units, each
    beside the pattern it responds to; what its answer looks like; how little it takes to change it;
    what each depth still knows of the photo; a dream; and how all of it was made. With several
    photos, each gets its answer, and the rest is about the first.

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
    model = load_model(model)
    sources = list(photo) if isinstance(photo, (list, tuple)) else [photo]
    predicted = predict(model, sources, top=5)
    first = sources[0]
    answer = predicted.table[0]["index"]
    tasks: dict[str, Callable[[], Any]] = {
        "answers": lambda: [_answer(model, source, seed) for source in sources],
        "layers": lambda: _layers(model, first, seed),
        "class_image": lambda: _class_image(model, answer, seed),
        "fooling": lambda: _fooling(model, first, seed),
        "inversion": lambda: _inversion(model, first, seed),
        "dream": lambda: _dream(model, first, seed),
    }
    parts = {}
    for done, (name, make) in enumerate(tasks.items()):
        advance("report", done, len(tasks))
        parts[name] = make()
    page = _template().render(
        title=f"What {model.name} sees",
        **parts,
        provenance=predicted.provenance,
        command=_command(model, predicted, out, seed),
        seed=seed,
    )
    path = write_whole(out, page.encode())
    advance("report", len(tasks), len(tasks))
    record = predicted.provenance | {"verb": "report", "arguments": {"out": str(out), "seed": seed}}
    return Result(
        "report",
        "predictions",
        predicted.arrays,
        predicted.table,
        predicted.photos,
        {"path": str(path)},
        record,
    )


def _answer(model: Model, source: Any, seed: int) -> dict[str, Any]:
    """One photo: what it is called, and where the network looks for each of the first three
    names."""
    predicted = predict(model, source, top=5)
    top = predicted.table[:3]
    cam, saliency = (
        explain(model, source, method=method, target=[row["index"] for row in top], seed=seed)
        for method in ("grad_cam", "saliency")
    )
    rows = [
        row
        | {
            name: _uri(_one(found, place).picture(style="overlay"))
            for name, found in (("cam", cam), ("saliency", saliency))
        }
        for place, row in enumerate(top)
    ]
    height, width = predicted.photos[0].shape[:2]
    photo = _uri(_drawn(predicted.photos[0]))
    return {
        "photo": photo,
        "predictions": predicted.table,
        "rows": rows,
        "layer": cam.details["layer"],
        "height": height,
        "width": width,
    }


def _layers(model: Model, source: Any, seed: int) -> list[dict[str, Any]]:
    """An early, a middle and a late layer: their maps, how sparse they are, and their strongest
    units beside their patterns."""
    looked = activations(model, source)
    found = []
    for row in looked.table:
        name = row["layer"]
        chosen = row["strongest"][:UNITS]
        units = [f"{name}:{index}" for index in chosen]
        patterns = visualize(model, units, preset="chollet", size=PATTERN_SIDE, seed=seed)
        clear = visualize(
            model, units, preset="distill", size=PATTERN_SIDE, steps=PATTERN_STEPS, seed=seed
        )
        box = model.preprocessing.box(*looked.photos[0].shape[:2])
        shown = []
        for place, index in enumerate(chosen):
            where = overlay_heat(
                to_rgb(looked.photos[0]), heat_of(looked[name][0, index], "layer").share, box
            )
            shown.append(
                {
                    "index": index,
                    "where": _uri(_drawn(where), PHOTO_SIDE // 2),
                    "pattern": _made(patterns, place),
                    "distilled": _made(clear, place),
                }
            )
        grid = Result(
            "activations", "activations", {name: looked[name]}, [row], looked.photos, looked.details
        )
        picture = grid.picture(first=CHANNELS)
        found.append(
            {
                "name": name,
                "row": row,
                "shown": min(CHANNELS, looked[name].shape[1]),
                "grid": _uri(picture, 2000, lossless=True),
                "units": shown,
            }
        )
    return found


def _class_image(model: Model, answer: int, seed: int) -> dict[str, Any]:
    """What the answer looks like, by two published ways."""
    plain = class_image(model, answer, preset="simonyan", seed=seed)
    clear = class_image(
        model, answer, preset="distill", size=CLASS_SIDE, steps=CLASS_STEPS, seed=seed
    )
    return {"label": model.label(answer), "simonyan": _made(plain, 0), "distill": _made(clear, 0)}


def _fooling(model: Model, source: Any, seed: int) -> dict[str, Any]:
    """How little it takes for another answer."""
    found = fool(model, source, seed=seed)
    original, image = found["original"][0], found["image"][0]
    change = image - original
    panels = {
        "original": original,
        "fooled": image,
        "difference": change + 0.5,
        "amplified": 10 * change + 0.5,
    }
    return {
        "row": found.table[0],
        **{name: _uri(_drawn(_planes(panel)), lossless=True) for name, panel in panels.items()},
    }


def _inversion(model: Model, source: Any, seed: int) -> list[dict[str, Any]]:
    """What each depth still knows of the photo."""
    with Probe(model) as probe:
        names = probe.layers.spread(DEPTHS)
    found = invert(model, source, layer=names, steps=INVERSION_STEPS, seed=seed)
    return [
        {"layer": row["layer"], "error": row["error"], "image": _made(found, place)}
        for place, row in enumerate(found.table)
    ]


def _dream(model: Model, source: Any, seed: int) -> dict[str, Any]:
    """The photo, with more of what the network sees in it."""
    photo = predict(model, source, top=1).photos[0]
    picture = _drawn(photo)
    picture.thumbnail((DREAM_SIDE, DREAM_SIDE))
    found = dream(model, picture if photo.shape[-1] == 3 else source, seed=seed)
    return {"layer": found.details["titles"][0], "image": _uri(_drawn(_planes(found["image"][0])))}


def _one(result: Result, place: int) -> Result:
    """One row of an explanation as a result of its own."""
    details = {
        key: value[place : place + 1] if key in ("titles", "boxes") else value
        for key, value in result.details.items()
    }
    photo = result.photos[result.details["photo_of"][place]]
    arrays = {name: array[place : place + 1] for name, array in result.arrays.items()}
    return Result(result.verb, result.view, arrays, [], [photo], details | {"photo_of": [0]})


def _command(model: Model, predicted: Result, out: str, seed: int) -> str:
    """The command that makes the page again; what came from memory stands there as PHOTO or
    MODEL."""
    words = [
        "convscope",
        "report",
        *(photo["path"] or "PHOTO" for photo in predicted.provenance["photos"]),
        "--out",
        Path(out).name,
    ]
    if model.spec != "embedded":
        words += ["--model", model.spec or "MODEL"]
    words += [
        word
        for name, value in model.options.items()
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    return shlex.join(words + (["--seed", str(seed)] if seed else []))


def _planes(image: Any) -> Any:
    """c h w in [0, 1] as h w c, 8 bits."""
    return to_uint8(np.clip(image, 0, 1).transpose(1, 2, 0))


def _made(result: Result, place: int) -> str:
    return _uri(
        _drawn(_planes(result["image"][place])),
        lossless=result["image"].shape[-1] < PHOTO_SIDE // 4,
    )


def _drawn(pixels: Any) -> Image:
    from PIL import Image

    return Image.fromarray(to_rgb(np.ascontiguousarray(pixels)))


def _uri(picture: Image, longest: int = PHOTO_SIDE, *, lossless: bool = False) -> str:
    """A picture as a data URI, no larger than it is shown."""
    picture = picture.convert("RGB")
    if max(picture.size) > longest:
        picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    if lossless:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "JPEG", quality=88)
    kind = "png" if lossless else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _template() -> jinja2.Template:
    text = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
