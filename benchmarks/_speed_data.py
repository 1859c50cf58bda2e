"""The rows of the speed benchmark as docs/speed.json holds them.

Each has the setup in which it was measured, so that a run of a few rows, or one that is stopped,
leaves the others as they are.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Collection
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks._duel import Row
from benchmarks.speed_rows._missing import NOT_INSTALLED
from convscope.core.files import write_whole

GROUPS = (
    "startup",
    "overhead",
    "ascent",
    "cam",
    "gradients",
    "fooling",
    "maco",
    "growth",
    "memory",
)
PEERS = ("torch-lucent", "kornia", "grad-cam", "torchcam", "captum", "foolbox", "horama")


def setup_of(device: str, *, quick: bool) -> str:
    """What a row is measured with: torch, the device, threads and the peers' versions."""
    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    peers = ", ".join(f"{name} {number}" for name, number in versions().items())
    against = f", against {peers}" if peers else ""
    short = ", in a quick run" if quick else ""
    threads = torch.get_num_threads()
    return f"torch {torch.__version__} on {name}, {threads} thread(s){against}{short}"


def processor() -> str:
    """The processor's name, or its architecture where the system does not tell it."""
    path = Path("/proc/cpuinfo")
    if path.is_file():
        for line in path.read_text().splitlines():
            key, _, name = line.partition(":")
            if key.strip() == "model name":
                return f"{name.strip()} ({platform.machine()})"
    return f"{platform.machine()} processor"


def versions() -> dict[str, str]:
    """The peers' versions."""
    table = {}
    for name in PEERS:
        try:
            table[name] = version(name)
        except PackageNotFoundError:
            continue
    return table


def stored_rows(folder: Path) -> list[Row]:
    """The rows of a folder's speed.json; none where there is no such file."""
    path = folder / "speed.json"
    if not path.exists():
        return []
    data = json.loads(path.read_text())
    rows = []
    for values in data["rows"]:
        fields = {key: _tuples(value) for key, value in values.items() if key != "held"}
        rows.append(Row(**{**fields, "setup": data["setups"][values["setup"]]}))
    return rows


def _tuples(value: Any) -> Any:
    """JSON's lists of numbers as the ratios are kept."""
    return (
        tuple(value)
        if isinstance(value, list) and value and not isinstance(value[0], list)
        else value
    )


def write_rows(folder: Path, rows: list[Row]) -> None:
    """Write speed.json whole."""
    setups = list(dict.fromkeys(row.setup for row in rows))
    values = [{**asdict(row), "setup": setups.index(row.setup), "held": row.held} for row in rows]
    data = {"setups": setups, "rows": values}
    write_whole(folder / "speed.json", json.dumps(data, indent=1).encode())


def merged(stored: list[Row], new: list[Row], finished: Collection[str] = ()) -> list[Row]:
    """The stored rows with the new ones in their places, and rows of another name behind those of
    their group. Of a group that was `finished` the new rows alone remain, but where a peer is not
    installed: then its stored rows stay."""
    rows: list[Row] = []
    for group in GROUPS:
        fresh = [row for row in new if row.group == group]
        old = [row for row in stored if row.group == group]
        if group in finished and not any(NOT_INSTALLED in row.missing for row in fresh):
            old = []
        by_name = {_name(row): row for row in fresh}
        for row in old:
            measured = by_name.pop(_name(row), row)
            rows.append(row if measured.missing and not row.missing else measured)
        rows += by_name.values()
    return rows


def _name(row: Row) -> tuple[str, ...]:
    return row.group, row.job, row.network, row.peer
