"""How quick the live microscope is, and whether it stays up: over loopback, against a bare forward
of the same process.

python -m benchmarks live_load                        64 clients for a minute; writes docs/live.md
python -m benchmarks live_load --clients 8 --seconds 10 --out load.json
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

import convscope
from benchmarks._live_crowd import crowd_elsewhere, percentile
from benchmarks._page import between, write_measured
from convscope.photos.samples import sample
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from convscope.web.live import Live

PAGE = Path(__file__).parent.parent / "docs" / "live.md"
MARKS = ("<!-- load:start -->", "<!-- load:end -->")
"""Where the page holds the table."""

PROMISES = {
    "predictions, heat and all stage tiles": "p95 150 ms",
    "another target": "",
    "a unit silenced": "p95 60 ms",
    "first picture of a unit": "500 ms",
}
"""What is timed for one client, and the promise."""

WARM_UP = 3
REPEATS = 40


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
    """One client and nobody else. No question is asked twice, so that none comes from the cache;
    the first kind is about a new photo each time, already sent."""
    generator = np.random.default_rng(0)
    targets, scales = iter(range(1000)), iter(generator.uniform(0, 4, 1000).round(4))
    photos = iter([sent(client, server.address, number) for number in range(WARM_UP + REPEATS)])

    def ask(path: str) -> None:
        client.get(path).raise_for_status()

    cat = "photo=sample-chelsea"
    return {
        "predictions, heat and all stage tiles": timed(
            lambda: ask(f"/api/look?photo={next(photos)}")
        ),
        "another target": timed(lambda: ask(f"/api/look?{cat}&target={next(targets)}")),
        "a unit silenced": timed(
            lambda: ask(f"/api/intervene?{cat}&unit=blocks.3:11&scale={next(scales)}")
        ),
        "first picture of a unit": [first_picture(client, unit) for unit in range(12)][2:],
    }


def sent(client: httpx.Client, address: str, number: int) -> str:
    """The number of a photo that was sent: a part of a sample that no other call sends."""
    buffer = io.BytesIO()
    part = Image.fromarray(sample("coffee")).crop((2 * number, number, 300 + 2 * number, 300))
    part.save(buffer, "JPEG", quality=90)
    answer = client.post(
        "/api/photos", content=buffer.getvalue(), headers={"origin": address.rstrip("/")}
    )
    return str(answer.json()["id"])


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


def upload(client: httpx.Client, address: str) -> float:
    """Milliseconds to send a photo of 12 million pixels and see it answered."""
    buffer = io.BytesIO()
    Image.fromarray(sample("coffee")).resize((4000, 3000)).save(buffer, "JPEG", quality=92)
    origin = {"origin": address.rstrip("/")}
    started = time.perf_counter()
    photo = client.post("/api/photos", content=buffer.getvalue(), headers=origin).json()
    client.get(f"/api/look?photo={photo['id']}").raise_for_status()
    return round(1000 * (time.perf_counter() - started))


def table(numbers: dict[str, Any]) -> str:
    """The numbers beside what was promised, for docs/live.md."""
    many, memory = numbers["many at once"], numbers["many at once"]["megabytes"]
    rate = numbers["camera, frames a second"]
    bare = numbers["bare forward"]["median"]
    rows = [
        "| what | measured | promised |",
        "|---|---|---|",
        *(
            f"| {name} | median {numbers[name]['median']:.0f} ms, p95 {numbers[name]['p95']:.0f}"
            f" ms; {numbers[name]['bare forwards']:.1f} forwards | {goal} |"
            for name, goal in PROMISES.items()
        ),
        f"| camera in headless Chromium | {rate:.1f} frames a second | 10 frames a second |"
        if rate is not None
        else "| camera in headless Chromium | no Chromium here | 10 frames a second |",
        f"| {many['clients']} clients for {many['seconds']:.0f} s | {many['questions']} questions,"
        f" {many['errors']} errors, median {many['median']:.0f} ms, p99 {many['p99']:.0f} ms |"
        " no error, p99 2 s |",
        f"| memory of the server | {memory['before']} MB before, {memory['half way']} half way,"
        f" {memory['after']} after | flat |",
    ]
    note = f"A bare forward of the network took {bare:.0f} ms; {os.cpu_count()} cores."
    return "\n".join([*rows, "", note])


def write_docs(numbers: dict[str, Any]) -> None:
    """Put the table between its marks."""
    filled = between(PAGE.read_text(), *MARKS, table(numbers))
    write_measured(PAGE, filled, "benchmarks.live_load", MARKS)


def main() -> None:
    """Measure, print the numbers as JSON, and write them into docs/live.md unless --out names
    another file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    numbers: dict[str, Any] = {}
    with convscope.live(browser=False) as server:
        with httpx.Client(base_url=server.address, timeout=60) as client:
            server.microscope.long.submit(lambda: None).result()
            bare = bare_forward(server)
            unit = statistics.median(bare)
            numbers["bare forward"] = {"median": percentile(bare, 50), "p95": percentile(bare, 95)}
            for name, times in single(server, client).items():
                numbers[name] = {
                    "median": percentile(times, 50),
                    "p95": percentile(times, 95),
                    "bare forwards": round(statistics.median(times) / unit, 2),
                }
            numbers["12 megapixels sent and answered"] = upload(client, server.address)
        numbers["camera, frames a second"] = camera_rate(server.address, 6)
        numbers["many at once"] = crowd_elsewhere(server.address, options.clients, options.seconds)
    text = json.dumps(numbers, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")
    else:
        write_docs(numbers)


if __name__ == "__main__":
    main()
