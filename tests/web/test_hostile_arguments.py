"""Arguments that no page of ours sends: each is refused with a sentence, and the server goes on."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from convscope.networks.concept_file import KIND
from tests.web.hostile import CAT, refused

pytestmark = pytest.mark.usefixtures("still_answers")


@pytest.mark.parametrize(
    "photo",
    [
        "/etc/passwd",
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "sample:chelsea",
        "file:///etc/passwd",
        "http://evil.example/cat.png",
        "\\\\evil\\share\\cat.png",
        "upload-",
        "photo-999999",
        "sample-chelsea\u0000.png",
        "",
        "__class__",
    ],
)
def test_a_photo_is_a_number_and_no_path(client, photo):
    refused(client.get("/api/look", params={"photo": photo}), 404)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../application.py",
        "/static/..%2fapplication.py",
        "/static/%2e%2e/application.py",
        "/static//etc/passwd",
        "/static/",
        "/api/photos/..%2f..%2fetc%2fpasswd",
        "/api/photos/sample-chelsea/../../state",
        "/docs",
        "/redoc",
        "/openapi.json",
    ],
)
def test_a_path_leads_nowhere_else(client, path):
    response = client.get(path, follow_redirects=False)
    if response.status_code == 200:  # the client itself made it an address of ours
        assert response.headers["content-type"] == "application/json"
        assert "model" in response.json()
    else:
        refused(response, 403, 404, 405)


@pytest.mark.parametrize(
    "query",
    [
        f"verb=explain&{CAT}&target=like:/etc/passwd",
        f"verb=explain&{CAT}&target=LIKE:photo2.jpg",
        f"verb=explain&{CAT}&target=tabby vs like:photo2.jpg",
        f"verb=explain&{CAT}&target=no such class",
        f"verb=explain&{CAT}&target=999999",
        f"verb=explain&{CAT}&target={','.join(map(str, range(50)))}",
        f"verb=explain&{CAT}&target={'9' * 399}",
        f"verb=explain&{CAT}&method=../../cli/main",
        f"verb=explain&{CAT}&method=os.system",
        f"verb=explain&{CAT}&method=__init__",
        f"verb=explain&{CAT}&method=grad_cam,saliency",
        f"verb=explain&{CAT}&layer=*",
        f"verb=explain&{CAT}&layer=__class__",
        f"verb=explain&{CAT}&layer=blocks.5,nowhere",
        f"verb=explain&{CAT}&seed=nan",
        f"verb=explain&{CAT}&half=true",
        f"verb=explain&{CAT}&device=cuda",
        f"verb=explain&{CAT}&model=file:/etc/passwd",
        f"verb=explain&{CAT}&out=/tmp/x.png",
        f"verb=explain&{CAT}&{CAT}",
        f"verb=report&{CAT}&out=/tmp/x.html",
        f"verb=rerun&path=/etc/passwd&{CAT}",
        f"verb=load_model&model=file:evil.pt&{CAT}",
        f"verb=live&{CAT}",
        f"verb=__import__&{CAT}",
        f"verb=&{CAT}",
        f"verb=activations&{CAT}&layers=*",
        f"verb=activations&{CAT}&layers=blocks.?",
        f"verb=predict&{CAT}&top=1000000",
        f"verb=predict&{CAT}&top=0",
        f"verb=predict&{CAT}&top=1e9",
        f"verb=intervene&{CAT}&unit=blocks.3:11&scale=inf",
        f"verb=intervene&{CAT}&unit=blocks.3:11&scale=1e30",
        f"verb=intervene&{CAT}&unit=blocks.3:999999",
        f"verb=intervene&{CAT}&unit=/etc/passwd:0",
        f"verb=intervene&{CAT}",
        f"verb=place&{CAT}&row=-5&column=3",
        f"verb=place&{CAT}&row=99999999&column=3",
        f"verb=place&{CAT}&row=1.5&column=x",
        f"verb=place&{CAT}&row=120",
        "verb=visualize&units=blocks.3:11",
        f"verb=explain&{CAT}&method=rise",
        f"verb=explain&{CAT}&target={'x' * 500}",
    ],
)
def test_an_argument_is_checked(client, query):
    refused(client.get(f"/api/png?{query}"), 400, 404)


def test_a_saved_concept_is_not_read_over_a_connection(client, tmp_path):
    facts = json.dumps({"layer": "blocks.3", "provenance": {}})
    path = tmp_path / "pets.safetensors"
    directions = {"directions": np.ones((1, 80), np.float32)}
    save_file(directions, path, {"kind": KIND, "facts": facts})
    query = f"verb=explain&{CAT}&method=saliency&target=concept:{path}/0"
    assert "names a file" in refused(client.get(f"/api/png?{query}"), 400, 404)
    for query in (
        f"verb=explain&{CAT}&layer=concept:{path}",
        f"verb=activations&{CAT}&layers=concept:{path}/0",
    ):
        assert "names a file" in refused(client.get(f"/api/png?{query}"), 400, 404)
    refused(client.get(f"/api/layer?{CAT}&layer=concept:{path}"), 400, 404)
    refused(client.get(f"/api/png?verb=visualize&units=concept:{path}/0"), 400, 404)
    refused(client.get(f"/api/intervene?{CAT}&unit=concept:{path}/0"), 400, 404)


@pytest.mark.parametrize(
    "query",
    [
        "verb=visualize",
        "verb=visualize&units=",
        "verb=visualize&units=*",
        "verb=visualize&units=blocks.3:*",
        "verb=visualize&units=logit(tabby)",
        "verb=visualize&units=" + ",".join(f"blocks.3:{index}" for index in range(17)),
        "verb=visualize&units=blocks.3:11&steps=100000",
        "verb=visualize&units=blocks.3:11&steps=0",
        "verb=visualize&units=blocks.3:11&size=5000",
        "verb=visualize&units=blocks.3:11&size=0",
        "verb=visualize&units=blocks.3:11&preset=../presets/quick",
        "verb=visualize&units=blocks.3:11&photo=/etc/passwd",
        "verb=visualize&units=blocks.3:11&parameterization=evil",
        f"verb=predict&{CAT}",
        f"verb=explain&{CAT}&method=rise&samples=100000000",
        f"verb=explain&{CAT}&method=rise&batch=100000",
    ],
)
def test_long_work_is_checked_before_it_begins(client, microscope, query):
    refused(client.get(f"/api/job?{query}"), 400, 404)
    assert microscope.long.running() == 0


def test_an_address_without_end(client):
    refused(client.get(f"/api/look?{CAT}&target={'x' * 5000}"), 414)
    refused(client.get(f"/{'x' * 5000}"), 414)
