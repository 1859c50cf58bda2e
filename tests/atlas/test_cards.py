"""Unit cards: against direct ablation, brute force, scipy, and a run that was stopped."""

from __future__ import annotations

import json
import sys
from importlib import import_module

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats
from torch import nn

import convscope
from convscope import atlas
from convscope.atlas.scan import listing
from convscope.atlas.site.card_views import tuning_view
from convscope.atlas.unit_cards.card_rows import choose_name, read_changes, read_tuning
from convscope.atlas.unit_cards.effects import silence
from convscope.atlas.unit_cards.label_names import LabelEvidence, label_evidence
from convscope.atlas.unit_cards.label_sums import LabelSums
from convscope.atlas.unit_cards.mask_names import MaskedPhoto, MaskEvidence, measure_overlaps
from convscope.atlas.unit_cards.readability import readability
from convscope.concepts.concept_set import ConceptSet
from convscope.errors import ConvscopeError, InputError, NumericError, OptionError
from convscope.photos.load_image import load_photos
from convscope.probe import Probe
from convscope.probe.inference_copy import inference_copy
from tests.small_atlas import state

CARDS = {"layers": "first,third,head", "judge": "none", "batch": 8}

COLORS = {"red": (230, 20, 20), "green": (20, 230, 20), "blue": (20, 20, 230)}


class Colors(nn.Module):
    """Unit k of `units` is how much color k stands out from the two others."""

    def __init__(self):
        super().__init__()
        self.units = nn.Conv2d(3, 4, 1, bias=False)
        weight = torch.cat([1.5 * torch.eye(3) - 0.5, torch.zeros(1, 3)])
        with torch.no_grad():
            self.units.weight.copy_(weight[:, :, None, None])
        self.head = nn.Linear(4, 3)

    def forward(self, image):
        return self.head(self.units(image).mean((2, 3)))


@pytest.fixture
def colors():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return convscope.load_model(Colors().eval(), size=32, labels=["x", "y", "z"])


@pytest.fixture
def scenes(tmp_path):
    """Ten photos of a square of each color on gray, and the squares' masks."""
    generator = np.random.default_rng(0)
    for number in range(30):
        name, color = list(COLORS.items())[number % 3]
        scene = generator.integers(100, 156, (32, 32, 3)).astype(np.uint8)
        top, left = generator.integers(2, 18, 2)
        mask = np.zeros((32, 32), np.uint8)
        mask[top : top + 12, left : left + 12] = 255
        scene[mask > 0] = color
        for kind, pixels in (("photos", scene), ("masks", mask)):
            path = tmp_path / kind / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return tmp_path


def cards_of(folder):
    opened = atlas.open(str(folder))
    return {(row["layer"], row["unit"]): row for row in opened.all_cards()}


def test_units_are_named_by_masks_and_by_labels(colors, scenes, tmp_path):
    photos, masks = str(scenes / "photos"), str(scenes / "masks")
    options = {"layers": "units,head", "judge": "none"}
    summary = atlas.cards(colors, photos, str(tmp_path / "a"), masks=masks, **options)
    named = cards_of(tmp_path / "a")
    for unit, name in enumerate(COLORS):
        row = named["units", unit]
        assert (row["name"], row["named_by"]) == (name, "masks")
        assert row["iou_low"] <= row["iou"] <= row["iou_high"]
        assert (row["label"], row["label_share"], row["label_photos"]) == (name, 1.0, 10)
    # A unit that is always zero has no name, and one without places none by masks.
    assert named["units", 3]["name"] is None
    assert named["head", 0]["object"] is None
    assert summary["named"] == sum(row["name"] is not None for row in named.values())
    atlas.cards(colors, photos, str(tmp_path / "b"), **options)
    by_labels = cards_of(tmp_path / "b")
    assert [by_labels["units", unit]["name"] for unit in range(4)] == [*COLORS, None]
    assert by_labels["units", 0]["named_by"] == "labels"


