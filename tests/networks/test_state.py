"""What is known of a network is found out once, and shared by every copy of its Model."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.networks.layout import Layout
from convscope.networks.state import NetworkState
from convscope.probe import Probe
from tests.small_networks import Trunk


def counted(network: nn.Module) -> list[int]:
    """A list that grows by the number of images each time the network itself runs."""
    runs: list[int] = []
    forward = network.forward

    def count(images: torch.Tensor) -> torch.Tensor:
        runs.append(len(images))
        return forward(images)

    network.forward = count  # type: ignore[method-assign]
    return runs


@pytest.fixture
def trunk():
    network = Trunk().eval()
    return network, convscope.load_model(network, size=(32, 32))


def test_the_second_call_makes_no_dry_run(trunk):
    network, model = trunk
    photo = torch.rand(1, 3, 32, 32)
    runs = counted(network)
    with Probe(model) as probe:
        layer = probe.layers.last_spatial()
    assert layer is not None
    runs.clear()
    convscope.activations(model, photo, layers=[layer])
    assert len(runs) == 1
    convscope.activations(copy.copy(model), photo, layers=[layer])
    convscope.activations(convscope.load_model(network, size=(32, 32)), photo, layers=[layer])
    assert len(runs) == 3


def test_explain_runs_the_network_no_more_often_than_the_method_needs(trunk, monkeypatch):
    from convscope.networks.model import Model

    _, model = trunk
    photo, calls = torch.rand(1, 3, 32, 32), []
    run = Model.__call__

    def call(self, image):
        calls.append(len(image))
        return run(self, image)

    monkeypatch.setattr(Model, "__call__", call)
    convscope.explain(model, photo, target=0)
    first = len(calls)
    convscope.explain(model, photo, target=0)
    assert len(calls) - first == 1, "Grad-CAM needs one forward"
    second = len(calls)
    convscope.explain(model, photo, method="cam", target=0)
    assert len(calls) - second == 1, "so does CAM, where only linear operations follow"


def test_a_replaced_module_is_noticed_by_all_copies(trunk):
    network, model = trunk
    twin = copy.copy(model)
    before = model.classes
    last = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)][-1]
    setattr(network, last, nn.Linear(getattr(network, last).in_features, before + 3))
    assert model.classes == twin.classes == before + 3
    with Probe(twin) as probe:
        assert probe.layers[last].units == before + 3


def test_load_model_leaves_a_model_alone(trunk):
    _, model = trunk
    options = dict(model.options)
    other = convscope.load_model(model, size=48, mean=0.5, labels=None, head="sigmoid")
    assert (model.size, other.size) == ((32, 32), (48, 48))
    assert model.preprocessing.mean == (0.0,)
    assert model.head == "softmax"
    assert model.options == options
    assert other.network is model.network
    with Probe(model) as small, Probe(other) as large:
        assert small.layers["first"].shape[1:] != large.layers["first"].shape[1:]


def test_another_network_in_a_copy_has_another_state(trunk):
    _, model = trunk
    other = copy.copy(model)
    other.network = copy.deepcopy(model.network)
    assert other.state is not model.state
    assert other.state.memory is not model.state.memory


def test_a_model_can_be_pickled_and_copied(trunk):
    _, model = trunk
    photo = torch.rand(1, 3, 32, 32)
    expected = convscope.predict(model, photo)["probability"]
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert other.network is not model.network
        assert np.array_equal(convscope.predict(other, photo)["probability"], expected)


def test_nothing_keeps_a_network_alive():
    network = Trunk().eval()
    convscope.explain(network, torch.rand(1, 3, 224, 224), target=0)
    gone = weakref.ref(network)
    del network
    gc.collect()
    assert gone() is None


def test_the_size_of_the_image_is_given_not_remembered():
    """30 tokens are 5 x 6 places of a square image, and 3 x 10 of a wide one."""
    layout = Layout()
    tokens = torch.zeros(1, 30, 4)
    assert layout.to_maps(tokens, "", (50, 60)).shape == (1, 4, 5, 6)
    assert layout.to_maps(tokens, "", (30, 100)).shape == (1, 4, 3, 10)
    with pytest.raises(AttributeError):
        layout.grid = (1, 1)  # type: ignore[misc]


@pytest.mark.parametrize("shared", [True, False], ids=["one Model", "one network"])
def test_threads_get_the_answers_of_one(shared):
    network = Trunk().train()
    model = convscope.load_model(network, size=(32, 32))
    photos = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with Probe(model) as probe:
        layer = probe.layers.last_spatial()
    assert layer is not None

    def ask(which: int):
        asked = model if shared else convscope.load_model(network, size=(32, 32))
        photo = photos[which][None]
        if which % 2:
            return convscope.activations(asked, photo, layers=[layer])[layer]
        return convscope.explain(asked, photo, target=0)["attribution"]

    expected = [ask(which) for which in range(4)]
    wrong: list[object] = []

    def work(which: int) -> None:
        for _ in range(8):
            try:
                if not np.array_equal(ask(which), expected[which]):
                    wrong.append(which)
            except BaseException as error:  # also the internal one that ends a run
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(which,)) for which in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert all(module.training for module in network.modules())
    assert all(weight.requires_grad for weight in network.parameters())


def test_a_state_finds_what_is_known_of_its_network():
    network = Trunk()
    first, second = NetworkState(network), NetworkState(network)
    assert first.memory is second.memory
    assert NetworkState(Trunk()).memory is not first.memory
