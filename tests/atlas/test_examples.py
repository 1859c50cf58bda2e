"""The pass over photos against brute force, from every kind of source, stopped and resumed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope import atlas
from convscope.atlas.scan import listing
from convscope.atlas.scan.labels import read_label_texts
from convscope.atlas.scan.top_k import TopK, evenly_spaced
from convscope.errors import ImageError, InputError, NumericError, OptionError
from convscope.photos.sources.source_of import source_of
from convscope.probe import Probe
from convscope.probe.receptive_field import ReceptiveField, receptive_fields
from tests.small_atlas import small_model, state

PASS = {"layers": "first,third,head", "k": 3, "samples": 2, "batch": 8}
LAYERS = ["first", "third", "head"]


def rows(folder, kind="examples"):
    return [
        row
        for path in sorted(folder.glob(f"{kind}/**/*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def without(found, *names):
    """Rows without what names the place they are from."""
    kept = [
        {
            key: value
            for key, value in row.items()
            if key not in (*names, "photos", "job", "checksum", "recipe")
        }
        for row in found
    ]
    return sorted(kept, key=lambda row: (row["layer"], row["unit"], row["kind"], row["rank"]))


@pytest.fixture
def good(photos):
    """Name -> path of the photos that can be read, in the order of the listing."""
    return {f"{path.parent.name}/{path.name}": path for path in sorted(photos.rglob("*.png"))}


def test_the_best_and_the_sample_against_brute_force(model, photos, good, tmp_path):
    report = atlas.examples(model, str(photos), str(tmp_path), **PASS)
    assert report["photos"] == 48
    skipped = report["skipped"]
    assert isinstance(skipped, list)
    assert [entry["photo"] for entry in skipped] == ["cats/05-broken.jpg"]
    assert "1 photo" in str(report)
    skipped = rows(tmp_path, "skipped")
    assert [row["photo"] for row in skipped] == ["cats/05-broken.jpg"]
    assert "05-broken.jpg" in skipped[0]["reason"]
    values: dict[str, list[Any]] = {layer: [] for layer in LAYERS}
    places: dict[str, list[Any]] = {layer: [] for layer in LAYERS}
    with Probe(model) as probe:
        for path in good.values():
            maps = probe.activations(
                model.preprocess(model.fit(convscope.load_image(path))), LAYERS
            )
            for layer, found in maps.items():
                values[layer].append(found.amax((2, 3))[0].numpy())
                places[layer].append(found.flatten(2)[0].argmax(1).numpy())
    names = list(good)
    held = sorted(names, key=lambda name: hashlib.sha256(f"0 {name}".encode()).digest()[:7])[:24]
    opened = atlas.open(str(tmp_path))
    for layer in LAYERS:
        every, where = np.array(values[layer]), np.array(places[layer])
        columns = {"first": 24, "third": 12, "head": 1}[layer]
        for unit in range(every.shape[1]):
            own = every[:, unit]
            tops = opened.examples(layer, unit, kind="top")
            np.testing.assert_allclose(
                [row["value"] for row in tops], np.sort(own)[::-1][:3], rtol=1e-4, atol=1e-6
            )
            for row in tops:
                place = names.index(row["photo"])
                assert row["value"] == pytest.approx(own[place], rel=1e-4, abs=1e-6)
                if own[place] > 1e-3:
                    assert row["row"] * columns + row["column"] == where[place, unit]
                assert row["label"] == row["photo"].partition("/")[0]
            sample = sorted(own[names.index(name)] for name in held)
            expected = [sample[int((step + 0.5) / 2 * len(sample))] for step in range(2)]
            np.testing.assert_allclose(
                [row["value"] for row in opened.examples(layer, unit, kind="sample")],
                expected,
                rtol=1e-4,
                atol=1e-6,
            )


def test_crops_are_cut_at_the_box(model, photos, good, tmp_path):
    atlas.examples(model, str(photos), str(tmp_path), **PASS)
    for row in rows(tmp_path):
        with Image.open(good[row["photo"]]) as photo:
            assert 0 <= row["x0"] < row["x1"] <= photo.width
            assert 0 <= row["y0"] < row["y1"] <= photo.height
            box = (row["x0"], row["y0"], row["x1"], row["y1"])
            crop = Image.open(io.BytesIO(row["image"]["bytes"]))
            assert np.array_equal(np.asarray(photo.convert("RGB").crop(box)), np.asarray(crop))


def test_receptive_fields_by_hand(model):
    """A 3 x 3 convolution sees 1 to each side; after the next one 2; the one with stride 2 after
    that 3, moving by 2."""
    actual = receptive_fields(model, ["first", "second", "third", "head"])
    assert actual["first"] == ReceptiveField(-1, -1, 2, 2, (1, 1))
    assert actual["second"] == ReceptiveField(-2, -2, 3, 3, (1, 1))
    assert actual["third"] == ReceptiveField(-3, -3, 4, 4, (2, 2))
    assert actual["third"].box(3, 5, (24, 24)) == (3, 7, 10, 14)
    assert actual["third"].box(0, 0, (24, 24)) == (0, 0, 4, 4)
    assert actual["head"].box(0, 0, (24, 24)) == (0, 0, 24, 24)
    effective = receptive_fields(model, ["third"], 0.5)["third"]
    assert -3 < effective.top <= effective.bottom < 4


def test_unpadded_strides():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 5, stride=2), torch.nn.Conv2d(4, 4, 3))
    actual = receptive_fields(convscope.load_model(network, size=33), ["0", "1"])
    assert actual["0"] == ReceptiveField(0, 0, 5, 5, (2, 2))
    assert actual["1"] == ReceptiveField(0, 0, 9, 9, (2, 2))


def test_neither_batch_nor_shard_nor_order_change_what_is_found(
    model, photos, tmp_path, monkeypatch
):
    atlas.examples(model, str(photos), str(tmp_path / "one"), **PASS)
    monkeypatch.setattr(listing, "SHARD_SIZE", 8)
    atlas.examples(model, str(photos), str(tmp_path / "many"), **PASS | {"batch": 4})
    one, many = without(rows(tmp_path / "one")), without(rows(tmp_path / "many"))
    assert len(one) == len(many)
    for first, second in zip(one, many, strict=True):
        assert first["value"] == pytest.approx(second["value"], rel=1e-5, abs=1e-6)
        assert first["photo"] == second["photo"] or first["value"] < 1e-6
    assert not list((tmp_path / "many").glob("partial/**/*.parquet"))


def test_a_stopped_pass_goes_on_and_ends_with_the_same_bytes(model, photos, tmp_path, monkeypatch):
    examples = sys.modules["convscope.atlas.examples"]
    monkeypatch.setattr(listing, "SHARD_SIZE", 8)
    atlas.examples(model, str(photos), str(tmp_path / "whole"), **PASS)
    looked = []

    class Dies(examples.Scanner):  # type: ignore[misc, name-defined]
        def __call__(self, shard):
            looked.append(shard.number)
            if len(looked) in (3, 5):
                raise SystemExit
            return super().__call__(shard)

    monkeypatch.setattr(examples, "Scanner", Dies)
    for _ in range(2):
        with pytest.raises(SystemExit):
            atlas.examples(model, str(photos), str(tmp_path / "killed"), **PASS)
    assert list((tmp_path / "killed").glob("partial/**/*.parquet"))
    atlas.examples(model, str(photos), str(tmp_path / "killed"), **PASS)
    assert looked == [0, 1, 2, 2, 3, 3, 4, 5, 6]
    assert state(tmp_path / "killed") == state(tmp_path / "whole")
    part = next((tmp_path / "killed").glob("examples/**/*.parquet"))
    part.write_bytes(part.read_bytes()[:-9])
    atlas.examples(model, str(photos), str(tmp_path / "killed"), **PASS)
    assert state(tmp_path / "killed") == state(tmp_path / "whole")
    atlas.examples(model, str(photos), str(tmp_path / "killed"), **PASS | {"k": 2})
    assert len(state(tmp_path / "killed")) == 2 * len(state(tmp_path / "whole"))


def as_parquet(good, path):
    """Two files with row groups of 7, labels as numbers with names in Hugging Face's metadata."""
    names = ["cats", "dogs"]
    image = {"_type": "Image"}
    metadata = {
        "huggingface": json.dumps(
            {
                "info": {
                    "features": {"image": image, "label": {"names": names, "_type": "ClassLabel"}}
                }
            }
        )
    }
    schema = pa.schema(
        [
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("label", pa.int64()),
        ],
        metadata,
    )
    actual = [
        {
            "image": {"bytes": file.read_bytes(), "path": None},
            "label": names.index(file.parent.name),
        }
        for file in good.values()
    ]
    path.mkdir()
    for number, first in enumerate(range(0, len(actual), 24)):
        pq.write_table(
            pa.Table.from_pylist(actual[first : first + 24], schema=schema),
            path / f"{number}.parquet",
            row_group_size=7,
        )
    return path


