"""ONNX networks against ONNX Runtime, on files written node by node, and on what torch.onnx writes
today."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import convscope
from convscope.networks.sources._onnx_operations import Gather
from tests.small_networks import Trunk

TOLERANCE = 1e-4
SIDE = 16
SHAPES = {
    "first": (6, 3, 3, 3),
    "first_bias": (6,),
    "second": (8, 6, 3, 3),
    "second_bias": (8,),
    "dense": (5, 8),
    "dense_bias": (5,),
}


@pytest.fixture(scope="module")
def weights():
    random = np.random.default_rng(0)
    return {name: random.normal(0, 0.5, shape).astype(np.float32) for name, shape in SHAPES.items()}


@pytest.fixture(scope="module")
def path(tmp_path_factory, weights):
    """Convolution, ReLU, pooling, convolution, ReLU, global mean, dense, softmax: named nodes, a
    free batch axis."""
    nodes = [
        helper.make_node(
            "Conv", ["image", "first", "first_bias"], ["a"], "features/conv_1", pads=[1, 1, 1, 1]
        ),
        helper.make_node("Relu", ["a"], ["b"], "features/relu_1"),
        helper.make_node(
            "MaxPool", ["b"], ["c"], "features/pool_1", kernel_shape=[2, 2], strides=[2, 2]
        ),
        helper.make_node(
            "Conv", ["c", "second", "second_bias"], ["d"], "features/conv_2", pads=[1, 1, 1, 1]
        ),
        helper.make_node("Relu", ["d"], ["e"], "features/relu_2"),
        helper.make_node("GlobalAveragePool", ["e"], ["f"], "mean"),
        helper.make_node("Flatten", ["f"], ["g"], "flat"),
        helper.make_node("Gemm", ["g", "dense", "dense_bias"], ["scores"], "head", transB=1),
        helper.make_node("Softmax", ["scores"], ["answer"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, ["n", 5])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 10
    place = tmp_path_factory.mktemp("onnx") / "small.onnx"
    onnx.save(model, place)
    return place


@pytest.fixture(scope="module")
def runtime(path):
    """ONNX Runtime's own value of any tensor of the graph."""
    model = onnx.load(path)
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in "abcdefg")
    model.graph.output.append(helper.make_empty_tensor_value_info("scores"))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return lambda image, name: session.run([name], {"image": image})[0]


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(1).random((2, 3, SIDE, SIDE), dtype=np.float32)


def test_activations_are_onnx_runtimes(path, runtime, photo):
    model = convscope.load_model(f"onnx:{path}")
    nodes = {
        "features/conv_1": "a",
        "features/relu_1": "b",
        "features/pool_1": "c",
        "features/conv_2": "d",
        "features/relu_2": "e",
    }
    result = convscope.activations(model, torch.from_numpy(photo), layers=list(nodes))
    for layer, tensor in nodes.items():
        assert np.abs(result[layer] - runtime(photo, tensor)).max() < TOLERANCE


def test_scores_are_those_before_the_softmax(path, runtime, photo):
    model = convscope.load_model(path)
    result = convscope.predict(model, torch.from_numpy(photo))
    assert model.head == "softmax"
    assert np.abs(result["score"] - runtime(photo, "scores")).max() < TOLERANCE
    assert np.abs(result["probability"] - runtime(photo, "answer")).max() < TOLERANCE


def test_grad_cam_of_a_linear_head_is_known(path, runtime, photo, weights):
    """After a global mean and a dense layer, the gradient at the last maps is the dense weight over
    the number of places."""
    maps = runtime(photo, "e")
    weight = weights["dense"][3] / maps[0, 0].size
    wanted = np.einsum("c,nchw->nhw", weight, maps)
    result = convscope.explain(
        convscope.load_model(path),
        torch.from_numpy(photo),
        method="grad_cam",
        target=3,
        layer="features/relu_2",
    )
    assert np.abs(result["attribution"][:, 0] - wanted).max() < TOLERANCE * np.abs(wanted).max()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dynamic", [True, False])
def test_what_torch_writes_today(tmp_path, dynamic):
    """An exported network gives what ONNX Runtime gives, for two images also where it was exported
    for one."""
    torch.manual_seed(0)
    network = Trunk().eval()
    shapes = {"dynamic_shapes": ({0: torch.export.Dim("n", min=1)},)} if dynamic else {}
    example = torch.rand(2 if dynamic else 1, 3, SIDE, SIDE)
    torch.onnx.export(
        network,
        (example,),
        tmp_path / "net.onnx",
        dynamo=True,
        external_data=False,
        verbose=False,
        **shapes,
    )
    model = convscope.load_model(tmp_path / "net.onnx", size=SIDE)
    photo = torch.rand(2, 3, SIDE, SIDE)
    values = convscope.predict(model, photo)["score"]
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    name = session.get_inputs()[0].name
    wanted = np.concatenate([session.run(None, {name: one[None].numpy()})[0] for one in photo])
    assert np.abs(values - wanted).max() < TOLERANCE


@pytest.mark.parametrize(
    ("shape", "indices", "axis"),
    [((4,), 2, 0), ((4,), [0, 3], 0), ((2, 4), 1, 1), ((2, 4), [[0, 1], [3, 3]], -1)],
)
def test_gather_gives_what_numpy_takes(shape, indices, axis):
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    picked = Gather(axis)(torch.from_numpy(data), torch.tensor(indices))
    assert np.array_equal(picked.numpy(), np.take(data, np.array(indices), axis))
