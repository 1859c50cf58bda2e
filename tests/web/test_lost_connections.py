"""A watcher whose connection is lost finds its optimization still running; one that leaves ends
it."""

from __future__ import annotations

import json
import threading
import time

import httpx
import pytest

from convscope.web import answers, long

ASKED = "verb=visualize&steps=1000&size=32"


@pytest.fixture
def client(http_client):
    return http_client


@pytest.fixture
def lane(server):
    """The lane of long work; nothing is left of it after a test."""
    lane = server.microscope.long
    yield lane
    for work in list(lane._work.values()):
        lane.stop(work.key)
    wait_until(lambda: not lane.running())


def wait_until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def watch(client, units, until, watcher="page-1"):
    """The events of an optimization until one that `until` accepts; then the connection is
    lost."""
    events = []
    path = f"/api/job?{ASKED}&units={units}&watcher={watcher}"
    with client.stream("GET", path) as response:
        assert response.status_code == 200
        for line in response.iter_lines():
            if line.startswith("data: "):
                events.append(json.loads(line[6:]))
                if until(events[-1]):
                    break
    return events


def is_picture(event):
    return event["event"] == "picture"


def test_who_comes_back_goes_on_where_it_is(client, lane):
    before = watch(client, "blocks.2:1", lambda event: event.get("step", 0) >= 4)
    assert before[0]["event"] == "waiting"
    work = next(iter(lane._work.values()))
    wait_until(lambda: not work.watchers)
    assert lane.running() == 1
    after = watch(client, "blocks.2:1", lambda event: event.get("step", 0) >= 12)
    assert list(lane._work.values()) == [work]
    assert after[0]["event"] == "picture"  # how far it is, at once
    assert after[0]["step"] >= before[-1]["step"]
    steps = [event["step"] for event in after if is_picture(event)]
    assert steps == sorted(steps)


def test_nobody_comes_back(client, lane, monkeypatch):
    monkeypatch.setattr(long, "RETURN_SECONDS", 0.2)
    watch(client, "blocks.2:2", is_picture)
    wait_until(lambda: not lane.running(), 10)


def test_who_leaves_ends_the_work_at_once(client, lane, monkeypatch):
    monkeypatch.setattr(long, "RETURN_SECONDS", 3600)
    watch(client, "blocks.2:3", is_picture)
    assert lane.running() == 1
    query = f"{ASKED}&units=blocks.2:3&watcher=page-1"
    assert client.post(f"/api/job/leave?{query}").json() == {"left": True}
    assert lane.running() == 0
    assert client.post(f"/api/job/leave?{query}").json() == {"left": False}


def test_one_of_two_watchers_leaves(client, lane):
    with client.stream("GET", f"/api/job?{ASKED}&units=blocks.2:4&watcher=stays") as stays:
        lines = stays.iter_lines()
        assert next(lines) == "retry: 500"
        watch(client, "blocks.2:4", is_picture, watcher="leaves")
        client.post(f"/api/job/leave?{ASKED}&units=blocks.2:4&watcher=leaves")
        assert lane.running() == 1
        client.post(f"/api/job/leave?{ASKED}&units=blocks.2:4&watcher=stays")
        assert lane.running() == 0
        assert "event: left" in list(lines)


def test_lost_work_does_not_hold_up_the_next(client, lane, monkeypatch):
    monkeypatch.setattr(long, "RETURN_SECONDS", 3600)
    watch(client, "blocks.2:5", is_picture)
    lost = next(iter(lane._work.values()))
    watch(client, "blocks.2:6", is_picture)
    assert lost.stopped.is_set()
    assert lost not in lane._work.values()


def test_a_result_that_came_meanwhile_is_sent(client, lane):
    query = "verb=visualize&steps=12&size=32&units=blocks.2:7&watcher=page-1"
    with client.stream("GET", f"/api/job?{query}") as response:
        for line in response.iter_lines():
            if line == "event: picture":
                break
    wait_until(lambda: not lane.running(), 60)
    assert "event: done" in client.get(f"/api/job?{query}").text
    assert len(lane.results) > 0


def test_a_question_of_a_closed_page_is_not_begun(client, server, monkeypatch):
    """It waited while the page was closed; the lane goes on with what others ask."""
    asked = []

    def intervention(microscope, photo, arguments):
        asked.append(arguments["scale"])
        return {}

    monkeypatch.setattr(answers, "intervention", intervention)
    quick, go_on = server.microscope.quick, threading.Event()
    quick.submit(lambda: go_on.wait(60))
    path = "/api/intervene?photo=sample-chelsea&unit=blocks.4:3"
    with pytest.raises(httpx.ReadTimeout):
        client.get(f"{path}&scale=0.321", timeout=1)
    wait_until(lambda: not quick._running)
    go_on.set()
    assert client.get(f"{path}&scale=0.654").status_code == 200
    assert asked == [0.654]
