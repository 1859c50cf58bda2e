"""A dataset of Hugging Face."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from convscope.core.extras import need
from convscope.core.types import Foreign
from convscope.errors import InputError
from convscope.photos.sources import register
from convscope.photos.sources.entry import LABEL_COLUMNS, Entry, label_text, photo_bytes
from convscope.photos.sources.place import Place


@register(prefix="hf:")
def hugging_face(place: Place) -> HuggingFace:
    """A dataset of Hugging Face, `hf:NAME` or `hf:NAME:SPLIT`."""
    return HuggingFace(place.text)


class HuggingFace:
    """A dataset of Hugging Face by its name or local folder, `hf:NAME` or `hf:NAME:SPLIT`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._data: Foreign = None
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Foreign]:
        return {"text": self.text}

    def __setstate__(self, state: dict[str, Foreign]) -> None:
        self.__init__(state["text"])  # type: ignore[misc]

    def _loaded(self) -> tuple[Foreign, str, str | None, list[str] | None]:
        with self._lock:
            if self._data is None:
                datasets = need("datasets")
                name, _, split = self.text.partition(":")
                try:
                    data = datasets.load_dataset(name, split=split or "train")
                # whatever the hub, the network or a script raises becomes one sentence here
                except Exception as error:
                    raise InputError(
                        f"The dataset hf:{self.text} cannot be loaded:"
                        f" {' '.join(str(error).split())[:300]}"
                    ) from None
                pictures = [
                    key for key, kind in data.features.items() if type(kind).__name__ == "Image"
                ]
                if not pictures:
                    raise InputError(
                        f"The dataset hf:{self.text} has no column of pictures; it has:"
                        f" {', '.join(data.features)}."
                    )
                label = next((key for key in LABEL_COLUMNS if key in data.features), None)
                names = getattr(data.features[label], "names", None) if label else None
                self._data = (
                    data.cast_column(pictures[0], datasets.Image(decode=False)),
                    pictures[0],
                    label,
                    names,
                )
            loaded: tuple[Foreign, str, str | None, list[str] | None] = self._data
            return loaded

    def walk(self) -> Iterator[Entry]:
        """The rows in order."""
        data, _, label, names = self._loaded()
        column = data.select_columns([label]) if label else None
        for row in range(len(data)):
            yield Entry(
                f"{self.text}#{row}",
                0,
                label_text(column[row][label], names) if column is not None else None,
                (row,),
            )

    def read(self, entry: Entry) -> bytes:
        """The bytes of a photo."""
        data, column, _, _ = self._loaded()
        return photo_bytes(data[entry.place[0]][column], entry.name)
