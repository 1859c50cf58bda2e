"""An empty working folder for each test, and one embedded network for all."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def one_loading(embedded, monkeypatch):
    """The embedded network is loaded once for all tests."""
    import convscope.networks.load as models

    load = models.load_model

    def quick(model=None, **options):
        return embedded if model in (None, "embedded") and not options else load(model, **options)

    monkeypatch.setattr(models, "load_model", quick)