def test_effects_equal_direct_ablation(model, network, photos, tmp_path):
    """For every unit of every layer, on the photos that excite it most, through a hook of the
    test's own on the network as it is."""
    atlas.cards(model, str(photos), str(tmp_path / "a"), silenced=3, **CARDS)
    atlas.examples(model, str(photos), str(tmp_path / "a"), layers="first,third,head", k=3)
    opened = atlas.open(str(tmp_path / "a"))
    for row in opened.all_cards():
        layer, unit = row["layer"], row["unit"]
        changes = []
        for example in opened.examples(layer, unit, kind="top"):
            image = model.preprocess(
                model.fit(torch.from_numpy(_pixels(photos / example["photo"])))
            )

            def mute(module, inputs, output, unit=unit):
                output = output.clone()
                output[:, unit] = 0
                return output

            with torch.no_grad():
                before = network(image)[0]
                handle = dict(network.named_modules())[layer].register_forward_hook(mute)
                changes.append(network(image)[0] - before)
                handle.remove()
        mean = torch.stack(changes).mean(0)
        listed = read_changes(row["raises"]) + read_changes(row["lowers"])
        for change in listed:
            assert change.change == pytest.approx(float(mean[change.index]), abs=1e-5)
        assert {change.index for change in listed} >= set(
            (mean.abs() > 1e-5).nonzero()[:, 0].tolist()
        )


def test_effects_of_concepts_equal_direct_ablation(model, network, photos, tmp_path):
    """Each direction is taken away alone, by a hook of the test's own; they are not orthogonal."""
    directions = np.random.default_rng(3).normal(size=(3, 12)).astype(np.float32)
    ConceptSet(directions, "third", {}).save(tmp_path / "kept.safetensors")
    name = f"concept:{tmp_path}/kept"
    for layer in (name, f"{name}/2"):
        out = str(tmp_path / f"atlas{len(layer)}")
        atlas.cards(model, str(photos), out, layers=layer, judge="none", batch=8, silenced=2)
        atlas.examples(model, str(photos), out, layers=layer, k=2)
        opened = atlas.open(out)
        for row in opened.all_cards():
            vector = torch.from_numpy(directions[2 if layer != name else row["unit"]])

            def without(module, inputs, output, vector=vector):
                along = torch.einsum("nchw,c->nhw", output, vector) / vector.square().sum()
                return output - torch.einsum("nhw,c->nchw", along, vector)

            changes = []
            for example in opened.examples(layer, row["unit"], kind="top"):
                pixels = _pixels(photos / example["photo"])
                image = model.preprocess(model.fit(torch.from_numpy(pixels)))
                with torch.no_grad():
                    before = network(image)[0]
                    handle = dict(network.named_modules())["third"].register_forward_hook(without)
                    changes.append(network(image)[0] - before)
                    handle.remove()
            assert len(changes) == 2
            mean = torch.stack(changes).mean(0)
            listed = read_changes(row["raises"]) + read_changes(row["lowers"])
            assert listed
            for change in listed:
                assert change.change == pytest.approx(float(mean[change.index]), abs=1e-5)
    lines = atlas.show(str(tmp_path / f"atlas{len(name)}"), f"{name}/1").table
    assert {line["unit"] for line in lines} == {f"{name}:1"}
    assert {"raises", "lowers", "top 1"} <= {line["what"] for line in lines}
    assert len(atlas.show(str(tmp_path / f"atlas{len(name)}"), name).table) == 3
    assert opened.examples(f"{name}/2") == opened.examples(f"{name}/2", 0)


def _pixels(path):
    pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])


def test_effects_equal_direct_ablation_in_the_embedded_network():
    model = convscope.load_model()
    image = model.preprocess(model.fit(load_photos("sample:chelsea")[0]))
    layer, units = "blocks.4", [0, 17, 40]
    with Probe(inference_copy(model, [layer])) as probe:
        changes = silence(probe, layer, [(image, units)])
    network = model.network.eval()

    @torch.no_grad()
    def scores(muted=-1):
        keep = (torch.arange(112) != muted)[:, None, None]
        handle = model.modules[layer].register_forward_hook(lambda *run: run[-1] * keep)
        try:
            return network(image)[0].double()
        finally:
            handle.remove()

    for unit in units:
        expected = scores(unit) - scores()
        assert (changes[unit][0] - expected).abs().max() < 1e-5
        assert expected.abs().max() > 1e-3


