"""What the routes send is what the verbs give, and the pictures are the command line's."""

from __future__ import annotations

import base64
import io
import json
import shlex
import threading
import time

import numpy as np
import pytest
from PIL import Image

import convscope
from convscope.cli import main
from convscope.web.limits import LONG_QUEUE, QUICK_QUEUE

CAT = "photo=sample-chelsea"
ORIGIN = {"origin": "http://127.0.0.1:8000"}


def numbers(text, *shape):
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


def picture(url):
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def events(response):
    return [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: ")]


def test_state_names_what_can_be_asked(client, embedded):
    state = client.get("/api/state").json()
    assert state["model"]["labels"][281] == "tabby"
    assert state["stages"] == [f"blocks.{index}" for index in range(7)]
    names = {method["name"] for method in state["methods"]}
    assert {"grad_cam", "saliency", "rise", "integrated_gradients"} <= names
    rise = next(method for method in state["methods"] if method["name"] == "rise")
    assert not rise["quick"]
    for option in rise["options"]:
        assert option["kind"] in ("number", "choice", "switch", "text")
        assert option["help"]


def test_a_neurons_comma_does_not_part_two_units(client, embedded, chelsea):
    """`layer:index:row,column`, alone and among others, in every question that names a unit."""
    seen = client.get(f"/api/unit?{CAT}&unit=blocks.3:11:2,3").json()
    assert (seen["row"], seen["column"], seen["index"]) == (2, 3, 11)
    seen = client.get(f"/api/intervene?{CAT}&unit=blocks.3:11:2,3&scale=0").json()
    wanted = convscope.intervene(embedded, chelsea, "blocks.3:11:2,3", top=6).table
    rows = seen["answer"] + seen["raises"] + seen["lowers"]
    assert [row["change"] for row in rows] == pytest.approx(
        [row["change"] for row in wanted], abs=1e-4
    )
    for units, titles in (
        ("blocks.3:11:2,3", ["blocks.3:11:2,3"]),
        ("blocks.3:11:2,3,blocks.3:12", ["blocks.3:11:2,3", "blocks.3:12"]),
        ("blocks.3:12,blocks.3:11:2,3", ["blocks.3:12", "blocks.3:11:2,3"]),
        ("blocks.3:12, blocks.3:13", ["blocks.3:12", "blocks.3:13"]),
    ):
        query = f"verb=visualize&units={units}&steps=2&size=64"
        with client.stream("GET", f"/api/job?{query}") as got:
            assert events(got)[-1]["titles"] == titles
    recipe = client.get("/api/recipe?verb=visualize&units=blocks.3:11:2,3").json()
    assert shlex.split(recipe["command"])[2] == "blocks.3:11:2,3"


def test_look_is_predict_explain_and_activations(client, embedded, chelsea):
    seen = client.get(f"/api/look?{CAT}&target=281").json()
    rows = convscope.predict(embedded, chelsea, top=6).table
    assert [row["index"] for row in seen["predictions"]] == [row["index"] for row in rows]
    for row, wanted in zip(seen["predictions"], rows, strict=True):
        assert row["probability"] == pytest.approx(wanted["probability"], abs=1e-4)
    heat = seen["heat"]["maps"][0]
    wanted = convscope.explain(embedded, chelsea, method="grad_cam", target=281)["heatmap"][0]
    values = numbers(heat["values"], heat["height"], heat["width"])
    assert np.array_equal(values, wanted)  # the part the network sees gives the photo's numbers
    assert picture(heat["image"]).size == (7, 7)
    assert seen["photo"]["box"] == pytest.approx(embedded.preprocessing.box(300, 451))
    stage = seen["stages"][3]
    assert stage["layer"] == "blocks.3"
    assert stage["shape"] == [80, 14, 14]
    assert picture(stage["tiles"]["image"]).size == (16 * 14, 5 * 14)
    maps = convscope.activations(embedded, chelsea, layers="blocks.3")["blocks.3"][0]
    assert stage["order"][0] == int(maps.mean((1, 2)).argmax())


def test_heat_of_the_picture_is_that_of_explain(client, embedded, chelsea):
    """The brightest pixel of the colored map is the map's maximum."""
    heat = client.get(f"/api/explain?{CAT}&method=hires_cam").json()["maps"][0]
    values = numbers(heat["values"], heat["height"], heat["width"])
    shades = np.asarray(picture(heat["image"]).convert("L"))
    assert shades.argmax() == values.argmax()
    assert heat["high"] == pytest.approx(values.max())


def test_unit_and_intervention(client, embedded, chelsea):
    unit = client.get(f"/api/unit?{CAT}&unit=blocks.5:17").json()
    maps = convscope.activations(embedded, chelsea, layers="blocks.5")["blocks.5"][0, 17]
    assert np.array_equal(numbers(unit["fires"]["values"], 7, 7), maps)
    assert unit["atlas"] is None
    seen = client.get(f"/api/intervene?{CAT}&unit=blocks.5:17&scale=0").json()
    wanted = convscope.intervene(embedded, chelsea, "blocks.5:17", top=6).table
    rows = seen["answer"] + seen["raises"] + seen["lowers"]
    assert [row["index"] for row in rows] == [row["index"] for row in wanted]
    assert [row["change"] for row in rows] == pytest.approx(
        [row["change"] for row in wanted], abs=1e-4
    )


def test_place(client, embedded, chelsea):
    seen = client.get(f"/api/place?{CAT}&row=120&column=200").json()
    wanted = convscope.place(embedded, chelsea, 120, 200).table
    assert seen["title"] == "tiger cat"
    assert [row["contribution"] for row in seen["classes"]] == pytest.approx(
        [row["contribution"] for row in wanted if row["list"] == "class"], abs=1e-4
    )
    assert [layer["layer"] for layer in seen["layers"]] == [f"blocks.{n}" for n in range(7)]
    said = client.get(f"/api/place?{CAT}&row=2&column=2")
    assert said.status_code == 400
    assert "lies outside" in said.json()["error"]


@pytest.mark.parametrize(
    "query",
    [
        "verb=explain&photo=sample-coffee&target=cup&method=layer_cam",
        "verb=predict&photo=sample-coffee&top=3",
        "verb=activations&photo=sample-coffee&layers=blocks.5",
        "verb=intervene&photo=sample-coffee&unit=blocks.5:17&scale=0",
        "verb=place&photo=sample-coffee&row=200&column=300&layers=blocks.5",
    ],
)
def test_the_saved_picture_is_the_command_line_s(client, tmp_path, query):
    """Byte for byte, provenance included: what "copy command" copies makes what "save PNG"
    saves."""
    saved = client.get(f"/api/png?{query}")
    assert saved.headers["content-type"] == "image/png"
    words = shlex.split(client.get(f"/api/recipe?{query}").json()["command"])
    words[words.index("--out") + 1] = str(tmp_path / "out.png")
    assert words[0] == "convscope"
    assert main([*words[1:], "--quiet"]) == 0
    assert (tmp_path / "out.png").read_bytes() == saved.content


def test_the_copied_python_runs(client, tmp_path, monkeypatch):
    query = "verb=explain&photo=sample-coffee&target=cup&seed=3"
    monkeypatch.chdir(tmp_path)
    exec(client.get(f"/api/recipe?{query}").json()["python"], {})
    saved = client.get(f"/api/png?{query}").content
    assert (tmp_path / "coffee-explain.png").read_bytes() == saved


def test_the_photo_as_a_layer_sees_it(client, embedded, chelsea):
    query = f"verb=activation_grid&{CAT}&layer=blocks.5&cells=2&size=32&steps=3"
    with client.stream("GET", f"/api/job?{query}") as response:
        last = events(response)[-1]
    assert last["event"] == "done"
    wanted = convscope.activation_grid(
        embedded, chelsea, layer="blocks.5", cells=2, size=32, steps=3
    )
    height, width = wanted["image"].shape[-2:]
    assert picture(last["image"]).size == (width, height)
    assert last["step"] == 3
    recipe = client.get(f"/api/recipe?{query}").json()
    assert recipe["command"].startswith("convscope activation_grid sample:chelsea --layer blocks.5")
    for refused in ("cells=9", "cells=0", "layer=no_such_layer", "preset=none"):
        asked = f"/api/job?verb=activation_grid&{CAT}&{refused}"
        assert client.get(asked).status_code == 400


def test_a_unit_s_picture_comes_in_steps_and_is_kept(client, microscope, tmp_path):
    query = "verb=visualize&units=blocks.2:5&steps=6&size=48"
    with client.stream("GET", f"/api/job?{query}") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        seen = events(response)
    kinds = [event["event"] for event in seen]
    assert kinds[0] == "waiting"
    assert kinds[-1] == "done"
    steps = [event["step"] for event in seen if event["event"] == "picture"]
    assert steps[0] == 1
    assert steps == sorted(steps)
    assert picture(seen[-1]["image"]).size == (48, 48)
    assert seen[-1]["ended"] is None
    with client.stream("GET", f"/api/job?{query}") as response:
        assert [event["event"] for event in events(response)] == ["done"]
    saved = client.get(f"/api/job/png?{query}").content
    out = tmp_path / "unit.png"
    actual = ["--preset", "quick", "--steps", "6", "--size", "48", "--quiet"]
    words = ["visualize", "blocks.2:5", *actual, "--out"]
    assert main([*words, str(out)]) == 0
    assert out.read_bytes() == saved


def test_the_preview_of_the_last_step_is_the_picture(client):
    with client.stream("GET", "/api/job?verb=visualize&units=blocks.2:6&steps=4&size=32") as got:
        seen = events(got)
    last = [event for event in seen if event["event"] == "picture"][-1]
    assert last["step"] == 4
    assert last["image"] == seen[-1]["image"]


def test_a_slow_method_as_work(client, embedded, chelsea):
    query = f"verb=explain&{CAT}&method=occlusion&target=281&window=112&stride=112"
    with client.stream("GET", f"/api/job?{query}") as response:
        seen = events(response)
    if seen[-1]["event"] == "failed":
        pytest.fail(seen[-1]["error"])
    heat = seen[-1]["explanation"]["maps"][0]
    assert numbers(heat["values"], heat["height"], heat["width"]).shape == (224, 224)


def test_stopping_keeps_what_was_made(client, microscope):
    query = "verb=visualize&units=blocks.4:7&steps=1000&size=32"
    seen = []

    def watch():
        with client.stream("GET", f"/api/job?{query}") as response:
            seen.extend(events(response))

    thread = threading.Thread(target=watch)
    thread.start()
    while not microscope.long.running():
        time.sleep(0.01)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.3)
        work = next(iter(microscope.long._work.values()), None)
        if work is None or (work.latest or {}).get("event") == "picture":
            break
    assert client.post(f"/api/job/stop?{query}", headers=ORIGIN).json() == {"stopped": True}
    thread.join(60)
    assert seen[-1]["event"] == "done"
    assert seen[-1]["ended"].startswith("interrupted after")
    assert seen[-1]["step"] < 1000
    saved = client.get(f"/api/job/png?{query}")
    assert saved.status_code == 200


