"""The tables and pictures of docs/questions.md, and the gallery's pictures of trained heads."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import convscope
from benchmarks._scenes import Scene
from benchmarks.question_kinds import Question, box_questions, enlarged, share_inside
from benchmarks.question_methods import box_contestants
from convscope.networks.model import Model
from convscope.results.pictures import Panel, overlay_heat, scale_heat, sheet, to_uint8

PAGE = Path(__file__).parent.parent / "docs" / "questions.md"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
"""Where the page holds the tables."""


def table(
    title: str, shares: dict[str, list[float]], questions: list[Question], rows: list[str]
) -> str:
    """One table in Markdown, the best first; `rows` are those of other methods, measured before."""
    area = np.mean([float(question.place.float().mean()) for question in questions])
    lines = [
        f"### {title}",
        "",
        f"{len(questions)} questions; heat spread evenly would be {area:.0%}.",
        "",
        "| method | inside | standard deviation |",
        "|---|---|---|",
    ]
    measured = [
        f"| {name} | {np.mean(values):.1%} | {np.std(values):.1%} |"
        for name, values in shares.items()
    ]
    return "\n".join([*lines, *sorted([*measured, *rows], key=_share_in, reverse=True)]) + "\n"


def _share_in(row: str) -> float:
    return float(row.split("|")[2].strip().removesuffix("%"))


def earlier_rows(title: str, names: Collection[str]) -> list[str]:
    """The rows of a table of the page that are of none of these methods."""
    section = (
        PAGE.read_text().partition(f"### {title}\n")[2].partition("\n###")[0].partition(END)[0]
    )
    rows = [row for row in section.splitlines() if row.startswith("| ") and "%" in row]
    return [row for row in rows if row.split("|")[1].strip() not in names]


def draw(model: Model, scene: Scene) -> None:
    """The picture of the page: both boxes of a scene, asked of three contestants."""
    contestants = box_contestants(model)
    shown = [
        "Convscope, by default",
        "pytorch-grad-cam, HiResCAM",
        "pytorch-grad-cam, GradCAM",
        "pytorch-grad-cam, EigenCAM (its tutorial)",
    ]
    photo = to_uint8(scene.image.permute(1, 2, 0).numpy())
    panels = []
    for question in box_questions(model, [scene]):
        asked = Image.fromarray(photo.copy())
        ImageDraw.Draw(asked).rectangle(question.box, outline="#d62728", width=3)
        panels.append(Panel(asked, question.target, "asked about"))
        for name in shown:
            heat = scale_heat(enlarged(contestants[name](question)), "layer").share
            share = share_inside(contestants[name](question), question.place)
            method = name.partition(", ")
            picture = Image.fromarray(overlay_heat(photo, heat, alpha=0.6))
            panels.append(Panel(picture, method[2], f"{method[0]}: {share:.0%} inside"))
    picture = sheet(panels, columns=len(shown) + 1)
    picture.thumbnail((1400, 1400))
    picture.save(PAGE.with_suffix(".jpg"), quality=82, optimize=True)


def draw_gallery(detector: Model, segmenter: Model, regressor: Model, scene: Scene) -> None:
    """The pictures of the gallery that need trained heads."""
    photo = scene.image[None]
    label = int(scene.labels[0])
    pictures = {
        "detector_boxes": convscope.predict(detector, photo),
        "detector_heat": convscope.explain(detector, photo, target=["box:0", "box:1"]),
        "segmenter_masks": convscope.predict(segmenter, photo),
        "segmenter_heat": convscope.explain(segmenter, photo, target=f"mask:{label}"),
        "regressor_values": convscope.predict(regressor, photo),
        "regressor_heat": convscope.explain(regressor, photo, target=["value:0", "value:1"]),
    }
    for name, result in pictures.items():
        picture = result.picture().convert("RGB")
        picture.thumbnail((900, 900))
        picture.save(PAGE.parent / "gallery" / f"{name}.jpg", quality=82, optimize=True)