def test_iou_equals_brute_force(colors):
    generator = torch.Generator().manual_seed(0)
    photos = []
    for number in range(6):
        image = torch.rand(1, 3, 32, 32, generator=generator)
        mask = torch.zeros(32, 32)
        mask[4 + number : 20, 3:18] = 1
        photos.append(MaskedPhoto(image, mask, "ab"[number % 2]))
    with Probe(colors) as probe:
        overlaps = measure_overlaps(probe, ["units"], lambda: iter(photos), 6)["units"]
        maps = torch.cat([probe.activations(photo.image, ["units"])["units"] for photo in photos])
    values = maps[:, 1].numpy()
    threshold = np.sort(values.ravel())[-round(0.005 * values.size)]
    firing = values >= threshold
    iou = {}
    for label in "ab":
        objects = np.stack(
            [photo.mask.numpy() * (photo.label == label) for photo in photos]
        ).astype(bool)
        iou[label] = (firing & objects).sum() / (firing | objects).sum()
    evidence = overlaps.evidence(1, seed=0)
    assert evidence is not None
    assert evidence.label == max(iou, key=iou.__getitem__)
    assert evidence.iou == pytest.approx(max(iou.values()))
    assert overlaps.evidence(3, seed=0) is None


def test_label_confidence_is_students_test():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 60).tolist()
    values = generator.normal(size=(60, 2))
    values[:, 1] += 1.2 * (np.array(labels) == 2)
    sums = LabelSums.empty(3, 2)
    sums.update(labels[:30], values[:30])
    other = LabelSums.empty(3, 2)
    other.update([*labels[30:], None], np.concatenate([values[30:], [[1e9, 1e9]]]))
    sums.merge(other)
    evidence = label_evidence(sums, ["a", "b", "c"], 1, ["c", "a"])
    inside = np.array(labels) == 2
    p = stats.ttest_ind(values[inside, 1], values[~inside, 1], alternative="greater").pvalue
    assert evidence is not None
    assert (evidence.label, evidence.photos) == ("c", int(inside.sum()))
    assert evidence.confidence == pytest.approx(1 - 3 * p)
    assert evidence.share == 0.5


def test_units_of_noise_are_seldom_named():
    """At 95 % confidence one in twenty by chance, also where each label has one photo."""
    generator = np.random.default_rng(1)
    for labels in ([*range(20)], [*range(4)] * 5):
        values = generator.normal(size=(20, 300))
        sums = LabelSums.empty(max(labels) + 1, 300)
        sums.update(labels, values)
        names = [str(label) for label in range(max(labels) + 1)]
        named = 0
        for unit in range(300):
            strongest = [names[labels[place]] for place in np.argsort(-values[:, unit])]
            evidence = label_evidence(sums, names, unit, strongest)
            named += choose_name(evidence, None) is not None
        assert named <= 0.08 * 300


def test_a_name_needs_evidence():
    weak = LabelEvidence("cat", 0.99, 0.3, 10)
    strong = LabelEvidence("cat", 0.99, 0.8, 10)
    mask = MaskEvidence("dog", 0.2, 0.1, 0.3, 0.97)
    assert choose_name(weak, None) is None
    assert choose_name(strong, None).text == "cat"
    assert choose_name(strong, mask).text == "dog"
    assert choose_name(strong, MaskEvidence("dog", 0.03, 0.0, 0.1, 0.97)).text == "cat"
    assert choose_name(strong, MaskEvidence("dog", 0.2, 0.0, 0.4, 0.6)).text == "cat"


def test_readability_of_what_is_plain_and_of_noise():
    generator = torch.Generator().manual_seed(0)
    noise = nn.functional.normalize(torch.randn(20, 16, generator=generator), dim=1)
    apart = noise + torch.cat([torch.ones(10, 16), -torch.ones(10, 16)])
    apart = nn.functional.normalize(apart, dim=1)
    plain = readability(apart[:10], apart[10:])
    assert plain is not None
    assert (plain.share, plain.pairs) == (1.0, 100)
    shares = []
    for _ in range(40):
        noise = nn.functional.normalize(torch.randn(20, 16, generator=generator), dim=1)
        by_chance = readability(noise[:10], noise[10:])
        assert by_chance is not None
        shares.append(by_chance.share)
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)
    assert readability(apart[:1], apart[10:]) is None