def as_archives(good, path):
    """Two tar files; the label comes after the photo."""
    path.mkdir()
    files = list(good.values())
    for number in range(2):
        with tarfile.open(path / f"photos-{number:03d}.tar", "w") as archive:
            for file in files[number * 24 : number * 24 + 24]:
                for name, data in (
                    (f"{file.stem}.png", file.read_bytes()),
                    (f"{file.stem}.cls", file.parent.name.encode()),
                ):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return path


def test_every_source_gives_the_same(model, photos, good, tmp_path):
    atlas.examples(model, str(photos), str(tmp_path / "a"), **PASS | {"samples": 0})
    expected = without(rows(tmp_path / "a"), "photo")
    parquet = as_parquet(good, tmp_path / "parquet")
    tar = as_archives(good, tmp_path / "tar")
    for number, source in enumerate(
        [str(parquet), f"{parquet}/*.parquet", str(tar), f"{tar}/photos-{{000..001}}.tar"]
    ):
        out = tmp_path / f"out{number}"
        report = atlas.examples(model, source, str(out), **PASS | {"samples": 0})
        assert report["photos"] == 48
        actual = without(rows(out), "photo")
        for first, second in zip(expected, actual, strict=True):
            assert second["value"] == pytest.approx(first["value"], rel=1e-4, abs=1e-6)
            if first["value"] > 1e-4:
                assert (first["label"], first["x0"], first["y1"], first["image"]) == (
                    second["label"],
                    second["x0"],
                    second["y1"],
                    second["image"],
                )


