"""The verb: its sources, its files, what it refuses, and that it goes on where it was."""

from __future__ import annotations

import csv
import html
import importlib
import json
import os
import re
import shlex

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from PIL import Image
from torch import nn

import convscope
from convscope.atlas.scan import listing
from convscope.atlas.scan.masks import Masks
from convscope.atlas.store.store import Store
from convscope.audit.forward_pass import ForwardPass
from convscope.audit.output import check_apart
from convscope.cli import main
from convscope.core.progress import report_to
from convscope.errors import (
    ImageError,
    InputError,
    LayerError,
    NumericError,
    OptionError,
    OutputError,
)
from convscope.photos.listed import Listed
from convscope.photos.samples import sample
from convscope.results.details import AuditDetails
from tests.audit import colored_photos


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("audit")
    colored_photos.write(root, count=48)
    (root / "photos" / "red" / "broken.png").write_bytes(b"no photo")
    return root


def audit(folder, tmp_path, **options):
    options = {"unit_steps": 0} | options
    model = options.pop("model", None) or colored_photos.model()
    photos = options.pop("photos", str(folder / "photos"))
    return convscope.audit(model, photos, out=str(tmp_path / "audit.html"), **options)


def test_the_page_and_the_rows_beside_it(folder, tmp_path):
    result = audit(folder, tmp_path, unit_steps=2)
    names = sorted(path.name for path in (tmp_path / "audit").iterdir())
    tables = "concept_maps", "concepts", "explanations", "findings", "groups", "photos"
    assert names == [f"{name}.parquet" for name in tables]
    rows = pyarrow.parquet.read_table(tmp_path / "audit" / "photos.parquet").to_pylist()
    assert [row["photo"] for row in rows] == [row["photo"] for row in result.table]
    assert len(rows) == 49
    (broken,) = (row for row in rows if row["unreadable"])
    assert broken["photo"] == "red/broken.png"
    page = (tmp_path / "audit.html").read_text()
    assert "http" not in page
    assert "1 could not be read" in page
    assert "convscope explain" in page
    assert result.details.photos == 49
    assert result.provenance["verb"] == "audit"


def test_the_probabilities_are_those_of_predict(folder, tmp_path):
    result = audit(folder, tmp_path, batch=16)
    paths = [str(folder / "photos" / row["photo"]) for row in result.table if row["predicted"]]
    expected = convscope.predict(colored_photos.model(), paths, top=1).table
    actual = [row for row in result.table if row["predicted"]]
    assert [row["label"] for row in expected] == [row["predicted"] for row in actual]
    assert [row["probability"] for row in actual] == pytest.approx(
        [row["probability"] for row in expected], abs=1e-5
    )


def test_a_table_of_labels_and_a_list_of_photos(folder, tmp_path):
    photos = sorted((folder / "photos").rglob("0*.png"))
    table = tmp_path / "labels.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["photo", "label"])
        writer.writerows([path.name, path.parent.name] for path in photos)
    by_table = audit(folder, tmp_path, labels=str(table))
    in_order = [path.parent.name for path in photos]
    by_list = audit(folder, tmp_path, photos=[str(path) for path in photos], labels=in_order)
    pixels = [np.asarray(Image.open(path)) for path in photos]
    in_memory = audit(folder, tmp_path, photos=pixels, labels=in_order)
    answers = [
        [(row["label"], row["predicted"]) for row in result.table if row["predicted"]]
        for result in (by_table, by_list, in_memory)
    ]
    assert sorted(answers[0]) == sorted(answers[1]) == sorted(answers[2])
    assert (tmp_path / "audit" / "shown").is_dir()


