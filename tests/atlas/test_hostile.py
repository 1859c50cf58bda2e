"""Atlas folders from elsewhere: a file is data, refused with one sentence, or harmless."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convscope import atlas
from convscope.errors import ConvscopeError, InputError


def altered(part, metadata=None, **columns):
    """The part with other values in some columns, or with another header."""
    table = pq.read_table(part)
    for name, value in columns.items():
        place = table.schema.get_field_index(name)
        field = table.schema.field(name)
        table = table.set_column(place, field, pa.array([value] * len(table), field.type))
    if metadata is not None:
        table = table.replace_schema_metadata({**table.schema.metadata, b"convscope": metadata})
    pq.write_table(table, part)


@pytest.fixture
def part(built):
    return next(built.glob("units/**/*.parquet"))


def bomb():
    """A PNG of a few hundred bytes that says it has 60,000 x 60,000 pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "header",
    [
        b"[" * 100_000,
        b"{}",
        json.dumps({"schema": 1, "rows": 4, "failed": 0, "jobs": 3}).encode(),
        json.dumps({"schema": 1, "rows": 4, "failed": 0, "jobs": [{"job": []}]}).encode(),
        json.dumps({"schema": 1, "rows": "4", "failed": 0, "jobs": []}).encode(),
        json.dumps({"schema": 1, "rows": 4, "failed": 0, "jobs": ["a"]}).encode(),
    ],
)
def test_headers_that_say_nonsense(built, part, header):
    altered(part, header)
    with pytest.raises(InputError, match="damaged"):
        atlas.open(str(built)).layers()
    assert not atlas.verify(str(built)).ok
    atlas.compact(str(built))


def test_a_picture_that_is_a_bomb_or_no_picture(built, part):
    for data, words in (
        (bomb(), "pixels"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "cannot be read"),
        (b"GIF89a" + bytes(40), "cannot be read"),
    ):
        altered(part, image={"bytes": data, "path": None})
        opened = atlas.open(str(built))
        row = next(row for row in opened if row.part.path == str(part))
        with pytest.raises(InputError, match=words):
            _ = row.picture


def test_a_path_in_the_image_column_is_never_read(built, part, tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"\x89PNG secret")
    altered(part, image={"bytes": None, "path": str(secret)})
    atlas.export(str(built), str(tmp_path / "site"))
    assert not any(
        b"secret" in path.read_bytes() for path in (tmp_path / "site").rglob("*") if path.is_file()
    )


@pytest.mark.parametrize("recipe", ["", "[]", "{", "[" * 100_000])
def test_recipes_that_are_none(built, part, tmp_path, recipe):
    altered(part, recipe=recipe)
    with pytest.raises(InputError, match="recipe"):
        atlas.export(str(built), str(tmp_path / "site"))
    assert not (tmp_path / "site").exists()
    assert not list(tmp_path.glob(".site*"))


@pytest.mark.parametrize(
    "name", ["../../outside", "/etc/outside", "a\0b", "..", "x" * 5000, "\u202e"]
)
def test_layer_names_do_not_lead_outside(built, part, tmp_path, name):
    altered(part, layer=name)
    (tmp_path / "inside").mkdir()
    before = {path for path in tmp_path.rglob("*") if "inside" not in path.parts}
    atlas.export(str(built), str(tmp_path / "inside" / "site"))
    unit = atlas.open(str(built)).units(name)[0]
    atlas.show(str(built), f"{name}:{unit}", out=str(tmp_path / "inside" / "pictures"))
    assert {path for path in tmp_path.rglob("*") if "inside" not in path.parts} == before


def test_a_missing_column(built, part):
    table = pq.read_table(part)
    pq.write_table(table.drop_columns(["score"]), part)
    with pytest.raises(ConvscopeError, match="score"):
        atlas.open(str(built)).rows()


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="counts threads as Linux does")
def test_reading_starts_no_thread_that_could_outlive_the_interpreter(built):
    """Arrow's own threads hold the Python file; one that let go of it at exit ended the process
    with "terminate called without an active exception", about one run in 25."""
    script = (
        "import os, sys\n"
        "import pyarrow.parquet\n"
        "from convscope.atlas.store.store import Store\n"
        "from convscope.photos.sources.parquet import Parquet\n"
        "count = lambda: len(os.listdir('/proc/self/task'))\n"
        "store = Store(sys.argv[1])\n"
        "before = count()\n"
        "for part in store.parts('units'):\n"
        "    store.header(part), store.read(part)\n"
        "source = Parquet(store.files, [part.path])\n"
        "source.read(next(source.walk()))\n"
        "assert count() == before, (before, count())\n"
    )
    subprocess.run([sys.executable, "-c", script, str(built)], check=True)


def test_a_map_whose_cells_are_far_apart():
    from convscope.atlas.render.mosaic import draw_mosaic

    cell: Any = {
        "row": 0,
        "column": 0,
        "count": 1,
        "labels": "[]",
        "recipe": json.dumps({"size": [64, 64]}),
    }
    with pytest.raises(InputError, match="too large"):
        draw_mosaic([cell, cell | {"row": 10**9}], [])
    png = io.BytesIO()
    from PIL import Image

    Image.new("RGB", (8, 8)).save(png, "PNG")
    assert draw_mosaic([cell], [(cell, png.getvalue())]).across == 1