def test_another_network_judges(colors, scenes, tmp_path):
    atlas.cards(
        colors,
        str(scenes / "photos"),
        str(tmp_path / "a"),
        layers="units",
        judge="auto",
        silenced=0,
    )
    rows = cards_of(tmp_path / "a")
    # The embedded network tells the colors of the squares.
    assert rows["units", 0]["readability"] > 0.9
    assert rows["units", 0]["readability_pairs"] == 100
    assert "silenced" in json.loads(rows["units", 0]["recipe"])
    assert json.loads(rows["units", 0]["raises"]) == []


def test_a_stopped_run_goes_on_and_ends_with_the_same_bytes(model, photos, tmp_path, monkeypatch):
    module = sys.modules["convscope.atlas.unit_cards.card_run"]
    monkeypatch.setattr(listing, "SHARD_SIZE", 8)
    atlas.cards(model, str(photos), str(tmp_path / "whole"), **CARDS)
    shards, parts = [], []

    class Dies(module.CardScanner):  # type: ignore[misc, name-defined]
        def __call__(self, shard):
            shards.append(shard.number)
            if len(shards) == 4:
                raise SystemExit
            return super().__call__(shard)

    class DiesLater(module.CardMaker):  # type: ignore[misc, name-defined]
        def __call__(self, job):
            parts.append(job.layer)
            if len(parts) == 2:
                raise SystemExit
            return super().__call__(job)

    monkeypatch.setattr(module, "CardScanner", Dies)
    monkeypatch.setattr(module, "CardMaker", DiesLater)
    for _ in range(2):
        with pytest.raises(SystemExit):
            atlas.cards(model, str(photos), str(tmp_path / "killed"), **CARDS)
    atlas.cards(model, str(photos), str(tmp_path / "killed"), **CARDS)
    assert shards == [0, 1, 2, 3, 3, 4, 5, 6]
    assert parts == ["first", "third", "third", "head"]
    assert state(tmp_path / "killed") == state(tmp_path / "whole")
    assert not list((tmp_path / "killed").glob("partial/**/*.parquet"))
    assert atlas.verify(str(tmp_path / "killed")).ok


def test_nothing_is_measured_twice(model, photos, tmp_path):
    atlas.cards(model, str(photos), str(tmp_path / "a"), **CARDS)
    before = state(tmp_path / "a")
    assert (
        "all there before" in atlas.cards(model, str(photos), str(tmp_path / "a"), **CARDS).sentence
    )
    assert state(tmp_path / "a") == before
    atlas.compact(str(tmp_path / "a"))
    assert (
        "all there before" in atlas.cards(model, str(photos), str(tmp_path / "a"), **CARDS).sentence
    )
    row = next(iter(cards_of(tmp_path / "a").values()))
    assert {curve.kind for curve in read_tuning(row.columns)} >= {"orientation", "hue", "size"}


def test_show_and_ls_tell_of_cards(model, photos, tmp_path):
    atlas.cards(model, str(photos), str(tmp_path / "a"), **CARDS)
    (counts,) = [row for row in atlas.ls(str(tmp_path / "a")).table if row["layer"] == "first"]
    assert counts["cards"] == 8
    lines = atlas.show(str(tmp_path / "a"), "first:1").table
    kinds = {line["what"] for line in lines}
    assert kinds >= {"name", "raises", "lowers", "orientation", "color against shape"}
    raised = next(line for line in lines if line["what"] == "raises")
    assert raised["value"] > 0
    assert raised["about"] in model.labels
    assert len(atlas.show(str(tmp_path / "a"), "first").table) == 8


