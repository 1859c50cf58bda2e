"""What networks of other kinds than classifiers say: boxes, masks, values and embeddings."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import convscope
from convscope.web.application import create_app
from convscope.web.guard import Access
from convscope.web.microscope import Microscope
from tests.questions.answering_networks import Detector, Embedder, Regressor, Segmenter
from tests.web.conftest import ADDRESS

LABELS = {
    "detector": ["background", "red", "green"],
    "segmenter": ["red", "green", "blue"],
    "regressor": ["warmth", "blueness"],
    "embedder": None,
}


@pytest.fixture
def ask(request):
    """Asks a network of one kind about a photo whose left half is red and whose right is green."""
    kind = request.param
    network = {
        "detector": Detector,
        "segmenter": Segmenter,
        "regressor": Regressor,
        "embedder": Embedder,
    }[kind]()
    task = "regression" if kind == "regressor" else None
    photo = np.zeros((32, 32, 3), np.float32)
    photo[:, :16, 0] = photo[:, 16:, 1] = 1
    model = convscope.load_model(
        network, size=32, mean=0.0, std=1.0, labels=LABELS[kind], task=task
    )
    microscope = Microscope(model, [photo])
    client = TestClient(create_app(microscope, Access("127.0.0.1", 8000)), base_url=ADDRESS)
    yield lambda query: client.get(f"/api/look?photo=photo-1&{query}")
    microscope.close()


@pytest.mark.parametrize("ask", ["detector"], indirect=True)
def test_boxes(ask):
    seen = ask("").json()
    rows = seen["predictions"]
    assert [row["label"] for row in rows[:2]] == ["red", "green"]
    # The mean of 4 x red over the left half is 4.
    assert rows[0]["probability"] == pytest.approx(1 / (1 + np.exp(-4)))
    assert [rows[0][name] for name in ("x1", "y1", "x2", "y2")] == [0, 0, 16, 32]
    assert seen["size"] == [32, 32]
    assert rows[0]["color"] != rows[1]["color"]
    assert seen["masks"] is None
    asked = ask("target=box:1").json()
    assert asked["heat"]["maps"][0]["target"]["text"] == "box:1"


@pytest.mark.parametrize("ask", ["segmenter"], indirect=True)
def test_masks(ask):
    seen = ask("").json()
    rows = {row["label"]: row for row in seen["predictions"]}
    assert rows["red"]["share"] == rows["green"]["share"] == 0.5
    masks = Image.open(io.BytesIO(base64.b64decode(seen["masks"].partition(",")[2])))
    pixels = np.asarray(masks.convert("RGBA"))
    assert pixels.shape == (16, 16, 4)
    for label, column in (("red", 0), ("green", 15)):
        color = "#" + bytes(pixels[8, column, :3]).hex()
        assert color == rows[label]["color"]
        assert pixels[8, column, 3] == 255
    assert ask("target=mask:1").json()["heat"]["maps"][0]["title"]


@pytest.mark.parametrize("ask", ["regressor"], indirect=True)
def test_values(ask):
    """Twice the mean red minus green is 2 x 0.5 - 0.5."""
    rows = ask("").json()["predictions"]
    assert {row["label"]: row["value"] for row in rows} == pytest.approx(
        {"warmth": 0.5, "blueness": 0.0}
    )


@pytest.mark.parametrize("ask", ["embedder"], indirect=True)
def test_an_embedding_has_no_answer_to_ask_about(ask):
    """The rest of the view stands, and a sentence where the heat would be."""
    seen = ask("").json()
    assert seen["predictions"][0]["numbers"] == 3
    assert seen["heat"] is None
    assert "embedding" in seen["note"]
    assert seen["stages"]
    refused = ask("target=red")
    assert refused.status_code == 400
    assert refused.json()["error"]
