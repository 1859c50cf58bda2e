"""What the tests of hostile requests share."""

from __future__ import annotations

CAT = "photo=sample-chelsea"


def refused(response, *statuses):
    """A refusal is one sentence of JSON, under the headers of every answer, with no traceback."""
    assert response.status_code in statuses, (response.status_code, response.text[:300])
    said = response.json()["error"]
    assert said.endswith((".", "?"))
    assert "Traceback" not in said
    assert "\n" not in said
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["x-content-type-options"] == "nosniff"
    return said
