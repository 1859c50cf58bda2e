from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason="the extra `live` is not installed")

from starlette.testclient import TestClient

from convscope.web.application import create_app
from convscope.web.guard import Access
from convscope.web.microscope import Microscope

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