def test_bad_input_is_one_sentence_and_leaves_nothing(model, photos, scenes, tmp_path):
    folder = str(scenes / "photos")
    (scenes / "labels.csv").write_text("photo,kind\n1.png,red\n")
    red_photos = str(scenes / "photos" / "red")
    for error, words, images, options in (
        (InputError, "it needs one called photo", folder, {"labels": str(scenes / "labels.csv")}),
        (InputError, "no file", folder, {"labels": "none.csv"}),
        (InputError, "There is no folder", folder, {"masks": "nowhere"}),
        (InputError, "what they are", red_photos, {"masks": str(scenes / "masks")}),
        (InputError, "All photos are labeled", red_photos, {"labels": ["red"] * 10}),
        (InputError, "give one each", folder, {"labels": ["red", "blue"]}),
        (ConvscopeError, "no layer", folder, {"layers": "nothing"}),
        (OptionError, "batch must divide", folder, {"batch": 7}),
        (ConvscopeError, "nobody", folder, {"judge": "nobody"}),
    ):
        with pytest.raises(error, match=words) as raised:
            atlas.cards(model, images, str(tmp_path / "out"), **{"layers": "first"} | options)
        assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_nan_activations_are_said(model, network, photos, tmp_path):
    with torch.no_grad():
        network.second.weight.fill_(float("nan"))
    with pytest.raises(NumericError, match="third are NaN"):
        atlas.cards(model, str(photos), str(tmp_path / "a"), layers="third", judge="none")


def test_a_network_of_other_channels_has_cards_without_tuning(photos, tmp_path):
    gray = convscope.load_model(
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)),
        size=24,
        channels=1,
        labels=["a", "b"],
    )
    atlas.cards(gray, str(photos), str(tmp_path / "a"), layers="0", judge="none")
    row = cards_of(tmp_path / "a")["0", 0]
    assert read_tuning(row.columns)[0].peak > 0
    # Nothing is said of colors that it cannot see.
    kinds = {curve.kind for curve in read_tuning(row.columns)}
    assert kinds == {"orientation", "spatial_frequency", "size", "position"}


class Features(nn.Module):
    """Returns what nobody can read as scores."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, image):
        maps = self.conv(image)
        return {"low": maps, "high": maps.mean((2, 3))}


def test_a_network_without_scores_has_cards_and_a_map_without_classes(
    photos, tmp_path, monkeypatch
):
    model = convscope.load_model(Features().eval(), size=24)
    out = str(tmp_path / "a")
    atlas.cards(model, str(photos), out, layers="conv", judge="none", batch=8)
    rows = cards_of(tmp_path / "a")
    assert len(rows) == 4
    assert all(row["raises"] == "[]" for row in rows.values())
    map_module = import_module("convscope.atlas.map")
    monkeypatch.setattr(map_module, "umap_plane", lambda vectors, seed: (vectors[:, :2] * 5) % 1)
    options = {"grid": 2, "minimum": 1, "steps": 2, "size": 16, "batch": 4}
    assert atlas.map(model, "conv", str(photos), out, **options)["cells"]
    atlas.export(out, tmp_path / "site")


def test_the_strength_of_a_curve_is_a_share_of_what_the_best_photo_adds(tmp_path):
    """Red plus a bias of 3: 3.5 on the gray background, 3.8 on the best photo."""
    network = nn.Sequential(nn.Conv2d(3, 1, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    with torch.no_grad():
        for parameter, values in zip(network.parameters(), ([1.0, 0, 0], [3.0]), strict=True):
            parameter.copy_(torch.tensor(values).reshape(parameter.shape))
    model = convscope.load_model(network, size=24, mean=(0, 0, 0), std=(1, 1, 1))
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, red in enumerate((0, 102, 204)):
        Image.new("RGB", (24, 24), (red, 0, 0)).save(folder / f"{number}.png")
    atlas.cards(model, str(folder), str(tmp_path / "a"), layers="0", judge="none", batch=4)
    row = cards_of(tmp_path / "a")["0", 0].columns
    assert row["highest"] == pytest.approx(3.8, abs=1e-4)
    curve = next(curve for curve in read_tuning(row) if curve.kind == "size")
    assert curve.background == pytest.approx(3.5, abs=1e-3)
    view = tuning_view(curve, row["highest"])
    assert view.strength == f"{curve.peak / 0.3:.0%} of what its best photo adds"
    assert curve.peak == pytest.approx(0.5, abs=1e-3)  # white on gray
    # A card of an earlier version does not know the background.
    old = [line | {"background": None} for line in json.loads(row["tuning"])]
    for line in old:
        del line["background"]
    earlier = row.copy()
    earlier["tuning"] = json.dumps(old)
    known = read_tuning(earlier)[0]
    assert known.background is None
    assert tuning_view(known, row["highest"]).strength.endswith(" added")
