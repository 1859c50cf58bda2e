"""Long work that is stopped: what the page is told, when, and what is left to be saved."""

from __future__ import annotations

import json
import re
import threading
import time
from contextlib import contextmanager

import pytest

from convscope.core import duration

CAT = "photo=sample-chelsea"


@pytest.fixture
def client(http_client):
    return http_client


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def client_watching(client, query):
    """The events of long work, as they come; on leaving, all of them."""
    seen = []

    def watch():
        with client.stream("GET", f"/api/job?{query}") as response:
            for line in response.iter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line[6:]))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        thread.join(60)


def test_a_slow_method_that_is_stopped_says_how_far_it_was(client):
    """It has no unfinished map; that is no failure, and it had begun."""
    query = f"verb=explain&{CAT}&method=rise&masks=4000"
    with client_watching(client, query) as seen:
        wait_until(lambda: any(event.get("step", 0) > 0 for event in seen))
        saved = client.get(f"/api/job/png?{query}")
        assert saved.status_code == 409
        assert "still being made" in saved.json()["error"]
        assert client.post(f"/api/job/stop?{query}").json() == {"stopped": True}
    assert seen[-1]["event"] == "stopped"
    steps = max(event.get("step", 0) for event in seen)
    sentence = re.fullmatch(
        r"Stopped after ([\d,]+) of 4,000 steps: there is no result to show\.", seen[-1]["ended"]
    )
    assert sentence
    assert int(sentence[1].replace(",", "")) >= steps > 0
    assert client.get(f"/api/job/png?{query}").status_code == 404


def test_work_that_waits_is_stopped_at_once(client):
    """Though what runs before it goes on."""
    before = f"verb=explain&{CAT}&method=rise&masks=3999"
    query = "verb=visualize&units=blocks.4:8&steps=1000&size=32"
    with client_watching(client, before) as first, client_watching(client, query) as seen:
        wait_until(lambda: any(event["event"] == "progress" for event in first) and seen)
        assert client.post(f"/api/job/stop?{query}").json() == {"stopped": True}
        wait_until(lambda: seen[-1]["event"] == "stopped", seconds=5)
        assert seen[-1]["ended"].startswith("Stopped before the first step")
        assert first[-1]["event"] in ("progress", "alive")
        assert client.get(f"/api/job/png?{query}").status_code == 404
        client.post(f"/api/job/stop?{before}")
    assert first[-1]["event"] == "stopped"


def test_what_a_stopped_run_left_is_not_the_picture_of_the_next(client):
    query = "verb=visualize&units=blocks.4:6&steps=1000&size=32"
    for _ in range(2):
        with client_watching(client, query) as seen:
            wait_until(lambda seen=seen: any(event["event"] == "picture" for event in seen))
            assert client.get(f"/api/job/png?{query}").status_code == 409
            client.post(f"/api/job/stop?{query}")
        assert seen[-1]["event"] == "done"
        assert client.get(f"/api/job/png?{query}").status_code == 200


def test_how_long_it_takes_is_said_to_the_page(client, monkeypatch, caplog):
    """And not on the terminal, where Ctrl-C would end the server."""
    monkeypatch.setattr(duration, "ANNOUNCED", 0.0)
    query = f"verb=explain&{CAT}&method=rise&masks=64&seed=5"
    with client_watching(client, query) as seen:
        pass
    said = [event["duration"] for event in seen if event.get("duration")]
    assert said
    assert re.fullmatch(r"\d+ (s|min)", said[-1])
    assert "Ctrl-C" not in caplog.text
