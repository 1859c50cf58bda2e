"""Starting and ending the server, from Python and from the command line."""

from __future__ import annotations

import importlib
import socket
import subprocess
import sys
import time

import httpx
import pytest

import convscope
from convscope.cli import main
from convscope.errors import ExtraError, ImageError, OptionError
from convscope.web.guard import Access
from convscope.web.live import Live, bind
from convscope.web.microscope import Microscope


def test_the_address_is_the_first_line_and_answers(embedded, capsys):
    with convscope.live(embedded, ["sample:coffee"], browser=False) as server:
        assert capsys.readouterr().out == f"{server.address}\n"
        assert server.address.startswith("http://127.0.0.1:")
        state = httpx.get(f"{server.address}api/state").json()
        assert state["photos"][0] == {"id": "photo-1", "name": "coffee"}
        seen = httpx.get(f"{server.address}api/look?photo=photo-1", timeout=60).json()
        assert seen["predictions"][0]["label"] == "espresso"
        answer = httpx.get(f"{server.address}photo")
        assert "server" not in answer.headers
        html = server._repr_html_()
        assert f'src="{server.address}"' in html
        assert html.startswith("<iframe")
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.address)


def test_a_small_answer_waits_for_no_confirmation(embedded):
    """Without TCP_NODELAY every answer but the first few comes 40 ms late, however busy we are."""
    with (
        convscope.live(embedded, browser=False) as server,
        httpx.Client(base_url=server.address, timeout=60) as client,
    ):
        seconds = []
        for _ in range(25):
            started = time.perf_counter()
            client.get("api/photos/sample-coffee/thumbnail").raise_for_status()
            seconds.append(time.perf_counter() - started)
    assert min(seconds[10:]) < 0.03


@pytest.mark.parametrize(("words", "opened"), [([], 1), (["--no-browser"], 0)])
def test_the_browser_opens_the_printed_address(monkeypatch, capsys, words, opened):
    addresses: list[str] = []
    monkeypatch.setattr("webbrowser.open", addresses.append)
    monkeypatch.setattr("convscope.web.live.Live.wait", Live.stop)
    assert main(["live", *words]) == 0
    assert addresses == [capsys.readouterr().out.splitlines()[0]] * opened


def test_nothing_listens_on_other_addresses(embedded):
    with convscope.live(embedded, browser=False) as server:
        port = int(server.address.rstrip("/").rpartition(":")[2])
        with socket.socket() as other:
            assert other.connect_ex(("127.0.0.2", port)) != 0


def test_a_port_that_is_taken_is_a_sentence(embedded, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"Cannot listen on 127.0.0.1 port {port}"):
            convscope.live(embedded, port=port, browser=False)
        assert main(["live", "--port", str(port), "--no-browser"]) == 2
    assert "Traceback" not in capsys.readouterr().err
    with pytest.raises(OptionError, match="0 to 65535"):
        convscope.live(embedded, port=70000, browser=False)
    with pytest.raises(OptionError, match="Cannot listen"):
        convscope.live(embedded, host="nowhere.invalid", browser=False)


def test_two_that_begin_at_the_same_time_do_not_share_a_port(embedded):
    """The port is ours from the moment it is bound, though the network is still being loaded."""
    first = bind("127.0.0.1", 0)
    try:
        port = first.getsockname()[1]
        with pytest.raises(OptionError, match=f"Cannot listen on 127.0.0.1 port {port}"):
            bind("127.0.0.1", port)
    finally:
        first.close()


def test_a_server_that_does_not_start_is_an_error(embedded, capfd):
    """And not the address of nobody, or of another program, below a traceback."""
    with socket.socket() as first, socket.socket() as second:
        for listener in (first, second):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        port = first.getsockname()[1]
        second.bind(("127.0.0.1", port))
        first.listen()
        with pytest.raises(OptionError, match=f"did not start at 127.0.0.1 port {port}"):
            Live(Microscope(embedded), Access.on("127.0.0.1", port), second)
    assert "Traceback" not in capfd.readouterr().err


def test_a_photo_that_cannot_be_read_is_said_before_anything_starts(embedded):
    with pytest.raises(ImageError, match="There is no file"):
        convscope.live(embedded, ["no-such-cat.jpg"], browser=False)
    assert main(["live", "no-such-cat.jpg", "--no-browser"]) == 2


def test_without_the_extra_it_says_what_to_install(embedded, monkeypatch):
    def missing(name, *rest):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ExtraError, match=r"pip install 'convscope\[live\]'"):
        convscope.live(embedded, browser=False)


def test_the_users_network_is_left_alone():
    import torch
    from torch import nn

    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 3))
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with convscope.live(convscope.load_model(network, size=8), browser=False) as server:
        for path in (
            "look?photo=sample-coffee",
            "intervene?photo=sample-coffee&unit=0:1&scale=0",
        ):
            assert httpx.get(f"{server.address}api/{path}", timeout=60).status_code == 200
        query = "verb=visualize&units=0:1&steps=2&size=8"
        assert "event: done" in httpx.get(f"{server.address}api/job?{query}", timeout=60).text
        recipe = httpx.get(f"{server.address}api/recipe?verb=predict&photo=sample-coffee").json()
        assert "# model: the network" in recipe["python"]
    assert network.training
    assert all(weight.requires_grad for weight in network.parameters())
    assert all(torch.equal(before[name], now) for name, now in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_ctrl_c_during_long_work_prints_nothing():
    """Work that has no result when it is stopped, watched by a page."""
    import signal

    command = [sys.executable, "-m", "convscope", "live", "--no-browser", "--model", "embedded"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            query = "verb=explain&photo=sample-chelsea&method=rise&masks=4000"
            with httpx.stream("GET", f"{address}api/job?{query}", timeout=60) as response:
                lines = response.iter_lines()
                while not next(lines).startswith("event: "):
                    pass
                process.send_signal(signal.SIGINT)
                list(lines)
            rest, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, rest, errors) == (0, "", "")


def test_the_command_prints_the_address_first_and_ends_on_ctrl_c():
    import signal

    command = [sys.executable, "-m", "convscope", "live", "--no-browser", "--model", "embedded"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().strip()
            assert httpx.get(address).status_code == 200
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
        finally:
            process.kill()
