"""What the server holds: the network, photos, an atlas, and the two lanes that work is done in."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

import convscope
from convscope.atlas.atlas import Atlas
from convscope.core.cache import Cache
from convscope.core.types import JsonObject
from convscope.errors import ConvscopeError, OptionError
from convscope.networks.layer import Layers
from convscope.networks.model import Model
from convscope.photos.load_image import PhotoLike
from convscope.probe import Probe
from convscope.results.arrays import to_numpy
from convscope.results.result import Result
from convscope.synthesis import presets
from convscope.web import drawing, schemas
from convscope.web.limits import CACHED_BYTES
from convscope.web.long import LongLane
from convscope.web.photos import Photos
from convscope.web.quick import QuickLane

PICTURE: JsonObject = {"preset": "quick", "steps": 96, "size": 128}
"""How a unit's picture is made for the page: small and soon, then sharper."""


class Microscope:
    """One network under the microscope.

    Two threads look into it: `quick` answers questions, `long` optimizes pictures with a copy of
    the network that is its own, so that neither meets the other's hooks.
    """

    def __init__(
        self, model: Model, photos: Sequence[PhotoLike] = (), *, atlas: Atlas | None = None
    ) -> None:
        self.model = model
        self.identity = model.identity
        self.atlas = None if atlas is None else _atlas_of(model, atlas)
        self.threads = torch.get_num_threads()
        with Probe(model) as probe:
            self.layers: Layers = probe.layers
        self.stages = self.layers.stages()
        self.photos = Photos(model, photos)
        self.quick = QuickLane(burst=model.state.memory.unchanged)
        self.long = LongLane(self.quick.idle)
        self.looked_at: Cache[list[JsonObject]] = Cache(CACHED_BYTES)
        self.activations: Cache[Result] = Cache(CACHED_BYTES)
        self._copy: Model | None = None
        self.long.submit(self._prepare)

    def _prepare(self) -> None:
        """Make the copy and run it once, so that the first picture of a unit comes soon."""
        unit = f"{self.stages[len(self.stages) // 2]}:0" if self.stages else None
        if unit is not None:
            try:
                convscope.visualize(self.private_copy(), unit, preset="quick", steps=1, size=64)
            except ConvscopeError:
                return

    def private_copy(self) -> Model:
        """The network of the thread of long work."""
        if self._copy is None:
            self._copy = copy.deepcopy(self.model)
        return self._copy

    def close(self) -> None:
        """End all work."""
        self.quick.close()
        self.long.close()

    def key(self, verb: str, photo: str | None, arguments: JsonObject, extra: str = "") -> str:
        """What tells a question from others: the parts of a provenance that are known before."""
        parts = {
            "verb": verb,
            "photo": photo,
            "arguments": arguments,
            "weights": self.identity,
            "threads": self.threads,
            "extra": extra,
        }
        text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:40]

    def state(self) -> JsonObject:
        """What the page needs to know before it asks anything."""
        model = self.model
        try:
            classes: int | None = model.classes
        except ConvscopeError:
            classes = None
        return {
            "model": {
                "name": model.name,
                "size": list(model.size),
                "classes": classes,
                "labels": [model.label(index) for index in range(classes)] if classes else [],
            },
            "layers": [
                {"name": layer.name, "kind": layer.kind, "shape": list(layer.shape)}
                for layer in self.layers.values()
            ],
            "stages": self.stages,
            "last": self.layers.last_spatial(),
            "methods": schemas.method_forms(),
            "presets": presets.names(),
            "photos": self.photos.names(),
            "atlas": self._atlas_state(),
            "picture": PICTURE,
        }

    def _atlas_state(self) -> JsonObject | None:
        if self.atlas is None:
            return None
        return {"layers": self.atlas.layers()}

    def draw(self, images: object) -> str:
        """An unfinished picture (a tensor, n c h w in [0, 1]) for the page."""
        assert isinstance(images, Tensor)
        return drawing.images(to_numpy(images))

    def on_copy(self, verb: str, *args: object, **kwargs: object) -> Callable[[], Result]:
        """A call of a verb with the network of the thread of long work."""
        return lambda: getattr(convscope, verb)(self.private_copy(), *args, **kwargs)


def _atlas_of(model: Model, atlas: Atlas) -> Atlas:
    """The rows of this network in an atlas.

    Raises:
        OptionError: the atlas holds none of it, or of other weights.
    """
    networks = atlas.models()
    if model.identity not in [network["model_id"] for network in networks]:
        names = ", ".join(network["model"] for network in networks) or "no network"
        raise OptionError(
            f"The atlas holds {names}, and not {model.name} with these weights; build one of it"
            " with `convscope atlas build`, or leave the atlas out."
        )
    return Atlas(atlas.store, model.identity)
