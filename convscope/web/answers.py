"""What a question is answered with: verbs called, their results as JSON. Runs in the quick lane."""

from __future__ import annotations

import base64

import convscope
from convscope.core.types import JsonObject
from convscope.errors import ConvscopeError, OptionError, TargetError
from convscope.photos.load_image import PhotoLike
from convscope.results.details import AttributionDetails
from convscope.results.pictures.tiles import strongest_first
from convscope.results.result import Result
from convscope.web import drawing, schemas
from convscope.web.microscope import Microscope
from convscope.web.photos import Photo

STAGE_SIDE = 28
"""Pixels of a tile in the overview of all stages."""

LAYER_SIDE = 64
"""Pixels of a tile where one layer is looked at."""

TOP = 6


def explanation(result: Result) -> JsonObject:
    """The maps of `explain`, one for each target, ready to be laid over a photo."""
    details = result.details_as(AttributionDetails)
    maps = zip(details.titles, details.targets, result["heatmap"], strict=True)
    return {
        "method": details.method,
        "space": details.space,
        "layer": details.layer,
        "maps": [
            {
                "title": title,
                "target": None if target is None else vars(target),
                **drawing.heat(values, details.space, signed=details.signed),
            }
            for title, target, values in maps
        ],
    }


def explain(microscope: Microscope, photo: PhotoLike, arguments: JsonObject) -> JsonObject:
    """Where in the photo the answer comes from."""
    return explanation(convscope.explain(microscope.model, photo, **arguments))


def stages(result: Result, layers: list[str], side: int) -> list[JsonObject]:
    """Layers with their shapes, how much of each fires, and their channels as tiles."""
    rows = {row["layer"]: row for row in result.table if "layer" in row}
    return [
        {
            "layer": name,
            "shape": list(result[name].shape[1:]),
            "inactive": rows[name]["inactive"],
            "zeros": rows[name]["zeros"],
            "order": strongest_first(result[name][0]),
            "tiles": drawing.tiles(result, name, side=side),
        }
        for name in layers
    ]


def look(
    microscope: Microscope, photo: PhotoLike, arguments: JsonObject, layers: list[str]
) -> JsonObject:
    """The answer, the layers' tiles and the heat, from one run of the network; no heat where the
    method is slow, or where nothing was asked and the network has no answer to ask about."""
    method = str(arguments.get("method", "grad_cam"))
    named = {**arguments, "method": method} if schemas.is_quick(method) else {}
    note = None
    try:
        result = convscope.overview(microscope.model, photo, layers=layers, top=TOP, **named)
    except (TargetError, OptionError) as error:
        if arguments or not named:
            raise
        result = convscope.overview(microscope.model, photo, layers=layers, top=TOP)
        note, named = str(error), {}
    return {
        **drawing.answer(result),
        "size": list(result.photos[0].shape[:2]),
        "heat": explanation(result) if named else None,
        "note": note,
        "stages": stages(result, layers, STAGE_SIDE),
    }


def look_at_photo(microscope: Microscope, photo: Photo, arguments: JsonObject) -> JsonObject:
    """All that the view of a photo shows at once. Its stages are drawn once, whatever is asked."""
    known = microscope.looked_at.get(photo.id)
    layers = microscope.stages if known is None else microscope.stages[-1:]
    answer = look(microscope, photo.fitted, arguments, layers)
    if known is None:
        microscope.looked_at.put(photo.id, answer["stages"], len(str(answer["stages"])))
    return {"photo": photo.to_json(), **answer, "stages": known or answer["stages"]}


def _activations(microscope: Microscope, photo: Photo, layer_name: str) -> Result:
    """What one layer does on a photo, for all who look at its units; all stages from one run, since
    whoever looks at one of them goes on to the next."""
    stages = microscope.stages
    names = stages if layer_name in stages else [layer_name]
    key = f"{photo.id} {' '.join(names)}"
    result = microscope.activations.get(key)
    if result is None:
        result = convscope.activations(microscope.model, photo.fitted, layers=names)
        microscope.activations.put(key, result, sum(result[name].nbytes for name in names))
    return result