def test_a_camera_takes_no_slow_method(client, chelsea):
    buffer = io.BytesIO()
    Image.fromarray(chelsea).save(buffer, "JPEG")
    said = client.post("/api/frame?method=rise", content=buffer.getvalue(), headers=ORIGIN)
    assert said.status_code == 400
    assert "choose a quick method" in said.json()["error"]


def test_a_full_queue_is_429_and_a_sentence(client, microscope, monkeypatch):
    monkeypatch.setattr(microscope.quick.queue, "limit", 0)
    busy = client.get(f"/api/look?{CAT}&target=700")
    assert busy.status_code == 429
    assert busy.headers["retry-after"] == "1"
    assert "try again" in busy.json()["error"]
    monkeypatch.setattr(microscope.long, "limit", 0)
    assert client.get("/api/job?verb=visualize&units=blocks.4:9&steps=9").status_code == 429
    monkeypatch.setattr(microscope.quick.queue, "limit", QUICK_QUEUE)
    monkeypatch.setattr(microscope.long, "limit", LONG_QUEUE)
    assert client.get(f"/api/look?{CAT}&target=700").status_code == 200


def test_an_error_of_the_computation_is_a_sentence(client):
    said = client.get(f"/api/look?{CAT}&layer=global_pool")
    assert said.status_code == 400
    assert "has no places" in said.json()["error"]


