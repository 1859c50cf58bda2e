"""What the host program set in torch, warnings and logging stays as it was; no answer depends on
it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convscope
from convscope.cli.public import VERBS as PUBLIC_VERBS
from convscope.networks.torch_settings import plain_torch_settings
from tests.quick_verbs import VERBS, answer_of, photo, small_model, small_network

ROOT = Path(__file__).parents[2]

Setting = Callable[[], AbstractContextManager[object]]


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def default_device(device: str) -> Iterator[None]:
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def anomaly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = torch.autograd.detect_anomaly()
    with context:
        yield


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def warnings_as_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def two_threads() -> Iterator[None]:
    torch.set_num_threads(2)
    try:
        yield
    finally:
        torch.set_num_threads(1)


SETTINGS: dict[str, Setting] = {
    "float64": lambda: default_dtype(torch.float64),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "meta device": lambda: default_device("meta"),
    "device block": lambda: torch.device("meta"),
    "inference mode": lambda: torch.inference_mode(),
    "no gradients": lambda: torch.no_grad(),
    "anomaly": anomaly,
    "deterministic": deterministic,
    "warnings as errors": warnings_as_errors,
    "two threads": two_threads,
}


def host_state() -> dict[str, Any]:
    """All that a host program may have set."""
    return {
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "autocast": (torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")),
        "inference": torch.is_inference_mode_enabled(),
        "gradients": torch.is_grad_enabled(),
        "anomaly": (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "threads": torch.get_num_threads(),
        "precision": torch.get_float32_matmul_precision(),
        "benchmark": torch.backends.cudnn.benchmark,
        "filters": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "logging": (logging.root.manager.disable, logging.root.level, list(logging.root.handlers)),
        "random": torch.get_rng_state().tolist(),
        "numpy": np.random.get_state()[1].tolist(),
        "SIGINT": signal.getsignal(signal.SIGINT),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "rng of numpy errors": np.geterr(),
        "umask": _umask(),
    }


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("verbs")


@pytest.fixture(scope="module")
def plain_answers(folder):
    """The answers under torch's own settings, each made when it is first asked for."""
    answers: dict[str, dict[str, Any]] = {}

    def answer(verb):
        if verb not in answers:
            answers[verb] = answer_of(VERBS[verb](small_model(), folder))
        return answers[verb]

    return answer


@contextmanager
def all_settings() -> Iterator[None]:
    """Everything at once, but for the threads, which change sums in the last digit."""
    with ExitStack() as stack:
        for name in ("float64", "autocast", "meta device", "inference mode", "no gradients"):
            stack.enter_context(SETTINGS[name]())
        for name in ("anomaly", "deterministic", "warnings as errors"):
            stack.enter_context(SETTINGS[name]())
        yield


@pytest.mark.parametrize("verb", VERBS)
def test_no_answer_depends_on_the_host(verb, plain_answers, folder, monkeypatch):
    monkeypatch.chdir(folder)
    plain, network = plain_answers(verb), small_network()
    with all_settings():
        before = host_state()
        answer = answer_of(VERBS[verb](small_model(network), folder))
        assert host_state() == before
    assert answer["arrays"].keys() == plain["arrays"].keys()
    for name, array in plain["arrays"].items():
        np.testing.assert_array_equal(answer["arrays"][name], array)
    assert answer["table"] == plain["table"]
    assert answer["picture"] == plain["picture"]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("verb", ["predict", "explain", "visualize"])
def test_no_single_setting_matters(verb, setting, plain_answers, folder):
    plain, network = plain_answers(verb), small_network()
    with SETTINGS[setting]():
        before = host_state()
        answer = answer_of(VERBS[verb](small_model(network), folder))
        assert host_state() == before
    for name, array in plain["arrays"].items():
        tolerance = 1e-3 if setting == "two threads" else 0
        np.testing.assert_allclose(answer["arrays"][name], array, tolerance, tolerance)


def test_every_verb_has_its_quick_call():
    assert {*VERBS} == {*PUBLIC_VERBS} - {"models", "report"}


def test_networks_of_float64_run_with_the_hosts_own_type():
    class MakesTensors(nn.Module):
        """Multiplies with a matrix of the default type."""

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, image: Tensor) -> Tensor:
            return self.head(image.mean((2, 3)) @ torch.eye(3))

    with default_dtype(torch.float64):
        result = convscope.predict(convscope.load_model(MakesTensors(), size=8), photo(), top=2)
        assert torch.get_default_dtype() == torch.float64
    assert len(result.table) == 2


@pytest.mark.parametrize("setting", ["float64", "meta device", "device block", "inference mode"])
def test_loading_gives_the_same_network(setting):
    plain = convscope.load_model("timm:test_resnet", weights=False)
    with SETTINGS[setting]():
        before = host_state()
        same = convscope.load_model("timm:test_resnet", weights=False)
        assert host_state() == before
    assert same.identity == plain.identity
    assert same.dtype == torch.float32


def test_settings_of_overlapping_calls_come_back():
    """The first call of two ends while the second one still works."""
    inside, may_end, ended = threading.Event(), threading.Event(), threading.Event()
    types: list[torch.dtype] = []

    def second():
        with plain_torch_settings():
            inside.set()
            ended.wait(5)
            types.append(torch.get_default_dtype())
        may_end.set()

    with default_dtype(torch.float64):
        with plain_torch_settings():
            thread = threading.Thread(target=second)
            thread.start()
            assert inside.wait(5)
        ended.set()
        assert may_end.wait(5)
        thread.join()
        assert types == [torch.float32]
        assert torch.get_default_dtype() == torch.float64


def test_settings_come_back_after_an_error():
    def fails(output: Tensor) -> Tensor:
        raise LookupError("mine")

    with default_dtype(torch.float64), torch.inference_mode():
        before = host_state()
        with pytest.raises(LookupError, match="mine"):
            convscope.explain(small_model(small_network()), photo(), target=fails)
        assert host_state() == before


FORK = """
import os, pathlib, signal, sys, time
import numpy as np, torch
from tests.quick_verbs import VERBS, small_model

torch.set_num_threads(2)
folder, model = pathlib.Path(sys.argv[1]), small_model()
expected = VERBS["explain"](model, folder)["heatmap"]
child = os.fork()
if child == 0:
    code = 1
    try:
        same = np.array_equal(VERBS["explain"](model, folder)["heatmap"], expected)
        visualized = VERBS["visualize"](model, folder)["image"]
        code = 0 if same and np.isfinite(visualized).all() else 2
    finally:
        os._exit(code)
deadline = time.monotonic() + 30
while time.monotonic() < deadline:
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        sys.exit(os.waitstatus_to_exitcode(status))
    time.sleep(0.05)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
sys.exit("the child hangs")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_use_works(folder):
    """In a process of its own: torch refuses gradients in a fork of one that has used several
    devices, as other tests do."""
    command = [sys.executable, "-c", FORK, str(folder)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
