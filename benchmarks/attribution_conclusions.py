"""What the table of docs/attribution.md says, in sentences whose numbers come from its data.

`claims` holds what the sentences say beside numbers, for `tests/test_numbers.py`: where one no
longer holds, its sentence is to be written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks._page import between

BEGIN, END = "<!-- conclusions -->", "<!-- end of conclusions -->"
"""Where the page holds the sentences."""
FLOOR = "random_map"
BEST = "multi_scale of finer_cam, rivals=10"
DEFAULT = "finer_cam, rivals=10"
SIGNED = ("finer_cam", "guided_grad_cam", "grad_cam", "hires_cam", "xgrad_cam", "shapley_cam")
"""CAMs that keep the sign of the gradient, as published, or a product with one."""
SAME_MAP = ("grad_cam", "hires_cam", "xgrad_cam", "shapley_cam")
POSITIVE_ONLY = ("layer_cam", "grad_cam_plus_plus")
AVERAGED = "smoothgrad of grad_cam_plus_plus"
Rows = list[dict[str, Any]]


def filled(page: str, rows: Rows) -> str:
    """docs/attribution.md with its sentences."""
    return between(page, BEGIN, END, markdown(rows))


def percent(*values: float) -> str:
    """One share, or the smallest and the largest of several."""
    low, high = f"{100 * min(values):.0f}", f"{100 * max(values):.0f}"
    return f"{low} %" if low == high else f"{low} to {high} %"


def thousandths(*values: float) -> str:
    """The smallest and the largest of several numbers."""
    return f"{min(values):.3f} to {max(values):.3f}"


def clear_of_floor(rows: Rows) -> list[str]:
    """The methods whose mean deletion is better than the floor's."""
    floor = next(row["deletion"] for row in rows if row["method"] == FLOOR)
    return [row["method"] for row in rows if row["deletion"] < floor]


def rank_correlation(rows: Rows, first: str, second: str) -> float:
    """Spearman's correlation of two metrics over the methods."""
    from scipy.stats import spearmanr

    return float(spearmanr([row[first] for row in rows], [row[second] for row in rows])[0])


def place(rows: Rows, method: str, metric: str) -> int:
    """The place of a method by a metric; 1 is the largest value."""
    value = next(row[metric] for row in rows if row["method"] == method)
    return 1 + sum(bool(row[metric] > value) for row in rows)


def markdown(rows: Rows) -> str:
    """The list of sentences."""
    by_name = {row["method"]: row for row in rows}

    def of(metric: str, names: Sequence[str]) -> list[float]:
        return [by_name[name][metric] for name in names]

    def grid(*names: str) -> str:
        return percent(*of("grid_pointing", names))

    floor = by_name[FLOOR]["deletion"]
    clear = clear_of_floor(rows)
    worse = [name for name in by_name if name not in (*clear, FLOOR)]
    by_insertion = sorted(by_name, key=lambda name: -by_name[name]["insertion"])[:2]
    lines = [
        "- **The CAMs that keep the gradient's sign find the class**: Finer-CAM, guided Grad-CAM,"
        " Grad-CAM, HiRes-CAM, XGrad-CAM and Shapley-CAM put"
        f" {grid(*SIGNED)} of their heat into the right tile. The last four are the same map here,"
        " as they must be where only average pooling and a linear layer follow. Finer-CAM, which"
        f" subtracts the rivals, does so best with ten of them ({grid(DEFAULT)}); averaged over"
        f" three sizes of the picture (`multi_scale`) it puts {grid(BEST)} there, and"
        f" {percent(by_name[BEST]['energy'])} on the object alone.",
        "- **CAMs that drop the negative part lose the class**: LayerCAM and Grad-CAM++ at the last"
        f" layer put {grid(*POSITIVE_ONLY)} into the right tile; in"
        f" {percent(*of('pointing', POSITIVE_ONLY))} of the pictures their hottest pixel is on the"
        " object. Take an earlier layer for them (below).",
        f"- **Deconvnet is at the floor ({grid('deconvnet')}), guided backprop hardly above it"
        f" ({grid('guided_backprop')})**: sharp pictures of edges, not explanations of a class."
        " This is what Adebayo et al. found in 2018. Guided Grad-CAM owes its"
        f" {grid('guided_grad_cam')} to Grad-CAM.",
        f"- **Plain input gradients are a little above the floor** ({grid('saliency')}); squaring"
        " them over noisy copies (SquareGrad, VarGrad) helps"
        f" ({grid('squaregrad', 'vargrad')}), averaging them (SmoothGrad,"
        f" {grid('smoothgrad')}) does not.",
        f"- **Deletion tells most methods from the floor ({floor:.3f}), but hardly from each"
        f" other** ({thousandths(*of('deletion', clear))}): in a picture of four photos little has"
        " to be covered for the class to go. Eigen-CAM and SmoothGrad of Grad-CAM++ are worse than"
        f" the floor ({thousandths(*of('deletion', worse))}).",
        "- **Insertion separates the methods, and mostly orders them as grid pointing does** (rank"
        f" correlation {rank_correlation(rows, 'grid_pointing', 'insertion'):.2f}). The two differ"
        " where maps are coarse or cover much: the two best by insertion,"
        f" `{by_insertion[0]}` and `{by_insertion[1]}`, have places"
        f" {place(rows, by_insertion[0], 'grid_pointing')} and"
        f" {place(rows, by_insertion[1], 'grid_pointing')} of {len(rows)} by grid pointing, and"
        f" RISE has place {place(rows, 'rise', 'insertion')} by insertion, but"
        f" {place(rows, 'rise', 'grid_pointing')} by grid pointing.",
        f"- **Eigen-CAM asks about no class**: its grid pointing ({grid('eigen_cam')}) is at the"
        " floor with a very large spread (standard deviation"
        f" {by_name['eigen_cam']['grid_pointing_sd']:.2f}), for it picks one of the four objects.",
    ]
    return "\n".join(lines) + "\n"


