"""Copies of photos that are no files, and how much of large photos is kept in memory."""

from __future__ import annotations

import re
import weakref
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image

import convscope
from convscope.audit import explainer, thumbnails
from tests.audit import colored_photos


def photos_of(seed, count=12):
    """Photos in memory and their labels; with another seed, the objects stand elsewhere."""
    generator = np.random.default_rng(seed)
    labels = [number % 4 for number in range(count)]
    # Two mistakes, so that every part of the page is there.
    shown = [colored_photos.CLASSES[label] for label in labels[:-2]] + ["green", "red"]
    return [colored_photos.photo(generator, name)[0] for name in shown], labels


def audit(tmp_path, photos, labels, **options):
    options = {"unit_steps": 0, "out": str(tmp_path / "audit.html")} | options
    return convscope.audit(colored_photos.model(), photos, labels=labels, **options)


def linked(tmp_path):
    page = (tmp_path / "audit.html").read_text()
    return {tmp_path / unquote(link) for link in re.findall(r'href="([^"#]+\.png)"', page)}


def test_copies_are_of_this_audit_and_those_of_an_earlier_one_are_gone(tmp_path):
    first, labels = photos_of(0)
    audit(tmp_path, first, labels)
    second, _ = photos_of(1)
    audit(tmp_path, second, labels)
    files = linked(tmp_path)
    assert files
    assert set((tmp_path / "audit" / "shown").iterdir()) == files
    for file in files:
        number = int(file.name.partition("-")[0])
        assert np.array_equal(np.asarray(Image.open(file)), second[number])


def test_files_that_no_audit_wrote_are_left(tmp_path):
    photos, labels = photos_of(0)
    audit(tmp_path, photos, labels)
    shown = tmp_path / "audit" / "shown"
    written = sorted(shown.iterdir())
    others = [shown / name for name in ("notes.txt", "000001.png", f"000000-{'0' * 16}.png")]
    for file in [*others, written[0]]:
        file.write_bytes(b"someone else's")
    audit(tmp_path, photos_of(1)[0], labels)
    for file in [*others, written[0]]:
        assert file.read_bytes() == b"someone else's"
    assert not set(written[1:]) & set(shown.iterdir())


def test_photos_that_are_files_need_no_copies_and_old_ones_go(tmp_path):
    audit(tmp_path, *photos_of(0))
    colored_photos.write(tmp_path, count=12)
    audit(tmp_path, str(tmp_path / "photos"), None)
    assert not (tmp_path / "audit" / "shown").exists()
    assert all(file.is_file() for file in linked(tmp_path))


@pytest.mark.parametrize("module", [explainer, thumbnails])
def test_one_photo_at_a_time_is_in_memory_as_large_as_it_is(tmp_path, monkeypatch, module):
    """Photos of 32 pixels stand for large ones: the network takes 16, a thumbnail 8."""
    colored_photos.write(tmp_path, count=40, swapped=4)
    read = module.read_photo
    photos: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def counted(source, entry):
        alive.append(sum(photo() is not None for photo in photos))
        image = read(source, entry)
        photos.append(weakref.ref(image))
        return image

    monkeypatch.setattr(module, "read_photo", counted)
    monkeypatch.setattr(thumbnails, "KEPT_SIDE", 8)
    network = colored_photos.network()
    model = convscope.load_model(network, size=16, labels=list(colored_photos.CLASSES))
    convscope.audit(
        model,
        str(tmp_path / "photos"),
        out=str(tmp_path / "audit.html"),
        masks=str(tmp_path / "masks"),
        unit_steps=0,
    )
    assert len(alive) >= 8
    # One that the last call of the network still holds.
    assert max(alive) <= 1


def test_photos_are_kept_small(tmp_path):
    generator = np.random.default_rng(0)
    large = generator.integers(0, 255, (700, 1400, 3), dtype=np.uint8)
    source = convscope.photos.listed.Listed([large])
    (entry,) = source.walk()
    model = colored_photos.model()
    page = tmp_path / "audit.html"
    drawn = thumbnails.Thumbnails(model, source, "0", page, tmp_path / "audit")
    photo = explainer.ExplainedPhoto(0, entry, 0, 0)
    drawn.plain(photo)
    drawn.with_heat(photo, np.ones((4, 4), np.float32))
    (kept,) = drawn._photos.values()
    assert kept.pixels.shape == (240, 480, 3)
    # The copy is what the command explains, so it is whole.
    assert np.array_equal(np.asarray(Image.open(kept.file)), large)
