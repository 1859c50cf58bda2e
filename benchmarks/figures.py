"""The pictures of the README and of docs/, made by Convscope itself.

python -m benchmarks.figures            all of them, into docs/
python -m benchmarks.figures noise      one of them
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image

import convscope
from convscope.core.files import write_whole
from convscope.results.pictures import Panel, sheet, to_uint8

DOCS = Path(__file__).parent.parent / "docs"
UNIT = "blocks.4:20"


def save(name: str, picture: Image.Image, longest: int = 1400) -> None:
    picture = picture.convert("RGB")
    picture.thumbnail((longest, longest))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=84, optimize=True)
    print(
        write_whole(DOCS / f"{name}.jpg", buffer.getvalue()),
        len(buffer.getvalue()) // 1024,
        "KiB",
        flush=True,
    )


def drawn(result: convscope.Result, place: int = 0) -> Image.Image:
    return Image.fromarray(to_uint8(result["image"][place].transpose(1, 2, 0)))


def explain() -> None:
    """Three methods, two classes."""
    save(
        "explain",
        convscope.explain(
            None,
            "sample:cat-and-coffee",
            method="grad_cam,saliency,layer_cam",
            target="espresso,tabby",
        ).picture(),
        1100,
    )


def visualize() -> None:
    """What units look for, from early to late, and two classes."""
    units, classes = (
        ["blocks.1:5", "blocks.2:7", "blocks.3:11", "blocks.4:20"],
        [
            "macaw",
            "African elephant",
        ],
    )
    wide = (  # a class holds together better over more sizes
        "pad(16) jitter(16) scale(0.7,1.2) rotate(10) jitter(8)"
    )
    results = [
        *[(each, 0) for each in units],
        *[(each, 1) for each in classes],
    ]
    entries = [
        convscope.visualize(None, units, steps=192),
        convscope.visualize(
            None, [f"logit({each})" for each in classes], steps=192, transforms=wide
        ),
    ]
    panels = [
        Panel(drawn(entries[which], place % 4), title)
        for place, (title, which) in enumerate(results)
    ]
    save("visualize", sheet(panels, columns=3))


def fool() -> None:
    save("fool", convscope.fool(None, "sample:chelsea", target="stingray").picture())


def invert() -> None:
    save(
        "invert",
        convscope.invert(
            None, "sample:chelsea", layer=["blocks.0", "blocks.2", "blocks.4", "blocks.6"]
        ).picture(columns=4),
    )


def dream() -> None:
    save("dream", convscope.dream(None, "sample:rocket").picture(plain=True), 900)


def caricature() -> None:
    save("caricature", convscope.caricature(None, "sample:chelsea").picture(plain=True))


def noise() -> None:
    """Distill's figure: each family against high-frequency noise alone, all of them, and
    preconditioning, on one unit."""
    raw = {
        "preset": "distill",
        "parameterization": "pixels",
        "transforms": "none",
        "rate": 0.02,
        "steps": 256,
    }
    whole = "pad(16) jitter(16) scale(0.95,1.05) rotate(5) jitter(8)"
    ways: dict[str, tuple[str, dict[str, object]]] = {
        "nothing": ("pixels, no regularization", {}),
        "total variation": ("frequency penalization", {"regularizers": "2*total_variation"}),
        "blur penalty": ("frequency penalization", {"regularizers": "10*blur_penalty"}),
        "frequency penalty": ("frequency penalization", {"regularizers": "5*frequency"}),
        "jitter": ("transformation robustness", {"transforms": "pad(16) jitter(16)"}),
        "jitter, scale, rotate": ("transformation robustness", {"transforms": whole}),
        "from a photo": (
            "learned prior: a real photo to start from",
            {"photo": "sample:chelsea", "rate": 0.01, "transforms": whole},
        ),
        "Fourier": ("preconditioning alone", {"parameterization": "fourier", "rate": 0.05}),
        "Fourier, transforms": (
            "preconditioning and robustness",
            {"parameterization": "fourier", "rate": 0.05, "transforms": whole},
        ),
        "all of it": (
            "with total variation",
            {
                "parameterization": "fourier",
                "rate": 0.05,
                "transforms": whole,
                "regularizers": "0.3*total_variation",
            },
        ),
    }
    panels = []
    for title, (caption, options) in ways.items():
        result = convscope.visualize(None, UNIT, **(raw | options))  # type: ignore[arg-type]
        panels.append(
            Panel(drawn(result), title, f"{caption}; score {result['score'][0, -16:].mean():.1f}")
        )
        print(title, result["score"][0, [0, -1]], flush=True)
    save("noise", sheet(panels, columns=5, heading=f"{UNIT}: what keeps high frequencies out"))


def diversity() -> None:
    """Four faces of one unit."""
    alike = convscope.visualize(None, [UNIT] * 4, steps=256, size=192)
    apart = convscope.visualize(None, UNIT, steps=256, size=192, diversity=4)
    panels = [
        Panel(drawn(alike, place), f"seed {place}", "no diversity term") for place in range(4)
    ]
    panels += [
        Panel(drawn(apart, place), f"face {place + 1}", "with the diversity term")
        for place in range(4)
    ]
    save("diversity", sheet(panels, columns=4, heading=UNIT))


def maco() -> None:
    result = convscope.visualize(None, ["logit(macaw)", "logit(African elephant)"], preset="maco")
    save(
        "maco",
        sheet(
            [Panel(drawn(result, 0), "macaw"), Panel(drawn(result, 1), "African elephant")],
            columns=2,
        ),
        600,
    )


FIGURES: dict[str, Callable[[], None]] = {
    figure.__name__: figure
    for figure in (explain, visualize, fool, invert, dream, caricature, noise, diversity, maco)
}

if __name__ == "__main__":
    for wanted in sys.argv[1:] or list(FIGURES):
        FIGURES[wanted]()