def claims(rows: Rows) -> dict[str, bool]:
    """What the sentences say without a number, and whether it holds."""
    by_name = {row["method"]: row for row in rows}
    grid = {name: row["grid_pointing"] for name, row in by_name.items()}
    floor = grid[FLOOR]
    published = [name for name in grid if name not in (BEST, DEFAULT, "multi_scale")]
    worse = set(by_name) - set(clear_of_floor(rows)) - {FLOOR}
    return {
        "the signed CAMs are the best as published": min(grid[name] for name in SIGNED)
        >= max(grid[name] for name in published if name not in SIGNED),
        "four of them are the same map": max(grid[name] for name in SAME_MAP)
        - min(grid[name] for name in SAME_MAP)
        < 1e-4,
        "ten rivals are better, several sizes better still": grid["finer_cam"]
        < grid[DEFAULT]
        < grid[BEST]
        == max(grid.values()),
        "LayerCAM and Grad-CAM++ lose the class": max(grid[name] for name in POSITIVE_ONLY)
        < min(grid[name] for name in SIGNED) / 1.5,
        "deconvnet is at the floor": abs(grid["deconvnet"] - floor) < 0.02,
        "guided backprop is hardly above it": 0 < grid["guided_backprop"] - floor < 0.1,
        "input gradients are a little above it": 0 < grid["saliency"] - floor < 0.2,
        "squaring helps": min(grid["squaregrad"], grid["vargrad"]) > grid["saliency"] + 0.05,
        "averaging does not": grid["smoothgrad"] <= grid["saliency"],
        "two methods are worse than the floor by deletion": worse == {"eigen_cam", AVERAGED},
        "insertion mostly agrees with grid pointing": rank_correlation(
            rows, "grid_pointing", "insertion"
        )
        > 0.7,
        "the two best by insertion are not by grid pointing": all(
            place(rows, name, "grid_pointing") > 5
            for name in by_name
            if place(rows, name, "insertion") <= 2
        ),
        "RISE is far better by insertion": place(rows, "rise", "insertion") + 10
        < place(rows, "rise", "grid_pointing"),
        "Eigen-CAM is at the floor and varies most": abs(grid["eigen_cam"] - floor) < 0.05
        and by_name["eigen_cam"]["grid_pointing_sd"]
        == max(row["grid_pointing_sd"] for row in rows),
        "insertion too is higher with several sizes": by_name[BEST]["insertion"]
        > by_name[DEFAULT]["insertion"],
    }
