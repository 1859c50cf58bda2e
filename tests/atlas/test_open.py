"""Reading: by us, by DuckDB, `datasets` and pandas; verified, merged, searched."""

from __future__ import annotations

import warnings
from typing import get_type_hints

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from convscope import atlas
from convscope.atlas.store.store import Store
from convscope.errors import InputError, LayerError, OptionError, UnitError
from tests.small_atlas import SMALL, state


@pytest.fixture
def whole(built, model, photos):
    """With examples."""
    atlas.examples(
        model, str(photos), str(built), layers="first,third,head", k=3, samples=2, batch=8
    )
    return built


def test_opened_unchanged_by_others(whole, tmp_path):
    import duckdb
    import pandas

    units, examples = f"{whole}/units/**/*.parquet", f"{whole}/examples/**/*.parquet"
    assert duckdb.sql(f"select count(*), count(distinct key) from '{units}'").fetchall() == [
        (25, 25)
    ]
    actual = duckdb.sql(
        f"select layer, octet_length(image.bytes) from '{examples}' where kind = 'top' and rank = 0"
    ).fetchall()
    assert len(actual) == 25
    assert all(size > 50 for _, size in actual)
    frame = pandas.concat(pandas.read_parquet(path) for path in whole.glob("units/**/*.parquet"))
    assert frame.set_index("layer").loc["third", "score"].notna().all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

        datasets.disable_progress_bars()
        for pattern, rows in ((units, 25), (examples, 25 * 5)):
            data = datasets.load_dataset(
                "parquet", data_files=pattern, split="train", cache_dir=str(tmp_path / "cache")
            )
            assert len(data) == rows
            picture = next(row["image"] for row in data if row["image"] is not None)
            assert picture.mode == "RGB"


def test_rows_and_pictures(whole):
    opened = atlas.open(str(whole))
    assert opened.layers() == ["first", "third", "head"]
    assert opened.units("third") == list(range(12))
    assert len(opened) == len(list(opened)) == 25
    assert [row["unit"] for row in opened.rows("third")] == list(range(12))
    row = opened.unit("third:6")[0]
    assert row.picture.size == (16, 16)
    assert row.recipe["preset"] == "distill"
    top = opened.examples("third", 6, kind="top")
    assert [one["rank"] for one in top] == [0, 1, 2]
    assert top[0]["value"] >= top[1]["value"] >= top[2]["value"]
    assert top[0].picture is not None
    assert [one["kind"] for one in opened.examples("third:6")] == ["top"] * 3 + ["sample"] * 2
    assert opened.models()[0]["model"] == "Small"
    assert [one["photo"] for one in opened.skipped()] == ["cats/05-broken.jpg"]
    for call, error in (
        (("thirt", 6), LayerError),
        (("third", 12), UnitError),
        (("third",), UnitError),
    ):
        with pytest.raises(error):
            opened.unit(*call)


def test_similar_and_search(whole, model, network):
    opened = atlas.open(str(whole))
    near = opened.similar("third:6", n=3)
    assert [row["cosine"] for row in near] == sorted((row["cosine"] for row in near), reverse=True)
    mine = {row["photo"]: row["value"] for row in opened.examples("third:6", kind="top")}
    other = {
        row["photo"]: row["value"]
        for row in opened.examples(near[0]["layer"], near[0]["unit"], kind="top")
    }
    size = (
        sum(value**2 for value in mine.values()) ** 0.5
        * sum(value**2 for value in other.values()) ** 0.5
    )
    assert near[0]["cosine"] == pytest.approx(
        sum(mine[name] * other[name] for name in mine if name in other) / size
    )
    weights = network.third.weight.detach().flatten(1)
    near = opened.similar("third", 6, by="weights", model=model, n=11)
    expected = weights @ weights[6] / weights.norm(dim=1) / weights[6].norm()
    assert {row["unit"]: pytest.approx(row["cosine"], abs=1e-6) for row in near} == {
        unit: value for unit, value in enumerate(expected.tolist()) if unit != 6
    }
    with pytest.raises(OptionError, match="model="):
        opened.similar("third:6", by="weights")
    best = opened.search("DOG")
    assert best[0]["share"] == max(row["share"] for row in best)
    rows = opened.examples(best[0]["layer"], best[0]["unit"], kind="top")
    assert sum(row["label"] == "dogs" for row in rows) / 3 == best[0]["share"]
    with pytest.raises(InputError, match="dogs"):
        opened.search("dogz")


def test_two_networks_in_one_folder(whole, model, network):
    import torch

    import convscope

    with torch.no_grad():
        network.head.weight.mul_(2)
    atlas.build(convscope.load_model(network, size=24), "head", str(whole), **SMALL)
    with pytest.raises(OptionError, match="2 networks"):
        atlas.open(str(whole)).layers()
    names = [one["model_id"][:8] for one in atlas.open(str(whole)).models()]
    assert sorted(len(atlas.open(str(whole), model=name)) for name in names) == [5, 25]
    assert len(atlas.ls(str(whole)).table) == 4


