"""Many clients of the live microscope at once, in a process of their own.

python -m benchmarks._live_crowd ADDRESS --clients 64 --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import httpx
import numpy as np

UNITS = 16
"""Of one layer that each client may silence."""

THINKING = 1.0
"""Seconds between two questions of one client, on average: people look at what they get."""


def percentile(values: list[float], share: float) -> float:
    """A percentile of times in milliseconds."""
    return round(1000 * float(np.percentile(values, share)), 1)


async def visit(
    address: str, number: int, until: float, seconds_by_route: dict[str, list[float]]
) -> int:
    """One client: looks at photos, layers, units and places, thinking between; its failures."""
    draw = random.Random(number)
    failures = 0
    names = ["astronaut", "cat-and-coffee", "chelsea", "coffee", "rocket"]
    headers = {"origin": address.rstrip("/")}
    async with httpx.AsyncClient(base_url=address, timeout=60, headers=headers) as client:
        await asyncio.sleep(draw.random() * THINKING)
        while time.perf_counter() < until:
            cat = f"photo=sample-{draw.choice(names)}"
            unit = f"blocks.{draw.randrange(3, 6)}:{draw.randrange(UNITS)}"
            question = draw.choice(
                [
                    f"look?{cat}&target={draw.randrange(50)}",
                    f"layer?{cat}&layer=blocks.{draw.randrange(7)}",
                    f"unit?{cat}&unit={unit}",
                    f"intervene?{cat}&unit={unit}&scale={draw.randrange(40) / 10}",
                    f"place?{cat}&row=150&column={draw.randrange(180, 220)}",
                ]
            )
            started = time.perf_counter()
            try:
                answer = await client.get(f"/api/{question}")
                failures += answer.status_code != 200
            except httpx.HTTPError:
                failures += 1
            seconds_by_route[question.partition("?")[0]].append(time.perf_counter() - started)
            await asyncio.sleep(draw.expovariate(1 / THINKING))
    return failures


async def crowd(address: str, clients: int, seconds: float) -> dict[str, Any]:
    """Many clients at once."""
    seconds_by_route: dict[str, list[float]] = defaultdict(list)
    until = time.perf_counter() + seconds
    failures = sum(
        await asyncio.gather(
            *(visit(address, number, until, seconds_by_route) for number in range(clients))
        )
    )
    every = [value for values in seconds_by_route.values() for value in values]
    return {
        "clients": clients,
        "seconds": seconds,
        "questions": len(every),
        "errors": failures,
        "median": percentile(every, 50),
        "p99": percentile(every, 99),
        "by route": {
            name: percentile(values, 99) for name, values in sorted(seconds_by_route.items())
        },
    }


def crowd_elsewhere(address: str, clients: int, seconds: float) -> dict[str, Any]:
    """The crowd in a process of its own, and the memory of this one, which holds the server."""
    words = [address, "--clients", str(clients), "--seconds", str(seconds)]
    started = resident_megabytes()
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks._live_crowd", *words], stdout=subprocess.PIPE, text=True
    )
    time.sleep(seconds / 2)
    middle = resident_megabytes()
    answer: dict[str, Any] = json.loads(child.communicate()[0])
    memory = {"before": started, "half way": middle, "after": resident_megabytes()}
    return {**answer, "megabytes": memory}


def resident_megabytes() -> int:
    """Memory of this process, which holds the server."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    return 0


def main() -> None:
    """Visit a server and print what the clients measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("address")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    print(json.dumps(asyncio.run(crowd(options.address, options.clients, options.seconds))))


if __name__ == "__main__":
    main()
