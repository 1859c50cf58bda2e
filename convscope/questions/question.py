"""What all questions have in common: from what a network returned to one score per image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from convscope.errors import TargetError

if TYPE_CHECKING:
    from convscope.core.types import Task
    from convscope.networks.model import Model

ASKED: dict[str, str] = {
    "classification": "a class, 'a vs b', value:K, unit:LAYER:INDEX",
    "multi-label": "a class, 'a vs b', value:K, unit:LAYER:INDEX",
    "regression": "value, value:K, unit:LAYER:INDEX",
    "detection": "box:K, box:LABEL, box:LABEL#K, a class, unit:LAYER:INDEX",
    "segmentation": "mask:LABEL, pixel:X,Y@LABEL, a class, unit:LAYER:INDEX",
    "embedding": "like:PHOTO, value:K, unit:LAYER:INDEX",
}
"""Task -> what can be asked of such a network, for messages."""


class Question:
    """One image's question. The same question may stand for every image of a batch.

    `prepare` looks up what the question names, before anything runs; `resolve` fixes what depends
    on the network's own answer to the unchanged image (a box's place, a mask), so that later runs
    on changed images are asked the same thing. `layer` is the layer whose output is asked about,
    None for the network's. `is_local`: it asks about a part of the photo, so that a method which
    averages over places would mix it with its likes elsewhere.
    """

    is_open = False
    is_local = False
    layer: str | None = None

    def prepare(self, model: Model, photo_size: tuple[int, int] | None) -> Question:
        """The same with every name looked up; `photo_size` is height and width."""
        return self

    def of_any_image(self) -> Question:
        """The same, asked of images that are still to be made, in which nothing can be pointed at.

        Raises:
            TargetError: it points at what only a photo has.
        """
        return self

    def resolve(self, model: Model, output: object, image: int) -> Question:
        """The same with nothing left open, from what the network said of image number `image`."""
        return self

    def as_probability(self) -> Question:
        """The same in [0, 1], where there is such a thing."""
        return self

    def score(self, model: Model, output: object) -> Tensor:
        """One score per image, n."""
        raise NotImplementedError

    def title(self, model: Model) -> str:
        """What stands above the picture."""
        return str(self)


def require_task(model: Model, output: object, task: Task, question: object) -> None:
    """
    Raises:
        TargetError: the network is of another task; the message says what it can be asked.
    """
    actual = model.task_of(output)
    if actual != task:
        raise TargetError(
            f"{question} is asked of a network for {task}, and {model.name} is for {actual}; it can"
            f" be asked: {ASKED[actual]}."
        )