def test_it_goes_on_where_it_was(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(listing, "SHARD_SIZE", 16)
    whole = audit(folder, tmp_path / "whole", batch=8)
    write = Store.write
    written: list[str] = []

    def interrupted(store, path, data, **options):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        write(store, path, data, **options)

    monkeypatch.setattr(Store, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        audit(folder, tmp_path, batch=8)
    assert not (tmp_path / "audit.html").exists()
    monkeypatch.setattr(Store, "write", write)
    shards: list[int] = []
    run = ForwardPass.__call__

    def counted(forward, shard):
        shards.append(shard.number)
        return run(forward, shard)

    monkeypatch.setattr(ForwardPass, "__call__", counted)
    names: list[str] = []
    with report_to(lambda what, done, total: names.append(what)):
        resumed = audit(folder, tmp_path, batch=8)
    assert names[0] == "audit: photos (going on after 32)"
    assert shards == [2, 3]
    assert resumed.table == whole.table
    assert not (tmp_path / "audit" / "partial").exists()
    sentence = "32 of the photos and 0 of the explanations are those of a run that was stopped"
    assert sentence in (tmp_path / "audit.html").read_text()
    assert "Resumed" not in (tmp_path / "whole" / "audit.html").read_text()


class OtherMasks:
    """The objects are said to be elsewhere than in the run that was killed."""

    def change(self, root):
        for path in (root / "masks").rglob("*.png"):
            Image.fromarray(255 - np.asarray(Image.open(path))).save(path)

    def options(self, root):
        return {"photos": str(root / "photos"), "masks": str(root / "masks")}

    def model(self):
        return colored_photos.model()


def test_an_edited_mask_of_the_same_size_is_another(tmp_path):
    path = tmp_path / "1.bmp"
    Image.new("L", (8, 8), 255).save(path)
    before, size = Masks(str(tmp_path)).identity, path.stat().st_size
    os.utime(path, ns=(0, 0))
    assert Masks(str(tmp_path)).identity == before
    Image.new("L", (8, 8), 0).save(path)
    assert path.stat().st_size == size
    assert Masks(str(tmp_path)).identity != before


class OtherModel:
    """The same weights, but another head or other labels."""

    def __init__(self, **options):
        self.known = {"labels": list(colored_photos.CLASSES)} | options

    def change(self, root):
        pass

    def options(self, root):
        paths = sorted((root / "photos").rglob("*.png"))
        labels = [colored_photos.CLASSES.index(path.parent.name) for path in paths]
        return {"photos": [str(path) for path in paths], "labels": labels}

    def model(self):
        return convscope.load_model(colored_photos.network(), size=32, **self.known)


@pytest.mark.parametrize(
    "other",
    [OtherMasks(), OtherModel(head="sigmoid"), OtherModel(labels=[*"abcd"])],
    ids=["masks", "head", "labels"],
)
def test_a_run_goes_on_with_the_same_network_and_masks_only(tmp_path, monkeypatch, other):
    colored_photos.write(tmp_path, count=32, swapped=2)
    options = other.options(tmp_path)
    module = importlib.import_module("convscope.audit.audit")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "page_of", killed)
        with pytest.raises(KeyboardInterrupt):
            audit(tmp_path, tmp_path, **options)
    other.change(tmp_path)
    audit(tmp_path, tmp_path, model=other.model(), **options)
    audit(tmp_path, tmp_path / "whole", model=other.model(), **options)
    for table in ("photos", "explanations"):
        resumed, whole = (
            pyarrow.parquet.read_table(folder / "audit" / f"{table}.parquet").to_pylist()
            for folder in (tmp_path, tmp_path / "whole")
        )
        assert resumed == whole


def test_a_budget_explains_the_worst_mistakes_first(tmp_path):
    planted = set(colored_photos.write(tmp_path, count=100, swapped=5))
    colored_photos.run(tmp_path, max_explained=20)
    rows = pyarrow.parquet.read_table(tmp_path / "audit" / "explanations.parquet").to_pylist()
    assert len(rows) == 20
    assert {row["photo"] for row in rows[:5]} == planted
    assert "80 photos are not explained" in (tmp_path / "audit.html").read_text()


class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image):
        return self.conv(image).mean((2, 3)) + torch.log(-image.abs().amax((1, 2, 3)) - 1)[:, None]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"labels": "nothing.csv"}, InputError, "There is no file nothing.csv"),
        ({"masks": "nothing"}, InputError, "There is no folder nothing with masks"),
        ({"layer": "5"}, LayerError, "has no places"),
        ({"engine": "cloud"}, OptionError, "cloud"),
        ({"labels": {"000.png": "red", "004.png": "red"}}, InputError, "All photos are labeled"),
        ({"labels": {"000.png": "violet"}}, InputError, "labeled 'violet'"),
        ({"labels": {"other.png": "red"}}, InputError, "No photo has a label: none is"),
        ({"labels": {"photos/blue/002.png": "red"}}, InputError, "as 'blue/002.png'"),
        ({"labels": ["red"]}, InputError, "There are 49 photos, but 1 labels"),
        ({"photos": "nowhere"}, InputError, "There are no photos at nowhere"),
        ({"photos": 3}, ImageError, "a int was given"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_written(
    folder, tmp_path, options, error, words
):
    with pytest.raises(error, match=words):
        audit(folder, tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_mask_that_does_not_fit_leaves_nothing_behind(folder, tmp_path):
    masks = tmp_path / "masks" / "red"
    masks.mkdir(parents=True)
    Image.new("L", (7, 7), 255).save(masks / "000.png")
    with pytest.raises(InputError, match="has 7 x 7 pixels, but its photo has 32 x 32"):
        audit(folder, tmp_path, masks=str(tmp_path / "masks"))
    assert [path.name for path in tmp_path.iterdir()] == ["masks"]


@pytest.mark.parametrize("name", ["photos", "masks"])
def test_rows_are_not_written_into_a_folder_that_is_read(tmp_path, name):
    colored_photos.write(tmp_path, count=8)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError, match="which is read; give the page another name"):
        convscope.audit(
            colored_photos.model(),
            str(tmp_path / "photos"),
            out=str(tmp_path / f"{name}.html"),
            masks=str(tmp_path / "masks"),
        )
    assert sorted(tmp_path.rglob("*")) == before


def test_rows_are_not_written_where_the_next_audit_would_take_them_for_photos(tmp_path):
    colored_photos.write(tmp_path, count=8)
    rows = [
        {"image": {"bytes": path.read_bytes()}, "label": path.parent.name}
        for path in sorted((tmp_path / "photos").rglob("*.png"))
    ]
    table = tmp_path / "rows" / "photos.parquet"
    table.parent.mkdir()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), table)
    before = sorted(tmp_path.rglob("*"))
    model = colored_photos.model()
    for photos in (table.parent, tmp_path / "**" / "*.parquet"):
        with pytest.raises(OutputError, match=r"which is read; .* outside of the photos and masks"):
            convscope.audit(model, str(photos), out=str(table.parent / "audit.html"))
    assert sorted(tmp_path.rglob("*")) == before
    # The rows are not among these, and nothing but pictures is read from a folder of pictures.
    for _ in range(2):
        for photos in (tmp_path / "rows" / "*.parquet", tmp_path / "photos"):
            out = str(photos.with_name("audit.html") if "*" in photos.name else photos / "a.html")
            result = convscope.audit(model, str(photos), out=out, unit_steps=0)
            assert result.details_as(AuditDetails).photos == 8


