"""Which source of photos a text stands for."""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import tarfile

import pytest
from PIL import Image

from convscope.errors import ImageError, InputError
from convscope.photos.sources import registry
from convscope.photos.sources.entry import Entry
from convscope.photos.sources.source_of import source_of


@pytest.fixture
def folder(tmp_path):
    """Three photos, the same as archives of one each, and a text."""
    (tmp_path / "cats").mkdir()
    for number in range(3):
        buffer = io.BytesIO()
        Image.new("RGB", (2, 2), (number, 0, 0)).save(buffer, "PNG")
        (tmp_path / "cats" / f"{number}.png").write_bytes(buffer.getvalue())
        (tmp_path / "tar").mkdir(exist_ok=True)
        with tarfile.open(tmp_path / "tar" / f"a-{number:03}.tar", "w") as archive:
            archive.add(tmp_path / "cats" / f"{number}.png", f"{number}.png")
    (tmp_path / "notes.txt").write_text("none")
    return tmp_path


def names(text: object) -> list[str]:
    return [entry.name for entry in source_of(str(text)).walk()]


def test_a_folder_its_archives_and_a_pattern(folder):
    assert names(folder / "cats") == ["0.png", "1.png", "2.png"]
    archived = ["a-000.tar#0.png", "a-001.tar#1.png", "a-002.tar#2.png"]
    assert names(folder / "tar") == archived
    assert names(folder / "tar" / "*.tar") == archived
    assert names(folder / "tar" / "a-{001..002}.tar") == archived[1:]


def test_a_source_reads_what_it_listed_in_another_process_too(folder):
    for place in ("cats", "tar"):
        source = source_of(str(folder / place))
        last = list(source.walk())[-1]
        assert pickle.loads(pickle.dumps(source)).read(last) == source.read(last)
        assert Image.open(io.BytesIO(source.read(last))).getpixel((0, 0)) == (2, 0, 0)


def test_what_is_no_place_says_what_is(folder):
    for text, sentence in (
        (folder / "dogs", "There are no photos at"),
        (folder / "notes.txt", "is none of the places photos can come from"),
    ):
        with pytest.raises(InputError, match=sentence) as caught:
            source_of(str(text))
        assert "a folder, .parquet or .tar files, or hf:NAME." in str(caught.value)
    (folder / "empty").mkdir()
    with pytest.raises(ImageError, match="There is no photo in"):
        source_of(str(folder / "empty"))


def test_the_sources_are_the_files_of_the_folder():
    assert registry.names() == ["archives", "folder", "hugging_face", "parquet"]
    assert registry.traits("hugging_face").prefix == "hf:"


def test_a_folder_whose_name_holds_what_fsspec_takes_for_a_chain(folder):
    odd = folder / "o#d ?%20é::x"
    (folder / "cats").rename(odd)
    source = source_of(str(odd))
    listed = list(source.walk())
    assert [entry.name for entry in listed] == ["0.png", "1.png", "2.png"]
    assert Image.open(io.BytesIO(source.read(listed[2]))).getpixel((0, 0)) == (2, 0, 0)


def test_names_and_labels_can_be_written_though_the_file_systems_names_are_no_text(folder):
    """A Latin-1 name, as old archives unpack to."""
    odd = os.path.join(os.fsencode(folder / "cats"), b"caf\xe9")
    try:
        os.mkdir(odd)
        shutil.copy(folder / "cats" / "1.png", os.path.join(odd, b"bl\xe5.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    source = source_of(str(folder / "cats"))
    (entry,) = (entry for entry in source.walk() if "bl" in entry.name)
    assert entry.name == "caf\\udce9/bl\\udce5.png"
    assert entry.label == "caf\\udce9"
    again = Entry.from_json(json.loads(json.dumps(entry.to_json())))
    assert again == entry
    assert Image.open(io.BytesIO(source.read(again))).getpixel((0, 0)) == (1, 0, 0)
