from __future__ import annotations

import base64
import contextlib
import io
import json
import zipfile
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

import convscope
from convscope.core.files import write_whole
from convscope.errors import InputError, OptionError, OutputError
from convscope.results.details import (
    AttributionDetails,
    ImagesDetails,
    PredictionsDetails,
    TableDetails,
)
from convscope.results.png import PNG_KEY, read_provenance
from convscope.results.provenance import to_json
from convscope.results.result import Result


@pytest.fixture
def result():
    image = np.linspace(0, 1, 3 * 8 * 8, dtype=np.float32).reshape(1, 3, 8, 8)
    photo = np.full((4, 5, 3), 7, dtype=np.uint8)
    return Result(
        "visualize",
        ImagesDetails(titles=["ä"]),
        {"image": image},
        [{"a": 1, "b": 0.5}],
        [photo],
        {"verb": "visualize", "seconds": 1.5, "threads": 1},
    )


def test_npz_round_trip(result, tmp_path):
    again = Result.load(result.save(tmp_path / "deep" / "r.npz"))
    assert np.array_equal(again["image"], result["image"])
    assert again["image"].dtype == np.float32
    assert np.array_equal(again.photos[0], result.photos[0])
    assert (again.verb, again.view, again.table, again.details, again.provenance) == (
        result.verb,
        result.view,
        result.table,
        result.details,
        result.provenance,
    )


def test_png_carries_its_provenance_but_not_the_time(result, tmp_path):
    path = result.save(tmp_path / "r.png")
    with Image.open(path) as picture:
        assert json.loads(picture.info[PNG_KEY]) == {"verb": "visualize", "threads": 1}
    assert read_provenance(path) == {"verb": "visualize", "threads": 1}
    assert result._repr_png_() == path.read_bytes()


def test_json_has_no_arrays(result, tmp_path):
    actual = json.loads(result.save(tmp_path / "r.json").read_text())
    assert actual["arrays"] == {"image": {"shape": [1, 3, 8, 8]}}


def test_snapshots_become_a_moving_picture(result, tmp_path):
    with pytest.raises(OptionError, match="no snapshots"):
        result.save(tmp_path / "r.gif")
    moving = Result(
        "visualize",
        ImagesDetails(titles=["unit"], snapshots=[1, 2, 4]),
        {
            "image": result["image"],
            "snapshot": np.stack([result["image"] * part for part in (0.2, 0.5, 1)]),
        },
    )
    for name in ("r.gif", "r.webp"):
        with Image.open(moving.save(tmp_path / name)) as picture:
            assert getattr(picture, "n_frames", 1) == 3


def test_refusals(result, tmp_path):
    with pytest.raises(OptionError, match="no array 'imagee'; did you mean 'image'"):
        result["imagee"]
    with pytest.raises(OutputError, match=r"must end in \.png"):
        result.save(tmp_path / "r.bmp")
    for text in (b"", b"nonsense", b"PK\x03\x04broken"):
        (tmp_path / "bad.npz").write_bytes(text)
        with pytest.raises(InputError, match="not a result"):
            Result.load(tmp_path / "bad.npz")
    np.savez(tmp_path / "pickled.npz", head=np.array([{}], dtype=object))
    with pytest.raises(InputError, match="not a result"):
        Result.load(tmp_path / "pickled.npz")
    whole = result.save(tmp_path / "r.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="not a result"):
        Result.load(tmp_path / "cut.npz")
    Image.new("RGB", (2, 2)).save(tmp_path / "plain.png")
    with pytest.raises(InputError, match="carries no provenance"):
        read_provenance(tmp_path / "plain.png")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "f", b"old")
    monkeypatch.setattr(
        "os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(OutputError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]


def test_a_folder_cannot_be_written_through_a_file(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="Cannot write"):
        write_whole(tmp_path / "file" / "r.png", b"")


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("explain", {"target": "Egyptian cat"}),
        ("explain", {"method": "saliency"}),
        ("predict", {"top": 2}),
        ("activations", {"layers": ["blocks.1"]}),
    ],
)
def test_rerun_gives_the_same_bytes(verb, options, embedded, tmp_path):
    first = getattr(convscope, verb)(None, "sample:chelsea", **options).save(tmp_path / "first.png")
    second = convscope.rerun(str(first)).save(tmp_path / "second.png")
    assert first.read_bytes() == second.read_bytes()


def test_rerun_keeps_the_options_of_the_picture(embedded, tmp_path):
    first = convscope.explain(None, "sample:chelsea").save(tmp_path / "first.png", style="overlay")
    with Image.open(first) as picture:
        assert picture.size == (451, 300)
    assert (
        convscope.rerun(str(first)).save(tmp_path / "second.png").read_bytes() == first.read_bytes()
    )


