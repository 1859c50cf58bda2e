"""Write the README's numbers from what the benchmarks have left in docs/.

python -m benchmarks.readme

`benchmarks.speed` and `benchmarks.attribution_quality` write docs/speed.json and
docs/attribution.csv; no number between the README's marks has another source.
"""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

from convscope.core.files import write_whole

ROOT = Path(__file__).parent.parent
SPEED = {
    ("ascent", "visualize, geometric mean", "Lucent"): "feature visualization, a step an image",
    ("ascent", "visualize, geometric mean, bfloat16", "Lucent"): "the same in bfloat16",
    ("cam", "grad_cam, batch of 1", "pytorch-grad-cam"): "Grad-CAM, one photo",
    ("cam", "grad_cam, batch of 1", "torch-cam"): "Grad-CAM, one photo",
    ("cam", "cam, batch of 1", "torch-cam"): "CAM, one photo",
}
METHODS = (
    "multi_scale of finer_cam, rivals=10",
    "finer_cam, rivals=10",
    "finer_cam",
    "grad_cam",
    "saliency",
    "random_map",
)


def speed_table(data: dict[str, Any]) -> str:
    """One line for each row of `SPEED` that was measured, also where the peer is ahead."""
    lines = ["| what | on | peer | the peer takes | of the least cost |", "|---|---|---|---|---|"]
    for row in data["rows"]:
        title = SPEED.get((row["group"], row["job"], row["peer"]))
        if title is None or not row["ratio"]:
            continue
        least = f"{row['over_limit'][0]:.2f} x" if row["over_limit"] else ""
        lines.append(
            f"| {title} | {row['network']} | {row['peer']} | {row['ratio'][0]:.2f} x as long |"
            f" {least} |"
        )
    return "\n".join(lines)


def attribution_table(rows: list[dict[str, str]]) -> str:
    """The share of positive heat in the right one of four tiles."""
    shares = {row["method"]: float(row["grid_pointing"]) for row in rows}
    names = [name for name in METHODS if name in shares]
    return "\n".join(
        [
            "| " + " | ".join(names) + " |",
            "|" + "---|" * len(names),
            "| " + " | ".join(f"{100 * shares[name]:.0f} %" for name in names) + " |",
        ]
    )


def filled(text: str) -> str:
    """The README with the tables of the last benchmarks between its marks."""
    data = json.loads((ROOT / "docs" / "speed.json").read_text())
    with (ROOT / "docs" / "attribution.csv").open() as file:
        rows = list(csv.DictReader(file))
    for mark, table in (("speed", speed_table(data)), ("attribution", attribution_table(rows))):
        pattern = re.compile(rf"(<!-- {mark}:start -->\n).*?(<!-- {mark}:end -->)", re.DOTALL)
        match = pattern.search(text)
        assert match is not None, f"the README has no mark {mark}"
        text = f"{text[: match.start(1)]}{match[1]}\n{table}\n\n{text[match.start(2) :]}"
    return text


if __name__ == "__main__":
    path = ROOT / "README.md"
    write_whole(path, filled(path.read_text()).encode())
