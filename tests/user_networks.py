"""The networks that people bring, each made on the spot: name -> a function that gives a Model,
files in `folder`.

`CLASSIFIERS` are the real ones at their own size, `TASKS` small ones of all other kinds
(benchmarks/networks.py runs them all); `SMALL` are enough of them, small enough, for the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import convscope
from convscope import Model
from tests.small_networks import Functional, Trunk, Wrapped
from tests.task_networks.detectors import DETECTORS
from tests.task_networks.embedders import EMBEDDERS, Scaled, save_clip
from tests.task_networks.segmenters import SEGMENTERS

Bring = Callable[[Path], Model]

TORCHVISION = (
    "vgg16",
    "vgg16_bn",
    "googlenet",
    "squeezenet1_1",
    "resnet50",
    "densenet121",
    "mobilenet_v3_large",
    "inception_v3",
    "convnext_tiny",
    "vit_b_16",
    "swin_t",
)

TIMM = (
    "resnet18",
    "tf_efficientnet_lite0",
    "convnext_atto",
    "vit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "eva02_tiny_patch14_224",
    "swin_tiny_patch4_window7_224",
    "maxvit_rmlp_pico_rw_256",
    "mixer_s32_224",
    "xcit_nano_12_p16_224",
    "pvt_v2_b0",
    "mobilevit_xxs",
)


OWN_SIZE = {
    "vit_b_16",
    "vit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "eva02_tiny_patch14_224",
    "swin_tiny_patch4_window7_224",
    "maxvit_rmlp_pico_rw_256",
    "mixer_s32_224",
    "xcit_nano_12_p16_224",
}
"""Networks that take no other size than the one they were made for; the others are run at 96 px, to
be quick."""


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A network with random weights that are always the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().eval()


def by_name(spec: str, folder: Path, **options: Any) -> Model:
    return convscope.load_model(spec, weights=False, **options)


def module(make: Callable[[], nn.Module], folder: Path, **options: Any) -> Model:
    return convscope.load_model(seeded(make), **options)


def cats_and_dogs(
    side: int = 150, units: tuple[int, ...] = (32, 64, 128, 128), dense: int = 512
) -> Any:
    """The cats-vs-dogs network of Chollet's book (4 x convolution and pooling, flatten, dropout,
    dense, sigmoid)."""
    from convscope.networks.sources._keras_support import library

    keras = library()
    keras.utils.set_random_seed(0)
    layers: list[Any] = [keras.Input((side, side, 3))]
    for place, count in enumerate(units, start=1):
        layers += [
            keras.layers.Conv2D(count, 3, activation="relu", name=f"conv2d_{place}"),
            keras.layers.MaxPooling2D(2, name=f"pool_{place}"),
        ]
    layers += [keras.layers.Flatten(name="flatten"), keras.layers.Dropout(0.5, name="dropout")]
    layers += [
        keras.layers.Dense(dense, activation="relu", name="dense"),
        keras.layers.Dense(1, activation="sigmoid", name="answer"),
    ]
    return keras.Sequential(layers)


def keras_file(ending: str, folder: Path, **size: Any) -> Model:
    cats_and_dogs(**size).save(folder / f"cats{ending}")
    return convscope.load_model(f"keras:{folder}/cats{ending}", labels=["dog"])


def keras_nested(folder: Path, side: int = 64) -> Model:
    from convscope.networks.sources._keras_support import library

    keras = library()
    keras.utils.set_random_seed(0)
    base = keras.applications.VGG16(weights=None, include_top=False, input_shape=(side, side, 3))
    whole = keras.Sequential(
        [
            keras.Input((side, side, 3)),
            base,
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    whole.save(folder / "nested.keras")
    return convscope.load_model(f"keras:{folder}/nested.keras", mode="caffe")


def onnx_file(make: Callable[[], nn.Module], folder: Path, side: int = 64, **options: Any) -> Model:
    path = folder / "net.onnx"
    torch.onnx.export(
        seeded(make),
        (torch.rand(1, 3, side, side),),
        path,
        dynamo=True,
        external_data=False,
        verbose=False,
        **options,
    )
    return convscope.load_model(f"onnx:{path}")


def exported(make: Callable[[], nn.Module], folder: Path, side: int = 64) -> Model:
    torch.export.save(
        torch.export.export(seeded(make), (torch.rand(1, 3, side, side),)), folder / "net.pt2"
    )
    return convscope.load_model(folder / "net.pt2")


def scripted(make: Callable[[], nn.Module], folder: Path, side: int = 64) -> Model:
    torch.jit.trace(seeded(make), torch.rand(1, 3, side, side)).save(folder / "net.pt")
    return convscope.load_model(f"torchscript:{folder}/net.pt", side=side, trust=True)


def hugging_face(kind: str, folder: Path, **settings: Any) -> Model:
    import transformers

    transformers.utils.logging.disable_progress_bar()
    config = getattr(transformers, f"{kind}Config")(num_labels=4, **settings)
    network = seeded(lambda: transformers.AutoModelForImageClassification.from_config(config))
    network.save_pretrained(folder / kind)
    transformers.ViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder / kind)
    return convscope.load_model(f"hf:{folder}/{kind}")


def checkpoint_file(folder: Path) -> Model:
    """A Lightning checkpoint of a DataParallel network, with another head, and labels in a file."""
    network = by_name("timm:resnet18", folder, classes=7).network
    state = {f"model.module.{key}": value for key, value in network.state_dict().items()} | {
        "loss.weight": torch.ones(7)
    }
    torch.save(
        {"state_dict": state, "epoch": 3, "hyper_parameters": {"rate": 0.1}},
        folder / "flowers.ckpt",
    )
    (folder / "labels.txt").write_text("\n".join(f"flower {number}" for number in range(7)))
    return convscope.load_model(
        f"file:{folder}/flowers.ckpt",
        arch="timm:resnet18",
        classes=7,
        labels=folder / "labels.txt",
        size=64,
        mean=0.5,
        std=0.25,
    )


def tiny_imagenet(folder: Path) -> Model:
    """A 64 x 64, 100-class network that subtracts a mean image from pixels, by its model card."""
    network = seeded(lambda: Trunk(classes=100))
    torch.save(network.state_dict(), folder / "tiny.pt")
    np.save(
        folder / "mean.npy", np.linspace(80, 160, 64 * 64 * 3, dtype=np.float32).reshape(64, 64, 3)
    )
    (folder / "tiny.toml").write_text(
        'architecture = "python:small_networks:Trunk"\nclasses = 100\nweights ='
        ' "tiny.pt"\n[preprocessing]\nsize = 64\nscale = 1\nmean_image = "mean.npy"\n'
    )
    return convscope.load_model(folder / "tiny.toml", trust=True)


class Checkpointed(Trunk):
    """Keeps no activations of its first half: they are computed again on the way back."""

    def forward(self, image: Tensor) -> Any:
        x = checkpoint(self.first, image, use_reentrant=False)
        return self.head(self.third(torch.cat([x, x], 1)).mean((2, 3)))


class Tied(nn.Module):
    """Two convolutions that share one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.second.weight = self.first.weight
        self.head = nn.Linear(3, 4)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(image)))).mean((2, 3)))


