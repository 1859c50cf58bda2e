"""Which source of photos a text stands for."""

from __future__ import annotations

import io
import pickle
import tarfile

import pytest
from PIL import Image

from convscope.errors import ImageError, InputError
from convscope.photos.sources import registry
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