def layer(microscope: Microscope, photo: Photo, name: str) -> JsonObject:
    """One layer on a photo."""
    return stages(_activations(microscope, photo, name), [name], LAYER_SIDE)[0]


def unit(microscope: Microscope, photo: Photo, name: str) -> JsonObject:
    """Where a unit fires on a photo, the place of a neuron there, and what the atlas knows of the
    unit."""
    chosen = microscope.layers.unit(name)
    layer = microscope.layers[chosen.layer]
    fires = _activations(microscope, photo, chosen.layer)[chosen.layer][0, chosen.index]
    return {
        "unit": f"{chosen.layer}:{chosen.index}",
        "layer": chosen.layer,
        "index": chosen.index,
        "row": chosen.row,
        "column": chosen.column,
        "units": layer.units,
        "shape": list(layer.shape),
        "fires": drawing.heat(fires, "layer"),
        "atlas": _in_atlas(microscope, chosen.layer, chosen.index),
    }


def _in_atlas(microscope: Microscope, layer_name: str, index: int) -> JsonObject | None:
    """A unit's pictures, best photos and similar units."""
    atlas = microscope.atlas
    if atlas is None:
        return None
    try:
        pictures = [row.bytes for row in atlas.unit(layer_name, index)]
        photos = atlas.examples(layer_name, index, kind="top")
    except ConvscopeError:
        return None
    try:
        similar = atlas.similar(layer_name, index) if photos else []
    except ConvscopeError:
        similar = []
    return {
        "pictures": [_embedded(data) for data in pictures if data][:4],
        "photos": [
            {"label": row["label"], "value": row["value"], "image": _embedded(row.bytes)}
            for row in photos
            if row.bytes
        ][:12],
        "similar": [
            {
                "unit": f"{row['layer']}:{row['unit']}",
                "cosine": row["cosine"],
                "image": atlas_picture(microscope, str(row["layer"]), int(row["unit"])),
            }
            for row in similar
        ],
    }


def atlas_picture(microscope: Microscope, layer_name: str, index: int) -> str | None:
    """A unit's picture in the atlas, where there is one."""
    if microscope.atlas is None:
        return None
    try:
        rows = microscope.atlas.unit(layer_name, index)
    except ConvscopeError:
        return None
    return next((_embedded(row.bytes) for row in rows if row.bytes), None)


def _embedded(data: bytes | None) -> str:
    """A stored picture inside a JSON answer."""
    kind = "png" if (data or b"").startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(data or b"").decode()


def intervention(microscope: Microscope, photo: PhotoLike, arguments: JsonObject) -> JsonObject:
    """The answer with a unit silenced or strengthened."""
    result = convscope.intervene(microscope.model, photo, **{"top": TOP, **arguments})
    lists: dict[str, list[JsonObject]] = {"answer": [], "raises": [], "lowers": []}
    for row in result.table:
        lists[row["list"]].append(row)
    return lists


def place(microscope: Microscope, photo: Photo, arguments: JsonObject) -> JsonObject:
    """What one place of a photo excites and says."""
    result = convscope.place(microscope.model, photo.pixels, **arguments)
    rows = result.table
    layers = [
        {
            "layer": name,
            **{
                kind: [
                    {**row, "image": atlas_picture(microscope, name, row["index"])}
                    for row in rows
                    if row["layer"] == name and row["list"] == kind
                ]
                for kind in ("strongest", "for", "against")
            },
        }
        for name in dict.fromkeys(row["layer"] for row in rows)
    ]
    return {
        "title": rows[0]["target"],
        "classes": [row for row in rows if row["list"] == "class"],
        "layers": layers,
    }


def png(microscope: Microscope, photo: Photo | None, verb: str, arguments: JsonObject) -> bytes:
    """The picture of a verb, byte for byte as the command line writes it."""
    named = dict(arguments)
    args: list[object] = [] if photo is None else [photo.exact]
    args += [named.pop(name) for name in ("unit", "row", "column", "units") if name in named]
    result: Result = getattr(convscope, verb)(microscope.model, *args, **named)
    return result.png()