ODD: dict[str, Bring] = {
    "in-place and re-used ReLU": partial(module, Trunk, size=32),
    "functional ReLU": partial(module, Functional, size=32),
    "tuple output": partial(module, partial(Wrapped, "tuple"), size=32),
    "dict output": partial(module, partial(Wrapped, "dict"), size=32),
    "nested Sequential": partial(
        module,
        lambda: nn.Sequential(
            nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(4, 3),
        ),
        size=32,
    ),
    "DataParallel": partial(module, lambda: nn.DataParallel(Trunk()), size=32),
    "torch.compile": partial(module, lambda: torch.compile(Trunk()), size=32),  # type: ignore[arg-type,return-value]
    "bfloat16": partial(module, lambda: Trunk().bfloat16(), size=32),
    "channels_last": partial(
        module, lambda: Trunk().to(memory_format=torch.channels_last), size=32
    ),  # type: ignore[call-overload]
    "checkpointed": partial(module, Checkpointed, size=32),
    "tied weights": partial(module, Tied, size=32),
    "one channel (28 x 28)": partial(module, partial(Trunk, channels=1, classes=10), size=28),
    "six channels": partial(module, partial(Trunk, channels=6), size=32),
    "not square (32 x 48)": partial(module, Trunk, size=(32, 48)),
}

