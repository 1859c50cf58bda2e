from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convscope.core.quiet import without_warnings
from convscope.core.types import Foreign, Options
from convscope.errors import ExtraError, ModelError
from convscope.networks.model import Model
from convscope.networks.preprocessing import Interpolation, Preprocessing
from convscope.networks.sources import register
from convscope.networks.sources._hub import hub
from convscope.networks.sources._image_text import ImageTextNetwork
from convscope.networks.weights import load_weights, with_random_weights

RESAMPLING: dict[int, Interpolation] = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Pillow's numbers, as image processors store them; Lanczos (1), box (4) and Hamming (5) become
bicubic."""

BICUBIC = 3

USUAL_SIDE = 224

CONVNEXT_WARPS_FROM = 384
"""ConvNeXt's processor, which has a `crop_pct` and no center crop of its own, squashes the whole
photo to sides from here on, as ConvNeXt is evaluated (Liu et al., 2022)."""


@register()
def hf(name: str, *, weights: bool | str | None = None) -> Model:
    """An image network of Hugging Face (classifier, detector, segmenter, CLIP, or a backbone
    without a head): an id or a local folder; preprocessing from its image processor, labels from
    `id2label`.

    Args:
        weights: False for random weights, or a local file; by default the hub's own, downloaded on
            first use.

    Example:
        convscope.load_model("hf:microsoft/resnet-50")
    """
    try:
        import transformers
    except ImportError:
        raise ExtraError("transformers", "hf") from None
    with _silenced(transformers), hub():
        config, network, processor = _read(transformers, name, weights)
        if isinstance(weights, str):
            load_weights(network, weights)
        if hasattr(network, "get_image_features"):
            network = ImageTextNetwork(network, _tokenizer(transformers, name))
    labels = (
        [str(config.id2label[index]) for index in sorted(config.id2label)]
        if config.id2label
        else None
    )
    if labels and all(label == f"LABEL_{index}" for index, label in enumerate(labels)):
        labels = None
    return Model(
        network.eval(),
        name=name.rstrip("/").rpartition("/")[2],
        preprocessing=_preprocessing(processor, config),
        labels=labels,
        channels=int(getattr(config, "num_channels", None) or 3),
    )


@contextmanager
def _silenced(transformers: Foreign) -> Iterator[None]:
    """Inside, transformers says nothing on its own; its settings come back."""
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with without_warnings:
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _read(
    transformers: Foreign, name: str, weights: bool | str | None
) -> tuple[Foreign, Foreign, Options]:
    """Configuration, network (its weights random where they come from a file) and the settings of
    the image processor.

    Raises:
        ModelError: they cannot be fetched or read, or it is no image network.
    """
    try:
        config: Foreign = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
        kind = _auto_class(transformers, config)
        if weights is None or weights is True:
            network: Foreign = kind.from_pretrained(name, dtype="auto", trust_remote_code=False)
        else:
            network = with_random_weights(lambda: kind.from_config(config, trust_remote_code=False))
        return config, network, _processor(transformers, name)
    except Exception as error:
        said = " ".join(str(error).split())
        if "Unrecognized configuration class" in said:
            raise ModelError(
                f"hf:{name} is no image classifier (its type is {config.model_type!r})."
            ) from error
        raise ModelError(
            f"hf:{name} could not be loaded ({type(error).__name__}): give an id that can be"
            " reached or is in the cache, or a folder with config.json and weights; weights=False"
            " (random) and weights=PATH need only the configuration."
        ) from error


def _tokenizer(transformers: Foreign, name: str) -> Foreign:
    """What makes tokens of a text.

    Raises:
        ModelError: it is missing or damaged.
    """
    where = "the tokenizer's files must be there, whole, beside config.json."
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        raise ModelError(
            f"hf:{name} has a text side, and its tokenizer could not be loaded"
            f" ({type(error).__name__}): {where}"
        ) from error
    # Without its files transformers makes one that knows no words: all texts would be the same.
    if not tokenizer.get_vocab().keys() - set(tokenizer.all_special_tokens):
        raise ModelError(
            f"hf:{name} has a text side, and its tokenizer has an empty vocabulary: {where}"
        )
    return tokenizer


AUTO_CLASSES = (
    ("ForImageClassification", "AutoModelForImageClassification"),
    ("ForObjectDetection", "AutoModelForObjectDetection"),
    ("ForSemanticSegmentation", "AutoModelForSemanticSegmentation"),
    ("ForUniversalSegmentation", "AutoModelForUniversalSegmentation"),
    ("Model", "AutoModel"),
)
"""What the name of an architecture ends in -> the class of transformers that loads it."""


def _auto_class(transformers: Foreign, config: Foreign) -> Foreign:
    """What loads the network that the configuration names; a classifier where it names none."""
    architectures = getattr(config, "architectures", None) or ["ForImageClassification"]
    for ending, name in AUTO_CLASSES:
        if architectures[0].endswith(ending):
            return getattr(transformers, name)
    return transformers.AutoModelForImageClassification


def _processor(transformers: Foreign, name: str) -> Options:
    """The stored settings of the image processor; nothing where the folder has none."""
    try:
        settings: Options = transformers.AutoImageProcessor.from_pretrained(
            name, trust_remote_code=False
        ).to_dict()
    except (OSError, ValueError, ImportError):
        return {}
    return settings


def _preprocessing(processor: Options, config: Foreign) -> Preprocessing:
    """The processor's steps: resize, center crop, rescale to [0, 1], subtract the mean and divide
    by the deviation."""
    side = getattr(getattr(config, "vision_config", config), "image_size", None) or USUAL_SIDE
    resizes = processor.get("do_resize", True)
    cuts = bool(processor.get("do_center_crop"))
    resized = _sides(processor.get("size") if resizes else None, side)
    cropped = _sides(processor.get("crop_size"), resized) if cuts else resized
    share = processor.get("crop_pct") if resizes else None
    crop = share or (cropped[0] / resized[0] if cuts else 1.0)
    fixed = isinstance(processor.get("size"), dict) and "height" in processor["size"]
    squashes = bool(resizes and fixed and not cuts)
    if share and not cuts and min(resized) >= CONVNEXT_WARPS_FROM:
        crop, squashes = 1.0, True
    normalized = processor.get("do_normalize", False)
    rescaled = processor.get("do_rescale", True)
    factor = processor.get("rescale_factor") or 1 / 255
    resample = processor.get("resample")  # 0 is nearest
    return Preprocessing(
        cropped,
        float(min(crop, 1.0)),
        RESAMPLING.get(BICUBIC if resample is None else int(resample), "bicubic"),
        tuple(processor["image_mean"]) if normalized else (0.0,),
        tuple(processor["image_std"]) if normalized else (1.0,),
        scale=255.0 * factor if rescaled else 255.0,
        resize="squash" if squashes else "crop",
    )


def _sides(size: Foreign, fallback: Foreign) -> tuple[int, int]:
    if isinstance(size, dict):
        if "height" in size:
            return int(size["height"]), int(size["width"])
        size = size.get("shortest_edge")
    sides = size or fallback
    return (
        (int(sides), int(sides))
        if isinstance(sides, (int, float))
        else (int(sides[0]), int(sides[1]))
    )
