"""The table of docs/atlas.md on speed and resumption, from what `benchmarks.atlas` measured.

Each command of `python -m benchmarks.atlas` leaves its numbers in docs/atlas.json (`keep_part`).
"""

from __future__ import annotations

from typing import Any

from benchmarks._page import between, read_data, write_data

BEGIN, END = "<!-- atlas:start -->", "<!-- atlas:end -->"
"""Where docs/atlas.md holds the table."""
DATA = "atlas"
LEAST_RATE = 0.9
"""Of the photo rate of the bare forward."""
MOST_TIME = 1.15
"""Of the bare optimization's time."""
LEAST_SPEEDUP = 1.7
"""Of two workers over one."""


def keep_part(name: str, numbers: dict[str, Any]) -> None:
    """Put the numbers of one command into docs/atlas.json."""
    write_data(DATA, {**read_data(DATA), name: numbers})


def filled(page: str, data: dict[str, Any]) -> str:
    """docs/atlas.md with its table."""
    return between(page, BEGIN, END, markdown(data))


def markdown(data: dict[str, Any]) -> str:
    """A row for each command, beside what was wanted."""
    whole, build, photos = data["whole"], data["build"], data["examples"]
    kill, ray, workers = data["kill local"], data["kill ray"], data["workers"]
    beside = f", beside {whole['beside']}" if whole["beside"] else ""
    command = "`python -m benchmarks.atlas"
    rows = [
        (
            f"whole atlas of {whole['units']:,} units, {whole['steps']} steps at {whole['side']}"
            f" px{beside} ({command} build --whole`)",
            f"{whole['minutes']:.0f} min, {whole['rate']:.2f} units a second, peak"
            f" {whole['gigabytes']:.2f} GB",
            "",
        ),
        (
            "a unit in the atlas against the bare batched optimization, one thread, all layers"
            f" ({command} build`)",
            f"{build['ratio']:.2f} x its time ({build['rate']:.2f} units a second)",
            _wanted(f"at most {MOST_TIME}", is_met=build["ratio"] <= MOST_TIME),
        ),
        (
            f"examples over {photos['photos']:,} photos, all {photos['units']:,} units: photo rate"
            " against reading the photos and running the network as it is"
            f" ({command} examples`)",
            f"{photos['over_bare']:.1f} x; with the crops {photos['with_crops']:.1f} x"
            f" ({photos['rate']:.0f} photos a second); the pass runs the prepared network, of whose"
            f" rate it reaches {photos['of_prepared']:.0%}; peak {photos['gigabytes']:.2f} GB",
            _wanted(f"at least {LEAST_RATE} x", is_met=photos["over_bare"] >= LEAST_RATE),
        ),
        (
            f"killed (SIGKILL) at {kill['kills']} random moments of build and examples, resumed"
            f" ({command} kill`)",
            f"the same bytes in all {kill['atlases']} atlases",
            "",
        ),
        (
            f"the same with Ray: driver and workers killed {ray['kills']} times"
            f" ({command} kill --engine ray --times {ray['kills']}`)",
            "the same bytes",
            "",
        ),
        (
            f"two Ray workers of one thread against one ({command} workers`)",
            f"{workers['speedup']:.2f} x as fast",
            _wanted(f"at least {LEAST_SPEEDUP}", is_met=workers["speedup"] >= LEAST_SPEEDUP),
        ),
    ]
    lines = ["| what | measured | wanted: met |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def _wanted(aim: str, *, is_met: bool) -> str:
    return f"{aim}: {'yes' if is_met else 'no'}"