TASKS: dict[str, Bring] = {
    **{
        name: partial(module, build, size=64)
        for name, build in (DETECTORS | SEGMENTERS | EMBEDDERS).items()
    },
    "hf: CLIP, from a folder": lambda folder: convscope.load_model(f"hf:{save_clip(folder)}"),
    "a regression": partial(module, partial(Trunk, classes=2), size=32, task="regression"),
    "two inputs": partial(module, Scaled, size=32, inputs={"scale": torch.tensor(3.0)}),
}
"""Those that are no classifiers of one image."""

FILES: dict[str, Bring] = {
    "file: Lightning checkpoint": checkpoint_file,
    "card: TinyImageNet, mean image": tiny_imagenet,
}


def _resnet() -> nn.Module:
    import timm

    return timm.create_model("resnet18", num_classes=10)  # type: ignore[no-any-return]


QUICK_TASKS = (
    "torchvision: SSD",
    "YOLO (stand-in, adapter)",
    "U-Net",
    "hf: DINOv2",
    "a regression",
    "two inputs",
)

SMALL: dict[str, Bring] = {
    **ODD,
    **FILES,
    **{name: TASKS[name] for name in QUICK_TASKS},
    "timm:vit (tokens)": partial(by_name, "timm:test_vit"),
    "timm:convnext (NHWC inside)": partial(by_name, "timm:test_convnext"),
    "torchvision:squeezenet1_1": partial(by_name, "torchvision:squeezenet1_1", size=64),
    "torchvision:swin_t (NHWC)": partial(by_name, "torchvision:swin_t", size=64),
    "keras: cats vs dogs .h5": partial(keras_file, ".h5", side=50, units=(4, 4, 4), dense=8),
    "keras: cats vs dogs .keras": partial(keras_file, ".keras", side=50, units=(4, 4, 4), dense=8),
    "onnx: small network": partial(onnx_file, Trunk, side=32),
    "pt2: small network": partial(exported, Trunk, side=32),
    "torchscript: small network": partial(scripted, Trunk, side=32),
    "hf: ViT": partial(
        hugging_face,
        "ViT",
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=64,
        patch_size=16,
    ),
    "hf: ResNet": partial(
        hugging_face,
        "ResNet",
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
    ),
}

CLASSIFIERS: dict[str, Bring] = {
    "embedded": lambda folder: convscope.load_model(),
    "embedded:efficientnet_lite1": lambda folder: convscope.load_model(
        "embedded:efficientnet_lite1"
    ),
    "embedded:efficientnet_lite2": lambda folder: convscope.load_model(
        "embedded:efficientnet_lite2"
    ),
    **{
        f"torchvision:{name}": partial(
            by_name, f"torchvision:{name}", size=None if name in OWN_SIZE else 96
        )
        for name in TORCHVISION
    },
    **{
        f"timm:{name}": partial(by_name, f"timm:{name}", size=None if name in OWN_SIZE else 96)
        for name in TIMM
    },
    "hf: ViT": partial(
        hugging_face,
        "ViT",
        hidden_size=48,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=96,
        image_size=64,
        patch_size=8,
    ),
    "hf: Swin": partial(
        hugging_face,
        "Swin",
        image_size=64,
        patch_size=4,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=4,
    ),
    "hf: ConvNext": partial(
        hugging_face, "ConvNext", hidden_sizes=[8, 16, 16, 32], depths=[1, 1, 1, 1], image_size=64
    ),
    "hf: ResNet": partial(
        hugging_face,
        "ResNet",
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
    ),
    "keras: cats vs dogs .h5": partial(keras_file, ".h5"),
    "keras: cats vs dogs .keras": partial(keras_file, ".keras"),
    "keras: VGG16 inside a network": keras_nested,
    "keras:applications/VGG16": partial(by_name, "keras:applications/VGG16"),
    "keras:applications/MobileNetV2": partial(by_name, "keras:applications/MobileNetV2"),
    "onnx: resnet18": partial(onnx_file, _resnet),
    "pt2: resnet18": partial(exported, _resnet),
    "torchscript: resnet18": partial(scripted, _resnet),
    **FILES,
    **ODD,
}
