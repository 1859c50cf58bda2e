"""More networks of transformers, small and with random weights: each is read as what it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

import convscope
from convscope.errors import TargetError
from tests.task_networks.detectors import rt_detr
from tests.task_networks.embedders import convnext, convnext_backbone, save_clip
from tests.task_networks.segmenters import mask2former, upernet

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def photo():
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("build", "task", "target"),
    [
        (rt_detr, "detection", "box:0"),
        (upernet, "segmentation", None),
        (mask2former, "segmentation", None),
        (convnext, "embedding", "like:sample:chelsea"),
        (convnext_backbone, "embedding", "like:sample:chelsea"),
    ],
)
def test_each_is_read_as_what_it_is(build, task, target, photo):
    torch.manual_seed(0)
    model = convscope.load_model(build().eval(), size=64)
    assert model.task == task
    assert convscope.predict(model, photo).picture().width > 64
    for method in ("saliency", None):
        heat = convscope.explain(model, photo, method=method, target=target)["heatmap"]
        assert np.abs(heat).max() > 0


def test_convnexts_embedding_is_the_pooled_output(photo):
    torch.manual_seed(0)
    network = convnext().eval()
    with torch.no_grad():
        expected = network(photo).pooler_output
    actual = convscope.predict(convscope.load_model(network, size=64), photo)["embedding"]
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


def test_clip_from_a_folder_is_asked_by_text(clip_folder):
    model = convscope.load_model(f"hf:{clip_folder}")
    assert (model.size, model.task) == ((32, 32), "embedding")
    photo = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    network = transformers.CLIPModel.from_pretrained(clip_folder).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(clip_folder)
    leaf = photo.clone().requires_grad_()
    output = network(**tokenizer("a cat", return_tensors="pt"), pixel_values=leaf)
    cosine = functional.cosine_similarity(output.image_embeds, output.text_embeds)
    expected = torch.autograd.grad(cosine.sum(), leaf)[0]
    heat = convscope.explain(model, photo, method="saliency", target="text:a cat")["attribution"]
    np.testing.assert_allclose(heat, expected, atol=1e-6)
    with pytest.raises(TargetError, match="needs a text"):
        convscope.explain(model, photo, target="text:")