def test_rerun_says_what_is_missing(embedded, chelsea, tmp_path):
    path = convscope.predict(embedded, chelsea).save(tmp_path / "memory.png")
    with pytest.raises(InputError, match="only existed in memory; say where it is"):
        convscope.rerun(str(path))
    Image.fromarray(chelsea).save(tmp_path / "cat.png")
    assert (
        convscope.rerun(str(path), photo=str(tmp_path / "cat.png")).table
        == convscope.predict(embedded, chelsea).table
    )
    Image.fromarray(chelsea[::-1].copy()).save(tmp_path / "other.png")
    with pytest.raises(InputError, match="its pixels differ"):
        convscope.rerun(str(path), photo=str(tmp_path / "other.png"))
    path = convscope.explain(embedded, "sample:chelsea", target=lambda output: output[:, 1]).save(
        tmp_path / "callable.png"
    )
    with pytest.raises(InputError, match="an object that only existed in memory"):
        convscope.rerun(str(path))


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "pdf", "svg"])
def test_other_documents(ending, result, tmp_path):
    data = result.save(tmp_path / f"r.{ending}").read_bytes()
    if ending == "pdf":
        assert data.startswith(b"%PDF")
    elif ending == "svg":
        root = ElementTree.fromstring(data)
        held = root[1].attrib["href"].partition("base64,")[2]
        with Image.open(io.BytesIO(base64.b64decode(held))) as picture:
            assert (str(picture.width), str(picture.height)) == (
                root.attrib["width"],
                root.attrib["height"],
            )
    else:
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "JPEG"
            assert json.loads(picture.info["comment"])["verb"] == "visualize"


def test_a_jpeg_loses_nothing_that_can_be_seen(result, tmp_path):
    """Edges of text are the hardest for JPEG; smooth parts lose less than rounding."""
    exact = np.asarray(result.picture().convert("RGB"), np.int16)
    with Image.open(result.save(tmp_path / "r.jpg")) as picture:
        assert isinstance(picture, JpegImageFile)
        # Annex K's luminance table, scaled by the IJG formula: 16 becomes 3 at 92, 40 at 20.
        assert picture.quantization[0][0] <= 3
        lossy = np.asarray(picture.convert("RGB"), np.int16)
    assert np.abs(lossy - exact).mean() < 1


def test_a_list_that_contains_itself_is_recorded_as_such():
    style: list[object] = [1]
    style.append({"again": style})
    assert to_json(style) == [1, {"again": "<list within itself>"}]
    twice = [2]
    assert to_json([twice, twice]) == [[2], [2]]


def test_a_notebook_shows_pictures_and_tables(result):
    assert result._repr_html_().startswith('<img src="data:image/png;base64,')
    rows = [{"label": "<b>cat</b>", "value": 0.123456, "shape": [1, 2]}] * 60
    shown = Result("layers", TableDetails(), table=rows, note="a & b")._repr_html_()
    assert "<img" not in shown
    assert "<td>&lt;b&gt;cat&lt;/b&gt;</td><td>0.1235</td><td>1, 2</td>" in shown
    assert "first 50 of 60" in shown
    assert "a &amp; b" in shown


