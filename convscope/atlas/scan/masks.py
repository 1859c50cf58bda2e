"""Where the object of each photo is: a folder of masks, named as the photos."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from convscope.core.text import storable
from convscope.errors import InputError
from convscope.networks.model import Model
from convscope.photos.load_image import load_photos
from convscope.photos.sources.entry import ENDINGS, Entry


class Masks:
    """Masks as pictures: white where the object is. A photo `cats/1.jpg` has the mask `cats/1.png`,
    or `1.png`."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        if not os.path.isdir(self.folder):
            raise InputError(f"There is no folder {folder} with masks.")
        self.paths = {
            storable(path.relative_to(self.folder).with_suffix("").as_posix()): path
            # What cannot be listed is passed over.
            for path in sorted(
                Path(place, name) for place, _, names in os.walk(self.folder) for name in names
            )
            if path.suffix.lower() in ENDINGS
        }
        if not self.paths:
            raise InputError(f"The folder {folder} holds no masks; they end in {ENDINGS[2]}.")

    @property
    def identity(self) -> list[tuple[str, str]]:
        """The masks' names and what is in them (SHA-256): an edited mask may have the size that it
        had, and a copied one another time."""
        return [(name, sha256(path.read_bytes()).hexdigest()) for name, path in self.paths.items()]

    def path(self, entry: Entry) -> Path | None:
        """The mask of a photo, or None."""
        name = PurePosixPath(entry.name).with_suffix("")
        return self.paths.get(str(name)) or self.paths.get(name.name)

    def read(self, entry: Entry, size: tuple[int, int], model: Model) -> Tensor | None:
        """The mask (1 1 h w, 0 or 1) at the network's size, or None; `size` is the photo's.

        Raises:
            InputError: it has another size than its photo, or is empty.
        """
        path = self.path(entry)
        if path is None:
            return None
        mask = load_photos(path)[0].mean(1, keepdim=True)
        if tuple(mask.shape[-2:]) != size:
            raise InputError(
                f"The mask {path} has {mask.shape[-2]} x {mask.shape[-1]} pixels, but its photo has"
                f" {size[0]} x {size[1]}."
            )
        fitted = model.preprocessing.fit((mask > 0.5).float())
        if not bool((fitted > 0.5).any()):
            return None
        return torch.as_tensor(fitted > 0.5).float()
