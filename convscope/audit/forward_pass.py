"""The first pass: every photo through the network once, forwards only."""

from __future__ import annotations

import torch

from convscope.atlas.scan.labels import Labels
from convscope.atlas.scan.listing import Shard
from convscope.atlas.scan.shard_reader import ShardReader
from convscope.audit.tables import PHOTOS, encode
from convscope.core.types import JsonObject
from convscope.errors import NumericError
from convscope.networks.model import Model
from convscope.photos.sources.place import PhotoSource
from convscope.probe import Probe


class ForwardPass(ShardReader):
    """A shard of photos -> its rows of `PHOTOS`, as bytes; unreadable photos have a reason
    instead."""

    def __init__(
        self,
        model: Model,
        source: PhotoSource,
        labels: Labels,
        *,
        batch: int,
        half: bool,
        run: str,
    ) -> None:
        super().__init__(model, [], source, batch=batch, half=half)
        self.labels, self.run = labels, run

    def job(self, shard: int) -> str:
        """The name of a shard's part."""
        return f"{self.run}-{shard:06d}"

    def __call__(self, shard: Shard) -> bytes:
        """The rows of a shard.

        Raises:
            NumericError: scores that are NaN or infinite.
        """
        prepared = self.prepare()
        rows: list[JsonObject] = []
        with Probe(prepared) as probe:
            for batch in self.batches(shard):
                readable = batch.readable()
                scores = None
                if readable:
                    scores = probe.scores(prepared.preprocess(batch.images())).cpu()
                    if not bool(torch.isfinite(scores).all()):
                        raise NumericError(
                            f"The network's scores are NaN or infinite on"
                            f" {batch.photos[readable[0]].entry.name} or a photo near it."
                        )
                    probabilities = self.model.probabilities(scores)
                for place, photo in enumerate(batch.photos):
                    number = shard.photo(batch.first + place)
                    text = self.labels.text(number, photo.entry)
                    label = self.labels.index(number, photo.entry)
                    row: JsonObject = {"number": number, "photo": photo.entry.name}
                    row |= {"label": text, "label_index": label}
                    if scores is None or place not in readable:
                        rows.append(row | {"unreadable": photo.reason})
                        continue
                    at = readable.index(place)
                    rows.append(row | self._answer(scores[at], probabilities[at], label))
        return encode(PHOTOS, rows, self.job(shard.number))

    def _answer(
        self, scores: torch.Tensor, probabilities: torch.Tensor, label: int | None
    ) -> JsonObject:
        """What the network says of one photo."""
        predicted = int(scores.argmax())
        answer: JsonObject = {
            "predicted": self.model.label(predicted),
            "predicted_index": predicted,
            "probability": float(probabilities[predicted]),
        }
        if label is not None:
            answer |= {
                "label_probability": float(probabilities[label]),
                "rank": int((scores > scores[label]).sum()),
                "margin": float(scores[predicted] - scores[label]),
                "correct": predicted == label,
            }
        return answer
