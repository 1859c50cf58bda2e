"""Clients take turns, equal questions are answered once, and only a page's newest frame counts."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from PIL import Image

import convscope
from convscope.networks.checksum import WeightViews
from convscope.web import answers as answers_of_verbs
from convscope.web.errors import Busy
from convscope.web.fair_queue import FairQueue, Job
from convscope.web.quick import Answer, QuickLane
from tests.small_atlas import small_model
from tests.web.conftest import ORIGIN

CAT = "photo=sample-chelsea"


def waiting(client, name=None, slot=None):
    return Job(client, lambda: name, slot=slot)


def names_of(queue):
    return [job.work() for job in iter(queue.take, None)]


def test_clients_take_turns():
    queue = FairQueue(limit=20, client_limit=10)
    for number in range(4):
        queue.put(waiting("greedy", f"greedy {number}"))
    queue.put(waiting("late", "late"))
    queue.put(waiting("later", "later"))
    assert len(queue) == 6
    assert names_of(queue) == ["greedy 0", "late", "later", "greedy 1", "greedy 2", "greedy 3"]
    assert len(queue) == 0


def test_one_client_cannot_fill_the_queue():
    queue = FairQueue(limit=5, client_limit=3)
    for _ in range(3):
        queue.put(waiting("greedy"))
    with pytest.raises(Busy, match="3 questions of this page"):
        queue.put(waiting("greedy"))
    for number in range(2):
        queue.put(waiting(f"other {number}"))
    with pytest.raises(Busy, match="5 questions"):
        queue.put(waiting("one more"))


def test_what_nobody_waits_for_takes_no_place():
    queue = FairQueue(limit=3, client_limit=2)
    gone = [waiting("page", "gone"), waiting("page", "gone too")]
    for job in gone:
        queue.put(job)
        job.future.cancel()
    queue.put(waiting("page", "here"))
    assert len(queue) == 1
    assert names_of(queue) == ["here"]


def test_the_newest_frame_takes_the_place_of_older_ones():
    queue = FairQueue(limit=3, client_limit=2)
    frames = [waiting("camera", number, slot="frame") for number in range(4)]
    assert queue.put(frames[0])
    assert queue.put(waiting("other"))
    assert [queue.put(frame) for frame in frames[1:]] == [False] * 3
    assert queue.put(waiting("another camera", 9, slot="frame"))
    job = queue.take()
    assert not frames[0].future.done()
    job.run()
    assert [frame.future.result(0) for frame in frames] == [None, None, None, 3]
    assert names_of(queue) == [None, 9]


def test_older_frames_are_answered_when_the_page_has_left_the_newest():
    queue = FairQueue(limit=3, client_limit=2)
    older, newest = (waiting("camera", number, slot="frame") for number in range(2))
    queue.put(older)
    queue.put(newest)
    newest.future.cancel()
    queue.take().run()
    assert older.future.result(0) is None


def hold_up(lane):
    """Keeps the lane's thread busy; what it holds on to, and what sets it free."""
    go_on, begun = threading.Event(), threading.Event()

    def work():
        begun.set()
        return go_on.wait(60)

    future = lane.submit(work, client="holds up")
    assert begun.wait(60)
    return future, go_on


def counted(function, calls):
    """The function, and a note in `calls` of every call."""

    def call(*args):
        calls.append(args)
        return function(*args)

    return call


def test_a_lane_that_is_closed_waits_for_nothing():
    lane = QuickLane()
    first, go_on = hold_up(lane)
    second = lane.submit(lambda: "never")
    lane.close()
    assert second.cancelled()
    go_on.set()
    assert first.result(10) is True
    assert lane.idle.wait(10)


@pytest.fixture
def held(microscope):
    """The quick lane held up until `held.set()`; everything asked meanwhile waits."""
    _, go_on = hold_up(microscope.quick)
    yield go_on
    go_on.set()


def ask_at_once(microscope, calls):
    """What calls give that are made in threads of their own, and all wait before any is
    answered."""
    answers = {}

    def run(name, call):
        answers[name] = call()

    threads = []
    for name, call in enumerate(calls):
        threads.append(threading.Thread(target=run, args=(name, call)))
        threads[-1].start()
    return threads, answers


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_equal_questions_in_flight_are_computed_once(client, microscope, held, monkeypatch):
    calls: list[object] = []
    counting = counted(answers_of_verbs.intervention, calls)
    monkeypatch.setattr(answers_of_verbs, "intervention", counting)
    path = f"/api/intervene?{CAT}&unit=blocks.4:3&scale=0.123"
    threads, answers = ask_at_once(microscope, [lambda: client.get(path)] * 4)
    running = microscope.quick._running
    wait_until(lambda: [shared.waiters for shared in running.values()] == [4])
    held.set()
    for thread in threads:
        thread.join(60)
    assert [answer.status_code for answer in answers.values()] == [200] * 4
    assert len({answer.content for answer in answers.values()}) == 1
    assert len(calls) == 1