def test_folders_with_odd_names_are_compared(tmp_path):
    source = Listed([])
    for name in ("odd\ud800", "odd\udcff"):
        check_apart(tmp_path / name, str(tmp_path / "photos"), source, None)
        with pytest.raises(OutputError):
            check_apart(tmp_path / name, str(tmp_path / name), source, None)
        with pytest.raises(OutputError):
            check_apart(tmp_path / name / "audit", str(tmp_path / name), source, None)


def test_a_link_to_the_folder_that_is_read_is_that_folder(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "masks")
    with pytest.raises(OutputError):
        check_apart(tmp_path / "link" / "audit", "photos", Listed([]), str(tmp_path / "masks"))


def test_masks_of_other_photos_are_refused(folder, tmp_path):
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.new("L", (32, 32), 255).save(masks / "nobody.png")
    with pytest.raises(InputError, match=r"No mask in .* is named as a photo"):
        audit(folder, tmp_path, masks=str(masks))
    assert [path.name for path in tmp_path.iterdir()] == ["masks"]


def test_a_network_that_gives_nan_leaves_nothing_behind(folder, tmp_path):
    model = convscope.load_model(Broken(), size=32, labels=list(colored_photos.CLASSES))
    with pytest.raises(NumericError, match="NaN or infinite on blue/"):
        audit(folder, tmp_path, model=model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("classes", [9, 10])
def test_the_first_five_are_said_of_ten_classes_or_more(tmp_path, classes):
    network = nn.Sequential(nn.Conv2d(3, classes, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = convscope.load_model(network.eval(), size=16)
    photos = [np.full((16, 16, 3), 20 * number, np.uint8) for number in range(8)]
    labels = [str(number % 2) for number in range(8)]
    result = audit(tmp_path, tmp_path, model=model, photos=photos, labels=labels)
    is_said = classes == 10
    assert ("top_5" in result) == is_said
    page = (tmp_path / "audit.html").read_text()
    assert ("Label among the first five" in page) == is_said


def test_the_command_line(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    photos = str(folder / "photos")
    assert main(["audit", photos, "--out", "page.txt"]) == 2
    assert "must end in .html" in capsys.readouterr().err
    assert main(["audit", photos, "--masks", "nothing"]) == 2
    assert capsys.readouterr().err.startswith("convscope: There is no folder nothing")
    (tmp_path / "photos").mkdir()
    for name in ("chelsea", "coffee"):
        Image.fromarray(sample(name)).save(tmp_path / "photos" / f"{name}.png")
    (tmp_path / "labels.csv").write_text("photo,label\nchelsea,Egyptian cat\ncoffee,espresso\n")
    (tmp_path / "photos" / "broken.png").write_bytes(b"this is no picture")
    assert main(["audit", "photos", "--labels", "labels.csv", "--unit-steps", "0"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == "audit.html"
    assert said.err.strip() == "1 photo skipped, since unreadable."
    page = (tmp_path / "audit.html").read_text()
    assert "espresso" in page
    command = re.findall(r"<pre>(convscope audit .*?)</pre>", page)[-1]
    before = (tmp_path / "audit" / "photos.parquet").read_bytes()
    (tmp_path / "audit.html").unlink()
    assert main([*shlex.split(html.unescape(command))[1:], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["details"]["path"] == "audit.html"
    assert (tmp_path / "audit.html").exists()
    assert (tmp_path / "audit" / "photos.parquet").read_bytes() == before


def test_the_command_says_all_that_is_not_the_default(folder, tmp_path):
    photos = str(folder / "photos")
    audit(folder, tmp_path, batch=8, half=True, max_seconds=90.5, threads=1)
    out = str(tmp_path / "audit.html")
    command = f"convscope audit {photos} --out {out} --layer 1 --max-seconds 90.5 --unit-steps 0"
    options = "--batch 8 --half --threads 1 --model MODEL"
    assert f"{command} {options}" in html.unescape((tmp_path / "audit.html").read_text())
    paths = sorted((folder / "photos").rglob("0*.png"))
    in_order = [path.parent.name for path in paths]
    result = audit(folder, tmp_path, photos=[str(path) for path in paths], labels=in_order)
    page = (tmp_path / "audit.html").read_text()
    assert f"convscope audit PHOTOS --out {out} --labels LABELS --layer 1" in page
    assert result.provenance["arguments"]["batch"] == 32
    assert result.provenance["arguments"]["half"] is False


def test_a_picture_of_an_audit_is_not_made_again(folder, tmp_path):
    picture = audit(folder, tmp_path).save(tmp_path / "audit.png")
    with pytest.raises(InputError, match="cannot be made again"):
        convscope.rerun(picture)