def test_a_dataset_of_hugging_face(model, good, tmp_path, monkeypatch):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets

        datasets.disable_progress_bars()
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        as_parquet(good, tmp_path / "set")
        report = atlas.examples(
            model, f"hf:{tmp_path / 'set'}:train", str(tmp_path / "out"), **PASS
        )
        assert report["photos"] == 48
        assert {row["label"] for row in rows(tmp_path / "out")} == {"cats", "dogs"}
        with pytest.raises(InputError, match="cannot be loaded"):
            atlas.examples(model, f"hf:{tmp_path / 'nowhere'}", str(tmp_path / "out"), **PASS)


@pytest.mark.parametrize(
    ("images", "options", "error", "words"),
    [
        ("nowhere", {}, InputError, "no photos"),
        ("empty", {}, ImageError, "no photo"),
        ("bad", {}, ImageError, "None of the 1 photo"),
        ("bad/x.jpg", {}, InputError, "none of the places"),
        ("broken.parquet", {}, InputError, "Parquet"),
        ("broken.tar", {}, InputError, "tar"),
        ("bad", {"k": 0}, OptionError, "k must"),
        ("bad", {"batch": 7}, OptionError, "512"),
        ("bad", {"field_share": 2.0}, OptionError, "field_share"),
    ],
)
def test_errors(model, tmp_path, images, options, error, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.jpg").write_bytes(b"")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "broken.tar").write_bytes(b"no tar" * 200)
    with pytest.raises(error, match=words):
        atlas.examples(model, str(tmp_path / images), str(tmp_path / "out"), **PASS | options)


def test_dry_run(model, photos, tmp_path):
    report = atlas.examples(model, str(photos), str(tmp_path / "out"), dry_run=True, **PASS)
    assert report["photos"] == 49
    assert report["rate"] > 0
    assert not (tmp_path / "out").exists()


def test_tops_by_hand():
    """Ties go to the photo listed first, NaN is never the best, and merging in any order gives the
    same."""

    def of(values, photos):
        tops = TopK.empty(2, 2, (1, 1))
        tops.update(
            np.array(values, np.float32),
            np.array(photos),
            lambda rows, units: np.zeros(len(rows), np.int64),
            [],
        )
        return tops

    whole = of([[1, 5], [3, np.nan], [3, 5], [2, 4]], [0, 1, 2, 3])
    assert whole.photo.tolist() == [[1, 2], [0, 2]]
    assert whole.value.tolist() == [[3, 3], [5, 5]]
    for first, second in (((0, 1), (2, 3)), ((2, 3), (0, 1))):
        values = [[1, 5], [3, np.nan], [3, 5], [2, 4]]
        one, two = (
            of([values[photo] for photo in photos], list(photos)) for photos in (first, second)
        )
        one.merge(two)
        assert one.photo.tolist() == [[1, 2], [0, 2]]
    assert evenly_spaced(np.array([5, 1, 4, 2, np.inf, 3], np.float32), 5) == [1, 3, 5, 2, 0]
    assert len(small_model().labels) == 5


def test_photos_whose_names_are_no_utf_8(model, photos, good, tmp_path):
    """As old archives unpack to: one that can be read, and one that cannot."""
    folder = tmp_path / "photos"
    folder.mkdir()
    raw = os.fsencode(folder)
    try:
        shutil.copy(good["dogs/00.png"], os.path.join(raw, b"bl\xe5.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    shutil.copy(photos / "cats" / "05-broken.jpg", os.path.join(raw, b"br\xf6.jpg"))
    for name in ("cats/01.png", "cats/02.png"):
        shutil.copy(good[name], folder)
    out = tmp_path / "atlas"
    options = {"layers": "first,head", "batch": 2}
    report = atlas.examples(model, str(folder), str(out), k=3, samples=2, **options)
    assert [entry["photo"] for entry in report.table] == ["br\\udcf6.jpg"]
    assert {row["photo"] for row in rows(out)} == {"01.png", "02.png", "bl\\udce5.png"}
    assert all(row["image"]["bytes"] for row in rows(out))
    labels = {os.fsdecode(b"bl\xe5.png"): "lake", "01.png": "cat"}
    assert read_label_texts(source_of(str(folder)), labels)[1] == {"lake": 1, "cat": 1}
    atlas.cards(model, str(folder), str(out), judge="none", labels=labels, **options)
    atlas.export(str(out), str(tmp_path / "site"))
    page = next((tmp_path / "site").glob("*/head/0.html")).read_text(encoding="utf-8")
    assert "bl\\udce5.png" in page


def with_broken_layer() -> convscope.Model:
    """The second of two convolutions gives NaN everywhere."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    with torch.no_grad():
        network[1].weight.fill_(torch.nan)
    return convscope.load_model(network.eval(), size=24)


def test_a_network_without_a_finite_activation_is_one_sentence(photos, tmp_path, monkeypatch):
    """Not "stopped while cutting out ... the same command goes on from here", for ever."""
    monkeypatch.setattr(listing, "SHARD_SIZE", 8)
    with pytest.raises(NumericError, match="of 1 are NaN or infinite on every photo"):
        atlas.examples(with_broken_layer(), str(photos), str(tmp_path), layers="1", k=2, batch=8)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_units_without_a_finite_activation_end_no_pass(photos, tmp_path):
    model, options = with_broken_layer(), {"layers": "0,1", "k": 2, "samples": 1, "batch": 8}
    report = atlas.examples(model, str(photos), str(tmp_path), **options)
    assert not report.stopped
    assert "4 units without" in str(report)
    assert report["without_examples"] == 4
    assert {row["layer"] for row in rows(tmp_path)} == {"0"}
    assert "all there" in str(atlas.examples(model, str(photos), str(tmp_path), **options))
    assert atlas.open(str(tmp_path)).layers() == ["0"]
    assert atlas.verify(str(tmp_path)).ok
    atlas.compact(str(tmp_path))
    assert atlas.open(str(tmp_path)).units("0") == [0, 1, 2, 3]


def test_what_is_infinite_is_no_example():
    tops = TopK.empty(1, 2, (1, 1))
    value = np.array([[1.0], [np.inf], [np.nan], [-np.inf], [2.0]], np.float32)
    tops.update(value, np.arange(5), lambda rows, units: np.zeros(len(rows), np.int64), [])
    assert tops.photo.tolist() == [[4, 0]]
