"""`text:a photo of a cat`: how near an image is to a text, for networks with a text side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from convscope.errors import TargetError
from convscope.questions.like import LikeQuestion

if TYPE_CHECKING:
    from convscope.networks.model import Model


@dataclass(frozen=True)
class TextQuestion(LikeQuestion):
    """The cosine between the embeddings of the photo and of a text, for networks with a text
    side."""

    @classmethod
    def parse(cls, model: Model, text: str) -> TextQuestion:
        """What follows `text:`.

        Raises:
            TargetError: the network has no text side.
        """
        if not callable(getattr(model.network, "embed_text", None)):
            raise TargetError(
                f"{model.name} has no text side, so text: cannot be asked; a network has one if it"
                " has a method embed_text(text) that gives one embedding (as hf:'s CLIP has)."
            )
        if not text.strip():
            raise TargetError("text: needs a text, as in text:a photo of a cat.")
        return cls(f"text:{text.strip()}")

    def prepare(self, model: Model, photo_size: tuple[int, int] | None) -> TextQuestion:
        with torch.inference_mode(False), torch.no_grad():
            embed_text = cast("Callable[[str], Tensor]", model.network.embed_text)
            vector = embed_text(self.text.removeprefix("text:"))
        return replace(self, reference=vector.flatten().float())
