"""What the views show of an atlas: units' pictures, best photos, similar units."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from convscope.errors import OptionError
from convscope.web.application import create_app
from convscope.web.guard import Access
from convscope.web.microscope import Microscope
from tests.small_atlas import photo
from tests.web.conftest import ADDRESS


@pytest.fixture
def client(atlas_of_two_layers):
    model, opened = atlas_of_two_layers
    pixels = photo(np.random.default_rng(1), 24, 24)
    microscope = Microscope(model, [pixels], atlas=opened)
    yield TestClient(create_app(microscope, Access("127.0.0.1", 8000)), base_url=ADDRESS)
    microscope.close()


def decoded(url):
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_a_unit_has_its_picture_best_photos_and_similar_units(client, atlas_of_two_layers):
    _, opened = atlas_of_two_layers
    assert client.get("/api/state").json()["atlas"]["layers"] == opened.layers()
    unit = client.get("/api/unit?photo=photo-1&unit=third:2").json()["atlas"]
    stored = next(row.bytes for row in opened.unit("third", 2) if row.bytes)
    assert base64.b64decode(unit["pictures"][0].partition(",")[2]) == stored
    assert decoded(unit["pictures"][0]).size == (16, 16)
    rows = opened.examples("third", 2, kind="top")
    assert [entry["value"] for entry in unit["photos"]] == [row["value"] for row in rows]
    assert [entry["value"] for entry in unit["photos"]] == sorted(
        (entry["value"] for entry in unit["photos"]), reverse=True
    )
    assert {entry["label"] for entry in unit["photos"]} <= {"cats", "dogs"}
    similar = [f"{row['layer']}:{row['unit']}" for row in opened.similar("third", 2)]
    assert [entry["unit"] for entry in unit["similar"]] == similar
    assert all(decoded(entry["image"]).size == (16, 16) for entry in unit["similar"])


def test_a_unit_that_the_atlas_does_not_have(client):
    assert client.get("/api/unit?photo=photo-1&unit=second:1").json()["atlas"] is None


def test_a_place_shows_the_units_pictures(client):
    seen = client.get("/api/place?photo=photo-1&row=12&column=12&layers=third").json()
    strongest = seen["layers"][0]["strongest"]
    assert strongest
    assert all(decoded(row["image"]).size == (16, 16) for row in strongest)


def test_an_atlas_of_another_network_is_refused(atlas_of_two_layers, embedded):
    """`live` says so before anything is served."""
    with pytest.raises(OptionError, match="holds Small, and not EfficientNet-Lite0"):
        Microscope(embedded, atlas=atlas_of_two_layers[1])
