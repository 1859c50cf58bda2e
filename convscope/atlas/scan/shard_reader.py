"""What every pass over photos shares: a network that is prepared once, and photos that are read
while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from convscope.atlas.scan.listing import Shard
from convscope.atlas.scan.read_ahead import ReadAhead, ReadBatch
from convscope.networks.model import Model
from convscope.photos.sources.place import PhotoSource
from convscope.probe.inference_copy import inference_copy


class ShardReader:
    """Reads shards of photos at the network's size. It can be sent to another process."""

    def __init__(
        self,
        model: Model,
        layers: Sequence[str],
        source: PhotoSource,
        *,
        batch: int,
        half: bool,
    ) -> None:
        self.model, self.layers, self.source = model, list(layers), source
        self.batch, self.half = batch, half
        self._prepared: Model | None = None
        self._reader: ReadAhead | None = None

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_prepared": None, "_reader": None}

    def close(self) -> None:
        """End the threads that read photos."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def announce(self, shard: Shard) -> None:
        """Say which shard comes after the current one, so that reading does not wait between
        them."""
        self._read_ahead().announce(shard)

    def batches(self, shard: Shard) -> Iterator[ReadBatch]:
        """A shard's photos at the network's size."""
        return self._read_ahead().batches(shard)

    def prepare(self) -> Model:
        """The inference copy of the network, made when it is first asked for."""
        if self._prepared is None:
            self._prepared = inference_copy(self.model, self.layers, half=self.half)
        return self._prepared

    def _read_ahead(self) -> ReadAhead:
        if self._reader is None:
            self._reader = ReadAhead(self.source, self.batch, self._fit)
        return self._reader

    def _fit(self, photo: Tensor) -> Tensor:
        return self.model.preprocessing.fit(self.model.match_channels(photo))
