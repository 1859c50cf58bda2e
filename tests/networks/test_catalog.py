from __future__ import annotations

import pytest
import timm
from torchvision import models as torchvision_models

from convscope.errors import ModelError
from convscope.networks.catalog import list_models


def test_lists_what_the_libraries_list():
    assert {name.removeprefix("timm:") for name in list_models(source="timm")} == set(
        timm.list_models()
    )
    assert {name.removeprefix("torchvision:") for name in list_models(source="torchvision")} == set(
        torchvision_models.list_models(module=torchvision_models)
    )


def test_search():
    assert "torchvision:vgg16_bn" in list_models("VGG16")
    assert list_models("lite0", source="embedded") == ["embedded:efficientnet_lite0"]
    with pytest.raises(ModelError, match="did you mean 'resnet50'"):
        list_models("rsnet50")
    with pytest.raises(ModelError, match="no list of names for the source 'onnx'"):
        list_models(source="onnx")
