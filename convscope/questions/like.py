"""`like:photo2.jpg`: how near the embedding of an image is to that of another one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from convscope.errors import TargetError
from convscope.networks.task import embedding
from convscope.photos.load_image import load_image
from convscope.questions.question import Question

if TYPE_CHECKING:
    from convscope.networks.model import Model


@dataclass(frozen=True)
class LikeQuestion(Question):
    """The cosine between the embeddings of the photo and of another photo."""

    text: str
    reference: Tensor | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, model: Model, text: str) -> LikeQuestion:
        """What follows `like:`, a path."""
        if not text.strip():
            raise TargetError("like: needs the path of a photo, as in like:photo2.jpg.")
        return cls(f"like:{text.strip()}")

    def prepare(self, model: Model, photo_size: tuple[int, int] | None) -> LikeQuestion:
        """With the embedding of the other photo; the network runs on it once."""
        photo = load_image(self.text.removeprefix("like:"))
        with (
            model.module_index.evaluation_mode(),
            torch.inference_mode(False),
            torch.no_grad(),
        ):
            output = model(model.preprocess(model.fit(photo)))
        return replace(self, reference=_vector(model, output)[0])

    def score(self, model: Model, output: object) -> Tensor:
        if self.reference is None:
            question = self.prepare(model, None)
            return question.score(model, output)
        return functional.cosine_similarity(
            _vector(model, output), self.reference[None].to(model.device), dim=1
        )

    def __str__(self) -> str:
        return self.text


def _vector(model: Model, output: object) -> Tensor:
    """The embedding; of a classifier, its scores."""
    return embedding(output) if model.task_of(output) == "embedding" else model.scores(output)
