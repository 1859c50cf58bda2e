"""What is sent back runs nothing from elsewhere and is read by every browser."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.web.conftest import ORIGIN

pytestmark = pytest.mark.usefixtures("still_answers")


def test_the_page_runs_only_its_own_scripts(client):
    page = client.get("/photo")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    for forbidden in ("<style", "onclick=", "style=", "http://", "https://", "javascript:"):
        assert forbidden not in page.text
    assert page.text.count("<script") == page.text.count('src="/static/app.js"></script>') == 1


def test_no_other_host_is_named_in_the_scripts(client):
    import re

    from convscope.web.application import STATIC

    for path in STATIC.glob("*.js"):
        text = path.read_text()
        assert not re.search(r"https?://", text), path.name
        for word in (
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
        ):
            assert word not in text, (path.name, word)


def test_numbers_that_json_has_not(client):
    """A photo of one color and a unit that is zero give answers that a browser can read."""
    white = Image.fromarray(np.full((30, 30, 3), 255, np.uint8))
    buffer = io.BytesIO()
    white.save(buffer, "PNG")
    photo = client.post("/api/photos", content=buffer.getvalue(), headers=ORIGIN).json()
    text = client.get(f"/api/look?photo={photo['id']}").text
    assert "NaN" not in text
    assert "Infinity" not in text
