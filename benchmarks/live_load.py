"""How quick the live microscope is, and whether it stays up: over loopback, against a bare forward
of the same process.

python -m benchmarks live_load                        64 clients for a minute
python -m benchmarks live_load --clients 8 --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

import convscope
from convscope.photos.samples import sample
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.web.live import Live

UNITS = 16
"""Of one layer that each client may silence."""

THINKING = 1.0
"""Seconds between two questions of one client, on average: people look at what they get."""

WARM_UP = 3
REPEATS = 40


def percentile(values: list[float], share: float) -> float:
    """A percentile of times in milliseconds."""
    return round(1000 * float(np.percentile(values, share)), 1)


def timed(call: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Seconds of each call, after some that do not count."""
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return times


def bare_forward(server: Live) -> list[float]:
    """The network alone, on its faster copy."""
    model = server.microscope.model
    image = model.preprocess(server.microscope.photos.get("sample-chelsea").fitted)

    def run() -> None:
        with Probe(inference_copy(model)) as probe:
            probe.output(image)

    return timed(run)


def single(server: Live, client: httpx.Client) -> dict[str, list[float]]:
    """One client and nobody else. No question is asked twice, so that none comes from the cache."""
    generator = np.random.default_rng(0)
    targets, scales = iter(range(1000)), iter(generator.uniform(0, 4, 1000).round(4))

    def ask(path: str) -> None:
        client.get(path).raise_for_status()

    cat = "photo=sample-chelsea"
    return {
        "predictions, heat and all stage tiles": timed(
            lambda: ask(f"/api/look?{cat}&target={next(targets)}")
        ),
        "a unit silenced": timed(
            lambda: ask(f"/api/intervene?{cat}&unit=blocks.3:11&scale={next(scales)}")
        ),
        "first picture of a unit": [first_picture(client, unit) for unit in range(12)][2:],
    }


def first_picture(client: httpx.Client, unit: int) -> float:
    """Seconds until the first unfinished picture of a unit; then the page is closed."""
    started = time.perf_counter()
    with client.stream("GET", f"/api/job?verb=visualize&units=blocks.3:{unit}") as response:
        for line in response.iter_lines():
            if line == "event: picture":
                break
    return time.perf_counter() - started


def camera_rate(address: str, seconds: float) -> float | None:
    """Frames a second that the page shows in headless Chromium with its fake camera."""
    chromium = shutil.which("chromium")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", *fake])
        page = browser.new_context(permissions=["camera"]).new_page()
        page.goto(f"{address}camera")
        page.get_by_role("button", name="Start camera").click()
        page.wait_for_selector(".rate[data-rate]")
        page.wait_for_timeout(1000 * seconds)
        rate = float(page.locator(".rate").get_attribute("data-rate") or 0)
        browser.close()
    return rate


async def visit(address: str, number: int, until: float, seen: dict[str, list[float]]) -> int:
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
            seen[question.partition("?")[0]].append(time.perf_counter() - started)
            await asyncio.sleep(draw.expovariate(1 / THINKING))
    return failures


async def crowd(address: str, clients: int, seconds: float) -> dict[str, Any]:
    """Many clients at once."""
    seen: dict[str, list[float]] = defaultdict(list)
    until = time.perf_counter() + seconds
    started = resident_megabytes()
    visits = asyncio.gather(*(visit(address, number, until, seen) for number in range(clients)))
    await asyncio.sleep(seconds / 2)
    middle = resident_megabytes()
    failures = sum(await visits)
    every = [value for values in seen.values() for value in values]
    return {
        "clients": clients,
        "seconds": seconds,
        "questions": len(every),
        "errors": failures,
        "median": percentile(every, 50),
        "p99": percentile(every, 99),
        "megabytes": {"before": started, "half way": middle, "after": resident_megabytes()},
        "by route": {name: percentile(values, 99) for name, values in sorted(seen.items())},
    }


def resident_megabytes() -> int:
    """Memory of this process, which holds the server."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) // 1024
    return 0


def upload(client: httpx.Client, address: str) -> float:
    """Milliseconds to send a photo of 12 million pixels and see it answered."""
    buffer = io.BytesIO()
    Image.fromarray(sample("coffee")).resize((4000, 3000)).save(buffer, "JPEG", quality=92)
    origin = {"origin": address.rstrip("/")}
    started = time.perf_counter()
    photo = client.post("/api/photos", content=buffer.getvalue(), headers=origin).json()
    client.get(f"/api/look?photo={photo['id']}").raise_for_status()
    return round(1000 * (time.perf_counter() - started))


def main() -> None:
    """Measure, and print the numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with convscope.live(browser=False) as server:
        with httpx.Client(base_url=server.address, timeout=60) as client:
            server.microscope.long.submit(lambda: None).result()
            bare = bare_forward(server)
            unit = statistics.median(bare)
            found["bare forward"] = {"median": percentile(bare, 50), "p95": percentile(bare, 95)}
            for name, times in single(server, client).items():
                found[name] = {
                    "median": percentile(times, 50),
                    "p95": percentile(times, 95),
                    "bare forwards": round(statistics.median(times) / unit, 2),
                }
            found["12 megapixels sent and answered"] = upload(client, server.address)
        found["camera, frames a second"] = camera_rate(server.address, 6)
        found["many at once"] = asyncio.run(crowd(server.address, options.clients, options.seconds))
    text = json.dumps(found, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
