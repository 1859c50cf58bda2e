"""One photo and one network become one page that explains itself, with everything inlined."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from convscope.core.files import write_whole
from convscope.core.interrupt import count_steps
from convscope.core.progress import advance
from convscope.core.ranges import Seed
from convscope.core.validation import checked
from convscope.networks.command_words import model_words
from convscope.networks.load import load_model
from convscope.networks.model import Model
from convscope.results.details import PredictionsDetails
from convscope.results.pages import check_page, render_page
from convscope.results.provenance import Json, Provenance
from convscope.results.result import Result
from convscope.verbs._report_concepts import (
    audit_section,
    concepts_section,
    grid_section,
    require_concepts,
)
from convscope.verbs._report_parts import (
    answer_section,
    class_section,
    dream_section,
    fooling_section,
    inversion_sections,
    layer_sections,
)
from convscope.verbs._report_questions import statements
from convscope.verbs._verb import ModelLike, PhotoLike
from convscope.verbs.predict import predict


@checked("model", "photo")
def report(
    model: ModelLike,
    photo: PhotoLike,
    out: str = "report.html",
    *,
    concepts: str | None = None,
    audit: str | None = None,
    seed: Seed = 0,
) -> Result:
    """What a network sees in a photo, as one HTML page with everything inlined.

    The page shows what the network says (classes, boxes, masks or values); where it looks for each
    of the first three (Grad-CAM, or LayerCAM for boxes and masks, and saliency); an early, a middle
    and a late layer with their strongest units, each beside the pattern it responds to; what its
    answer looks like; how little it takes to change it; what each place of it excites; the saved
    concepts that add most to the answer, and the group that an audit puts it into, where these are
    given; what each depth still knows of the photo; a dream; and how all of it was made. Of a
    network without a head, or a photo without a box or mask, nothing is said or changed. With
    several photos, each gets its answer, and the rest is about the first.

    Args:
        model: what `load_model` takes.
        photo: a path, PIL image, array or tensor, or a list of these.
        out: the page to write.
        concepts: a file that `concepts` saved, of this network.
        audit: the page or folder that `audit` wrote.
        seed: of the one random generator.

    Raises:
        OutputError: the page cannot be written.
        InputError: there are no concepts, or no audit.
        LayerError: the concepts are of another network.

    Example:
        convscope.report(model, "cat.jpg", out="report.html")
        $ convscope report cat.jpg --out report.html
        $ convscope report cat.jpg --concepts pets.safetensors --audit audit.html
    """
    check_page(out)
    model = load_model(model)
    sources = list(photo) if isinstance(photo, (list, tuple)) else [photo]
    predicted = predict(model, sources, top=5)
    first = sources[0]
    said_of_first = [row for row in predicted.table if row["photo"] == 0]
    said = statements(replace(predicted, table=said_of_first))
    wanted = said_of_first[0]["index"] if said and said[0].share is not None else "value"
    # What another file says is read before anything takes long.
    audited = audit_section(audit, predicted.provenance) if audit else None
    if concepts:
        require_concepts(model, concepts)
    sections: dict[str, Callable[[], object]] = {
        "answers": lambda: [answer_section(model, source, seed) for source in sources],
        "layers": lambda: layer_sections(model, first, seed),
        "concepts": lambda: concepts_section(model, first, concepts, seed) if concepts else None,
        "grid": lambda: grid_section(model, first, seed),
        "class_image": lambda: class_section(model, wanted, seed) if said else None,
        "fooling": lambda: fooling_section(model, first, seed) if said else None,
        "inversion": lambda: inversion_sections(model, first, seed),
        "dream": lambda: dream_section(model, first, seed),
    }
    parts = {}
    # Ctrl-C in one section ends the page: half of it would pass for the whole.
    with count_steps() as steps:
        for done, (name, section) in enumerate(sections.items()):
            advance("sections", done, len(sections))
            parts[name] = section()
        if steps.is_interrupted:
            raise KeyboardInterrupt
    values = {
        "title": f"What {model.name} sees",
        **parts,
        "audit": audited,
        "provenance": predicted.provenance,
        "command": _command(model, predicted, out, seed, concepts=concepts, audit=audit),
        "seed": seed,
    }
    page = write_whole(out, render_page(Path(__file__).with_suffix(".html"), values))
    advance("sections", len(sections), len(sections))
    options = {"out": str(out), "concepts": concepts, "audit": audit, "seed": seed}
    return replace(
        predicted,
        verb="report",
        details=PredictionsDetails(path=str(page)),
        provenance=_record(predicted, options),
    )


def _record(predicted: Result, options: dict[str, Json]) -> Provenance:
    """How the page was made."""
    record = predicted.provenance.copy()
    record["verb"], record["arguments"] = "report", options
    return record


def _command(model: Model, predicted: Result, out: str, seed: int, **files: str | None) -> str:
    """The command that makes the page again; what came from memory stands there as PHOTO or
    MODEL."""
    words = [
        "convscope",
        "report",
        *(photo["path"] or "PHOTO" for photo in predicted.provenance["photos"]),
        "--out",
        str(out),
        *model_words(model),
    ]
    for name, file in files.items():
        words += [f"--{name}", file] if file else []
    return shlex.join(words + (["--seed", str(seed)] if seed else []))