def test_a_frame_of_a_camera_is_seen_and_not_kept(client, microscope, chelsea):
    buffer = io.BytesIO()
    Image.fromarray(chelsea).save(buffer, "JPEG", quality=95)
    held = len(microscope.photos._uploads)
    seen = client.post(
        "/api/frame?tiles=blocks.3", content=buffer.getvalue(), headers=ORIGIN
    ).json()
    assert {row["label"] for row in seen["predictions"][:3]} == {
        "tiger cat",
        "Egyptian cat",
        "tabby",
    }
    assert [stage["layer"] for stage in seen["stages"]] == ["blocks.3"]
    assert seen["heat"]["maps"][0]["height"] == 7
    assert len(microscope.photos._uploads) == held


def test_an_upload_gives_the_numbers_of_the_file(client, embedded, chelsea, tmp_path):
    path = tmp_path / "cat.png"
    Image.fromarray(chelsea).save(path)
    photo = client.post(
        "/api/photos?name=cat.png", content=path.read_bytes(), headers=ORIGIN
    ).json()
    assert photo["name"] == "cat.png"
    heat = client.get(f"/api/explain?photo={photo['id']}").json()["maps"][0]
    wanted = convscope.explain(embedded, str(path))["heatmap"][0]
    assert np.array_equal(numbers(heat["values"], 7, 7), wanted)
    again = client.post("/api/photos", content=path.read_bytes(), headers=ORIGIN).json()
    assert again["id"] == photo["id"]
