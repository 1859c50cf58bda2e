"""Weights are fetched on first use, with a bar, into torch's own cache: from a server of the test's
own."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
import torch
import torchvision

import convscope


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *given):
        pass


@pytest.fixture
def server(tmp_path):
    actual = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path))
    Thread(target=actual.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{actual.server_port}"
    actual.shutdown()
    actual.server_close()


def test_torchvisions_weights_come_from_their_server_once(tmp_path, server, monkeypatch, capfd):
    own = convscope.load_model("torchvision:squeezenet1_1", weights=False)
    torch.save(own.network.state_dict(), tmp_path / "net.pth")
    data = (tmp_path / "net.pth").read_bytes()
    name = f"net-{hashlib.sha256(data).hexdigest()[:8]}.pth"
    (tmp_path / "net.pth").rename(tmp_path / name)
    weights = torchvision.models.SqueezeNet1_1_Weights.IMAGENET1K_V1
    monkeypatch.setattr(weights, "_value_", replace(weights.value, url=f"{server}/{name}"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    photo = np.random.default_rng(0).random((224, 224, 3), dtype=np.float32)
    wanted = convscope.predict(own, photo)["probability"]

    fetched = convscope.load_model("torchvision:squeezenet1_1")
    said = capfd.readouterr().err
    assert "100%" in said
    assert (tmp_path / "cache" / "hub" / "checkpoints" / name).read_bytes() == data
    assert np.array_equal(convscope.predict(fetched, photo)["probability"], wanted)
    assert fetched.labels[0] == "tench"

    (tmp_path / name).unlink()
    convscope.load_model("torchvision:squeezenet1_1")
    assert "100%" not in capfd.readouterr().err