HOSTILE = [
    "<script>alert(1)</script>",
    "[/bold][red]x[/red]",
    "lone \udc80 surrogate",
    "turned \u202e around",
    "null \x00 bell \x07 escape \x1b[31m",
    "a/../../b",
    "long " * 2000,
    "x" * 10_000,
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_are_harmless_everywhere(name, result, tmp_path):
    odd = replace(
        result,
        details=ImagesDetails(titles=[name]),
        table=[{"label": name}],
        provenance={"verb": "visualize", "arguments": {"target": name}},
    )
    for ending in ("png", "jpg", "pdf", "svg", "csv", "json", "npz"):
        assert odd.save(tmp_path / f"r.{ending}").stat().st_size > 0
    assert read_provenance(tmp_path / "r.png")["arguments"]["target"] == name
    again = Result.load(tmp_path / "r.npz")
    assert (again.details_as(ImagesDetails).titles, again.table) == ([name], [{"label": name}])
    ElementTree.fromstring((tmp_path / "r.svg").read_bytes())
    shown = odd._repr_html_()
    assert "<script>" not in shown
    assert not {"\udc80", "\u202e", "\x00", "\x1b"} & set(shown)
    table = replace(odd, details=TableDetails(title=name))
    for view in (table, replace(odd, details=PredictionsDetails())):
        row = {"photo": 0, "rank": 1, "label": name, "index": 0, "probability": 0.5}
        assert max(replace(view, table=[row]).picture().size) < 5000
    assert odd.picture().height < 5000


def forged_npz(path, head, **members):
    np.savez(path, head=np.array(head if isinstance(head, str) else json.dumps(head)), **members)
    return path


GOOD: dict[str, Any] = {
    "schema": 1,
    "verb": "explain",
    "view": "attribution",
    "table": [],
    "details": {"titles": ["a"], "photo_of": [0], "boxes": [[0, 0, 1, 1]], "method": "grad_cam"},
    "provenance": {},
}
PHOTO = np.zeros((4, 4, 3), np.uint8)
MAP = np.zeros((1, 2, 2), np.float32)


def test_a_forged_file_that_is_good_loads(tmp_path):
    members = {"array/heatmap": MAP, "photo/0": PHOTO}
    assert Result.load(forged_npz(tmp_path / "r.npz", GOOD, **members)).details_as(
        AttributionDetails
    ).titles == ["a"]


@pytest.mark.parametrize(
    ("head", "members"),
    [
        ("[" * 100_000, {}),
        ("null", {}),
        ([], {}),
        ({**GOOD, "view": "../../etc"}, {}),
        ({**GOOD, "view": ["images"]}, {}),
        ({**GOOD, "details": []}, {}),
        ({**GOOD, "details": {**GOOD["details"], "titles": 3}}, {}),
        ({**GOOD, "details": {**GOOD["details"], "photo_of": [10**9]}}, {}),
        ({**GOOD, "details": {**GOOD["details"], "photo_of": [-1]}}, {}),
        ({**GOOD, "details": {**GOOD["details"], "boxes": []}}, {}),
        ({**GOOD, "table": {"a": 1}}, {}),
        ({**GOOD, "table": [1]}, {}),
        ({**GOOD, "provenance": {"arguments": 3}}, {}),
        ({**GOOD, "schema": "new"}, {}),
        (GOOD, {"array/heatmap": np.array(["text"])}),
        (GOOD, {"photo/0": np.zeros((2, 2), np.float32)}),
        (GOOD, {"photo/0": PHOTO[:0]}),
    ],
)
def test_hostile_results_are_refused(head, members, tmp_path):
    actual = {"array/heatmap": MAP, "photo/0": PHOTO} | members
    with pytest.raises(InputError, match="not a result"):
        Result.load(forged_npz(tmp_path / "r.npz", head, **actual))


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_is_one_sentence(seed, result, tmp_path):
    """A flipped bit is refused, or was in nothing that is read."""
    whole = result.save(tmp_path / "r.npz").read_bytes()
    rng = np.random.default_rng(seed)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[rng.integers(len(whole))] ^= 1 << int(rng.integers(8))
        (tmp_path / "r.npz").write_bytes(damaged)
        with contextlib.suppress(InputError):
            assert np.array_equal(Result.load(tmp_path / "r.npz")["image"], result["image"])


def damaged_entry(path, field, value):
    """The archive with a field (its offset, two bytes) of its first entry changed, in the entry and
    in the list of entries."""
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + field + 2 : at + field + 4] = value.to_bytes(2, "little")
    data[field : field + 2] = value.to_bytes(2, "little")
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("field", "value"), [(8, 99), (6, 1), (8, 14)], ids=["method", "encrypted", "lzma"]
)
def test_a_forged_archive_is_refused(field, value, result, tmp_path):
    path = result.save(tmp_path / "r.npz")
    damaged_entry(path, field, value)
    with pytest.raises(InputError, match="not a result"):
        Result.load(path)


@pytest.mark.parametrize("header", [b"{'descr': (", b'"""', b"[" * 4000, b"\x00"])
def test_a_forged_array_is_refused(header, result, tmp_path):
    """The header of an array is read as a Python literal."""
    path = forged_npz(tmp_path / "r.npz", GOOD)
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("array/heatmap.npy", data)
    with pytest.raises(InputError, match="not a result"):
        Result.load(path)


def test_a_result_that_claims_more_than_fits_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**13,)}
    )
    forged_npz(tmp_path / "r.npz", GOOD)
    with zipfile.ZipFile(tmp_path / "r.npz", "a") as archive:
        archive.writestr("array/heatmap.npy", header.getvalue())
    with pytest.raises(InputError, match=r"fits in memory|not a result"):
        Result.load(tmp_path / "r.npz")


def test_a_view_that_is_no_name(result):
    with pytest.raises(OptionError, match="picture: view must be text; 3 was given"):
        result.picture(3)