def test_compact_keeps_every_row_and_every_job(whole, model, photos):
    def rows(kind):
        actual = [
            row
            for path in whole.glob(f"{kind}/**/*.parquet")
            for row in pq.read_table(path).to_pylist()
        ]
        return sorted(
            (row["checksum"], row["image"]["bytes"] if row["image"] else b"") for row in actual
        )

    before = {kind: rows(kind) for kind in ("units", "examples")}
    held = atlas.open(str(whole))
    held.layers()
    saved = {path: path.read_bytes() for path in whole.glob("units/**/part-*.parquet")}
    report = atlas.compact(str(whole))
    assert report["after"] < report["before"]
    assert {kind: rows(kind) for kind in before} == before
    assert atlas.verify(str(whole)).ok
    assert atlas.build(model, "first,third,head", str(whole), **SMALL)["made"] == 0
    assert "all there" in str(
        atlas.examples(
            model, str(photos), str(whole), layers="first,third,head", k=3, samples=2, batch=8
        )
    )
    merged = state(whole)
    path, data = next((path, data) for path, data in saved.items() if not path.exists())
    path.write_bytes(data)  # as if killed before it was deleted
    assert len(atlas.open(str(whole))) == 25
    assert "left over" in atlas.verify(str(whole)).table[0]["reason"]
    atlas.compact(str(whole))
    assert state(whole) == merged


def test_verify_finds_what_is_damaged(whole, model):
    part = max(whole.glob("units/**/*.parquet"), key=lambda path: path.stat().st_size)
    data = part.read_bytes()

    def reason():
        report = atlas.verify(str(whole))
        assert not report.ok
        assert report.table[0]["part"] == str(part)
        return report.table[0]["reason"]

    part.write_bytes(data[: len(data) // 2])
    assert "cut short" in reason()
    place = data.index(b"\x89PNG") + 40
    part.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    assert "damaged" in reason()
    part.write_bytes(data)
    rows = pq.read_table(part)
    scores = rows.column("score").to_pylist()
    changed = rows.set_column(
        rows.schema.get_field_index("score"),
        rows.schema.field("score"),
        pa.array([scores[0] + 1, *scores[1:]], pa.float32()),
    )
    pq.write_table(changed, part)
    assert "altered" in reason()
    assert atlas.verify(str(whole), remove=True).ok
    atlas.build(model, "first,third,head", str(whole), **SMALL)
    assert part.read_bytes() == data
    assert atlas.verify(str(whole)).ok


def test_show_and_ls(whole, tmp_path):
    report = atlas.show(str(whole), "third:6", out=str(tmp_path / "pictures"))
    assert [row["what"] for row in report.table] == [
        "picture 1",
        "top 1",
        "top 2",
        "top 3",
        "sample 1",
        "sample 2",
    ]
    assert len(list((tmp_path / "pictures").iterdir())) == 6
    assert len(atlas.show(str(whole), "third").table) == 12
    listed = atlas.ls(str(whole))
    assert [(row["layer"], row["units"], row["examples"]) for row in listed.table] == [
        ("first", 8, 40),
        ("third", 12, 60),
        ("head", 5, 25),
    ]
    with pytest.raises(InputError, match="no atlas"):
        atlas.ls(str(tmp_path / "nothing"))


def test_the_typed_rows_name_the_tables_columns():
    """What the renderer and the cropper write is what the Parquet schema stores."""
    from convscope.atlas.store import rows, tables

    for table, columns in (
        (tables.UNITS, rows.UnitColumns),
        (tables.EXAMPLES, rows.ExampleColumns),
        (tables.SKIPPED, rows.SkippedColumns),
        (tables.MAPS, rows.CellColumns),
    ):
        assert set(table.columns) == set(get_type_hints(columns)) - (
            set() if "image" in table.columns else {"image"}
        )


def test_ls_reads_the_small_columns_alone(whole, monkeypatch):
    columns: set[str] = set()
    read = Store.read

    def recording(self, part, names=None):
        columns.update(names or ["all"])
        return read(self, part, names)

    monkeypatch.setattr(Store, "read", recording)
    assert atlas.ls(str(whole))["units"] == 25
    assert columns.isdisjoint({"all", "curve", "value", "label", "image", "tuning", "checksum"})


class _Silent:
    def __repr__(self):
        raise ValueError("no text")


@pytest.mark.parametrize("name", ["compact", "export", "ls", "open", "show", "verify"])
@pytest.mark.parametrize(
    "odd", [3, None, b"atlas", [], _Silent()], ids=lambda value: type(value).__name__
)
def test_what_is_no_folder_is_refused(name, odd, tmp_path):
    more = {"export": {"out": tmp_path / "site"}, "show": {"unit": "first:1"}}.get(name, {})
    with pytest.raises(OptionError, match="directory must be"):
        getattr(atlas, name)(odd, **more)
    assert not list(tmp_path.iterdir())


def test_megabytes_are_a_number(tmp_path):
    for odd in (None, "many", np.zeros(3)):
        with pytest.raises(OptionError, match="megabytes"):
            atlas.compact(tmp_path, megabytes=odd)