def test_an_equal_question_is_computed_in_the_first_turn_of_any_who_asked():
    lane = QuickLane()
    order: list[str] = []

    async def ask():
        _, go_on = hold_up(lane)

        def work(name: str) -> Callable[[], Answer]:
            def answer() -> Answer:
                order.append(name)
                return Answer(name.encode())

            return answer

        asked = [lane.answer(name, work(name), client="greedy") for name in ("a", "b", "c")]
        asked.append(lane.answer("c", work("c again"), client="modest"))
        waiting = [asyncio.ensure_future(one) for one in asked]
        while len(lane.queue) < 4:
            await asyncio.sleep(0.001)
        go_on.set()
        return await asyncio.gather(*waiting)

    # In a thread of its own: the browser tests leave a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        answers = thread.submit(asyncio.run, ask()).result()
    lane.close()
    assert order == ["a", "c", "b"]
    assert [answer.body for answer in answers] == [b"a", b"b", b"c", b"c"]


def test_of_a_page_s_frames_that_wait_only_the_newest_is_looked_at(client, microscope, held):
    def send(page, shade):
        buffer = io.BytesIO()
        Image.new("RGB", (64, 64), (shade, shade, shade)).save(buffer, "PNG")
        headers = ORIGIN | {"x-page": page}
        return lambda: client.post("/api/frame", content=buffer.getvalue(), headers=headers)

    queue = microscope.quick.queue
    threads, answers = ask_at_once(microscope, [send("first", 10)])
    wait_until(lambda: len(queue) == 1)
    more, later = ask_at_once(microscope, [send("first", 200), send("second", 90)])
    wait_until(
        lambda: (
            len(queue) == 2 and any(job.replaced for jobs in queue._jobs.values() for job in jobs)
        )
    )
    held.set()
    for thread in [*threads, *more]:
        thread.join(60)
    assert answers[0].status_code == 204
    assert answers[0].content == b""
    assert [later[0].status_code, later[1].status_code] == [200, 200]


def test_a_greedy_page_is_told_to_come_back_and_others_are_answered(
    client, microscope, held, monkeypatch
):
    monkeypatch.setattr(microscope.quick.queue, "client_limit", 2)

    def ask(page, target):
        path = f"/api/explain?{CAT}&target={target}"
        return lambda: client.get(path, headers={"x-page": page})

    threads, answers = ask_at_once(microscope, [ask("greedy", number) for number in (800, 801)])
    wait_until(lambda: len(microscope.quick.queue) == 2)
    busy = ask("greedy", 802)()
    assert busy.status_code == 429
    assert "of this page" in busy.json()["error"]
    more, others = ask_at_once(microscope, [ask("modest", 803)])
    wait_until(lambda: len(microscope.quick.queue) == 3)
    held.set()
    for thread in [*threads, *more]:
        thread.join(60)
    assert [answers[0].status_code, answers[1].status_code] == [200, 200]
    assert others[0].status_code == 200


class TestBurst:
    """Questions that follow each other without a pause look the network over once."""

    @pytest.fixture
    def checks(self, monkeypatch):
        """How often the weights were read."""
        calls: list[object] = []
        monkeypatch.setattr(WeightViews, "checksum", counted(WeightViews.checksum, calls))
        return calls

    @pytest.fixture
    def model(self):
        return small_model()

    def ask(self, model, photo):
        return convscope.predict(model, photo)["score"]

    def test_weights_are_read_once_a_burst(self, model, checks):
        photo = torch.rand(1, 3, 24, 24)
        self.ask(model, photo)
        checks.clear()
        for _ in range(3):
            self.ask(model, photo)
        alone = len(checks)
        assert alone >= 3
        checks.clear()
        with model.state.memory.unchanged():
            for _ in range(3):
                self.ask(model, photo)
        assert 0 < len(checks) <= alone / 3

    def test_a_change_after_a_burst_is_noticed(self, model):
        photo = torch.rand(1, 3, 24, 24)
        lane = QuickLane(burst=model.state.memory.unchanged)
        before = lane.submit(lambda: self.ask(model, photo)).result(60)
        assert lane.idle.wait(60)
        for weight in model.network.parameters():
            weight.data.mul_(1.5)
        after = lane.submit(lambda: self.ask(model, photo)).result(60)
        lane.close()
        assert abs(after - before).max() > 1e-3

    def test_another_thread_looks_for_itself(self, model, checks):
        photo = torch.rand(1, 3, 24, 24)
        before = self.ask(model, photo)
        seen = []
        with model.state.memory.unchanged():
            self.ask(model, photo)
            for weight in model.network.parameters():
                weight.data.mul_(1.5)
            thread = threading.Thread(target=lambda: seen.append(self.ask(model, photo)))
            thread.start()
            thread.join(60)
        assert abs(seen[0] - before).max() > 1e-3
