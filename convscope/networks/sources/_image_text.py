"""Networks with an image side and a text side (CLIP, SigLIP), as one that is run on images."""

from __future__ import annotations

from torch import Tensor, nn

from convscope.core.types import Foreign


class ImageTextNetwork(nn.Module):
    """The image side as the network; `embed_text` asks the text side.

    Args:
        network: a model of transformers with `get_image_features` and `get_text_features`.
        tokenizer: its tokenizer.
    """

    num_classes = 0

    def __init__(self, network: Foreign, tokenizer: Foreign) -> None:
        super().__init__()
        self.network = network
        self._tokenizer = tokenizer

    def forward(self, image: Tensor) -> Tensor:
        """The embedding of each image (n d)."""
        return _pooled(self.network.get_image_features(pixel_values=image))

    def embed_text(self, text: str) -> Tensor:
        """The embedding of a text (d)."""
        device = next(self.network.parameters()).device
        tokens = self._tokenizer(text, return_tensors="pt", truncation=True).to(device)
        return _pooled(self.network.get_text_features(**tokens))[0]


def _pooled(features: Foreign) -> Tensor:
    """Newer versions of transformers return a structure around the embedding."""
    tensor: Tensor = features if isinstance(features, Tensor) else features.pooler_output
    return tensor
