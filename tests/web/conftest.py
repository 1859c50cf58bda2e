from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="the extra `live` is not installed")

import httpx
import numpy as np
from PIL import Image
from starlette.testclient import TestClient

import convscope
from convscope import atlas
from convscope.web.application import create_app
from convscope.web.guard import Access
from convscope.web.microscope import Microscope
from tests.small_atlas import photo, small_model

ADDRESS = "http://127.0.0.1:8000"
ORIGIN = {"origin": ADDRESS}


@pytest.fixture(scope="session")
def microscope(embedded):
    """The embedded network under a microscope that no socket leads to."""
    actual = Microscope(embedded)
    yield actual
    actual.close()


@pytest.fixture
def client(microscope):
    """The application, called in-process as the page on its own address would."""
    app = create_app(microscope, Access("127.0.0.1", 8000))
    return TestClient(app, base_url=ADDRESS, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def server(embedded):
    """A server of its own address, with the embedded network."""
    with convscope.live(embedded, browser=False) as running:
        yield running


@pytest.fixture
def http_client(server):
    """Calls that server through a socket, as its own page would."""
    headers = {"origin": server.address.rstrip("/")}
    with httpx.Client(base_url=server.address, timeout=60, headers=headers) as client:
        yield client


@pytest.fixture
def still_answers(client):
    """After every hostile request the server still answers its own page."""
    yield
    assert client.get("/photo").status_code == 200


@pytest.fixture(scope="session")
def atlas_of_two_layers(tmp_path_factory):
    """A small network, and an atlas of two of its layers with the best of twelve photos."""
    model = small_model()
    folder, out = tmp_path_factory.mktemp("photos"), tmp_path_factory.mktemp("atlas") / "atlas"
    generator = np.random.default_rng(0)
    for number in range(12):
        place = folder / ("cats" if number % 2 else "dogs") / f"{number:02d}.png"
        place.parent.mkdir(exist_ok=True)
        Image.fromarray(photo(generator, 24, 30)).save(place)
    atlas.build(model, "first,third", str(out), steps=2, size=16, batch=8)
    atlas.examples(model, str(folder), str(out), layers="first,third", k=3, samples=2, batch=4)
    return model, atlas.open(str(out))
