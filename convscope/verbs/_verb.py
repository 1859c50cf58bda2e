"""What every verb shares: load what was given, time it, and write down how the result was made."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec

import numpy as np
import torch
from torch import Tensor

from convscope.core.duration import estimated
from convscope.core.interrupt import StepCount, count_steps
from convscope.core.unpack import written_out
from convscope.core.validation import check_arguments
from convscope.errors import ImageError, NumericError
from convscope.networks.load import ModelLike as ModelLike
from convscope.networks.load import load_model
from convscope.networks.memory_errors import memory_errors
from convscope.networks.model import Model
from convscope.networks.torch_settings import plain_torch_settings
from convscope.photos.fingerprint import fingerprint, fingerprints_kept, to_8_bit
from convscope.photos.load_image import load_named_photos
from convscope.results import provenance
from convscope.results.details import FoolingDetails, ImagesDetails
from convscope.results.result import Result
from convscope.synthesis.preset_text import with_content

P = ParamSpec("P")

PhotoLike = Any
"""`convscope.photos.load_image.PhotoLike`; within a verb, the tensors it was loaded as."""

PHOTO_ARGUMENTS = ("photo", "photos")
"""What a verb calls its photos: `photos` where one alone would make little sense."""

UNCHECKED = ("model", *PHOTO_ARGUMENTS, "mask")
"""Arguments that `load_model` and `load_named_photos` check."""

RECORDED_APART = ("model", *PHOTO_ARGUMENTS)
"""Arguments of which the provenance says more than their value."""


def verb(
    function: Callable[Concatenate[Model, P], Result],
) -> Callable[Concatenate[ModelLike, P], Result]:
    """Decorator for the public functions that take a `model` (and perhaps a `photo`) and return a
    `Result`.

    The arguments are checked by their annotations, a preset's file and the photos are read, then
    the network is loaded: what is wrong is found before what takes long. What the host program set
    in torch does not reach the work, and is as it was afterwards. The function receives a `Model`,
    its photos as a list of tensors (1 c h w in [0, 1], each at its own size), and the text of the
    preset's file in place of its path; its result leaves with its provenance.
    """
    function = written_out(function)
    signature = inspect.signature(function)
    name = photo_argument(function)
    parameter = signature.parameters.get(name)
    needs_photo = parameter is not None and parameter.default is inspect.Parameter.empty

    @wraps(function)
    @plain_torch_settings()
    @fingerprints_kept()
    def run(*args: Any, **kwargs: Any) -> Result:
        started = time.perf_counter()
        bound = check_arguments(function, args, kwargs, unchecked=UNCHECKED)
        arguments = bound.arguments
        if isinstance(arguments.get("preset"), str):
            arguments["preset"] = with_content(arguments["preset"])
        photos: list[provenance.PhotoRecord] = []
        if arguments.get(name) is not None:
            named_photos = load_named_photos(arguments[name])
            arguments[name] = [photo for _, photo in named_photos]
            photos = [_photo(path, photo) for path, photo in named_photos]
        elif needs_photo:
            raise ImageError("No photo was given; give a path, a PIL image, an array or a tensor.")
        if not isinstance(arguments["model"], Model):
            arguments["model"] = load_model(arguments["model"])
        model: Model = arguments["model"]
        with (
            estimated(function.__name__),
            memory_errors(function.__name__),
            count_steps() as steps,
            model.state.memory.one_call(),
        ):
            result = function(*bound.args, **bound.kwargs)
            identity = model.identity
        _require_finite(function.__name__, result)
        apart = (*RECORDED_APART, "options")
        recorded = {name: value for name, value in arguments.items() if name not in apart}
        record = provenance.describe(
            function.__name__,
            recorded | arguments.get("options", {}),
            model={
                "name": model.name,
                "spec": model.spec,
                "options": provenance.to_json(model.options),
                "resize": model.preprocessing.resize,
                "weights": identity,
            },
            photos=photos,
            device=str(model.device),
            threads=torch.get_num_threads(),
        )
        if steps.after is not None:
            result, record["interrupted"] = _interrupted(result, steps)
        record["seconds"] = round(time.perf_counter() - started, 3)
        return replace(result, provenance=record)

    return run


def photo_argument(function: Callable[..., object]) -> str:
    """What a verb calls its photos."""
    return "photos" if "photos" in inspect.signature(function).parameters else "photo"


def _interrupted(result: Result, steps: StepCount) -> tuple[Result, provenance.Interruption]:
    """A result that says that it is not finished, and the record of where it stopped."""
    record: provenance.Interruption = {
        "after": steps.after or 0,
        "of": steps.of,
        "all_steps": steps.steps_done,
    }
    ended = f"interrupted after {record['after']} of {record['of']} steps"
    if isinstance(result.details, (ImagesDetails, FoolingDetails)):
        result = replace(result, details=replace(result.details, ended=ended))
    return result, record


def _require_finite(name: str, result: Result) -> None:
    for key, array in result.arrays.items():
        if not np.isfinite(array).all():
            raise NumericError(
                f"{name}: {key!r} came out as NaN or infinity; nothing is drawn from it."
            )


def _photo(path: str | None, photo: Tensor) -> provenance.PhotoRecord:
    return {
        "path": path,
        "sha256": fingerprint(photo),
        "height": photo.shape[-2],
        "width": photo.shape[-1],
    }


def network_input(model: Model, photos: list[Tensor]) -> Tensor:
    """Photos of any sizes as one network input (n c h w)."""
    return model.preprocess(torch.cat([model.fit(photo) for photo in photos]))


def bytes_of(photos: list[Tensor]) -> list[Any]:
    """The photos as a `Result` keeps them: uint8, h w c, each at its own size."""
    return [to_8_bit(photo)[0].permute(1, 2, 0).contiguous().numpy() for photo in photos]
