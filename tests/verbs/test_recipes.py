"""Presets named after a source do what its formula says, on networks of any input range; and what
goes wrong is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.cli.public import schema_of
from convscope.errors import ConvscopeError, OptionError
from convscope.probe import Probe
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings
from tests.small_networks import Trunk

PHOTO = np.random.default_rng(0).random((32, 32, 3)).astype(np.float32)
SPAN = 4.425
"""Between black and white in the units of ImageNet's mean and deviation."""


class Rescaled(nn.Module):
    """A network that takes pixels from 0 to 255, less a mean image."""

    def __init__(self, network: nn.Module, mean_image: torch.Tensor) -> None:
        super().__init__()
        self.network, self.mean_image = network, mean_image

    def forward(self, pixels):
        return self.network((pixels + self.mean_image) / 255)


def plain(span: float = 1.0):
    """A network whose input spans `span` units."""
    torch.manual_seed(0)
    return convscope.load_model(Trunk(), size=32, mean=0.0, std=1 / span)


def from_bytes():
    """The network of `plain()` behind pixels from 0 to 255 and a mean image."""
    torch.manual_seed(0)
    mean = 100 * torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return convscope.load_model(Rescaled(Trunk(), mean), size=32, scale=1, mean_image=mean[0])


CALLS = {
    "fool": lambda model, layer: convscope.fool(model, PHOTO, target=1, steps=4),
    "fool plain": lambda model, layer: convscope.fool(
        model, PHOTO, target=1, steps=4, preset="plain"
    ),
    "dream": lambda model, layer: convscope.dream(
        model, PHOTO, layer=layer, preset="cs231n", steps=4
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_picture_from_0_to_1_and_from_0_to_255_with_a_mean_image(name):
    first = CALLS[name](plain(), "second")
    second = CALLS[name](from_bytes(), "network.second")
    assert np.abs(first["image"] - second["image"]).max() < 2 / 255
    assert np.abs(first["score"] - second["score"]).max() <= 0.01 * np.abs(first["score"]).max()


def maps_of(probe, network_input, layer="second"):
    return probe.activations(network_input, [layer])[layer]


def test_cs231n_dream_ascends_half_the_sum_of_squares_by_5():
    model = plain(255.0)
    result = convscope.dream(
        model, PHOTO, layer="second", preset="cs231n", steps=3, jitter=0, size=32
    )
    image = model.preprocess(model.fit(convscope.load_image(PHOTO)))
    scores = []
    with Probe(model) as probe:
        for _ in range(3):
            leaf = image.clone().requires_grad_()
            score = maps_of(probe, leaf).pow(2).sum() / 2
            scores.append(score.item())
            image = (image + 5 * torch.autograd.grad(score, leaf)[0]).clamp(0, 255)
    np.testing.assert_allclose(result["score"][0], scores, rtol=1e-2)
    assert np.abs(result["image"] - image.numpy() / 255).max() < 1e-2


def test_cs231n_inverts_the_plain_squared_difference():
    model = plain(255.0)
    result = convscope.invert(
        model, PHOTO, layer="second", preset="cs231n", steps=3, blur=0, seed=4
    )
    image = RandomStreams.of(4, ["squared_distance(second) 0"]).normal(3, 32, 32).clamp(0, 255)
    scores = []
    with Probe(model) as probe:
        wanted = maps_of(probe, model.preprocess(model.fit(convscope.load_image(PHOTO))))
        for _ in range(3):
            leaf = image.clone().requires_grad_()
            loss = (maps_of(probe, leaf) - wanted).pow(2).sum()
            scores.append(-loss.item())
            (gradient,) = torch.autograd.grad(loss + 1e-7 * leaf.pow(2).sum(), leaf)
            image = (image - 10000 * gradient).clamp(0, 255)
    np.testing.assert_allclose(result["score"][0, :2], scores[:2], rtol=1e-2)
    assert result["error"][0] == pytest.approx(
        float((maps_of_image(model, result["image"]) - wanted).pow(2).sum() / wanted.pow(2).sum()),
        rel=1e-3,
    )


def maps_of_image(model, image):
    with Probe(model) as probe:
        return maps_of(probe, model.preprocess(torch.from_numpy(image)))


def test_simonyan_steps_on_the_gradient_itself():
    model = plain(SPAN)
    options = {"steps": 2, "jitter": 0, "blur": 0, "redirect": 0, "l2": 0.0}
    # At 32 px the preset for small networks is taken; its numbers are for inputs from 0 to 255.
    result = convscope.class_image(model, 2, preset="simonyan", seed=5, **options)
    assert result.details["preset"] == "simonyan64"
    ratio = SPAN / 255
    image = ratio * RandomStreams.of(5, ["logit(2) 0"]).normal(3, 32, 32)
    image = image.clamp(0, SPAN)
    with Probe(model) as probe:
        for _ in range(2):
            leaf = image.clone().requires_grad_()
            score = model.scores(probe.activations_and_output(leaf, [])[1])[0, 2]
            image = image + 10000 * ratio**2 * torch.autograd.grad(score, leaf)[0]
            image = image.clamp(0, SPAN)
    assert np.abs(result["image"] - image.numpy() / SPAN).max() < 1e-2


def test_rates_noise_and_l2_are_brought_to_the_range_of_the_input():
    def settings(name, verb, span, **overrides):
        model = convscope.load_model(Trunk(), size=224, mean=0.0, std=1 / span)
        return Settings(name, verb, model.preprocessing, **overrides).config

    assert settings("cs231n", "fool", SPAN).rate == pytest.approx(1.0)
    assert settings("cs231n", "fool", 255).rate == pytest.approx(255 / SPAN)
    assert settings("plain", "fool", 25.5).rate == pytest.approx(200 / 100)
    assert settings("cs231n", "fool", 255, rate=10.0).rate == 10
    assert settings("simonyan", "class_image", SPAN).regularizers[0].weight == pytest.approx(1e-3)
    assert settings("simonyan", "class_image", 255).regularizers[0].weight == pytest.approx(
        1e-3 * (SPAN / 255) ** 2
    )
    assert settings("simonyan", "class_image", 255, l2=0.5).regularizers[0].weight == 0.5
    assert settings("distill", "visualize", 255).rate == 0.05


def test_parameters_by_name_change_the_preset():
    config = Settings("simonyan", "class_image", jitter=3, blur=0.7, blur_every=2, l2=0.1).config
    assert config.transforms == (("roll", {"pixels": 3}),)
    assert (config.blur, config.blur_every) == (0.7, 2)
    assert [(name, weight) for name, weight, _ in config.regularizers] == [("sum_of_squares", 0.1)]
    assert Settings("simonyan", "class_image", jitter=0).config.transforms == ()
    assert Settings("plain", "invert", jitter=2).config.transforms == (("roll", {"pixels": 2}),)
    assert Settings("distill", "visualize", steps=10, show_every=4).config.snapshots == (4, 8)
    with pytest.raises(OptionError, match="does not start from noise"):
        Settings("maco", "visualize", noise=0.5)
    with pytest.raises(OptionError, match="rate must be above 0"):
        Settings("distill", "visualize", rate=-1.0)
    with pytest.raises(OptionError, match="no normalize 'l3'; there is: none, rms"):
        Settings("distill", "visualize", normalize="l3")


def test_none_is_no_transform_and_no_regularizer():
    """And not the preset's own, which nothing said at all means."""
    images = [
        convscope.visualize(plain(), "second:1", steps=2, size=24, **options)["image"]
        for options in ({}, {"transforms": "none"}, {"transforms": "none", "jitter": 0})
    ]
    assert not np.array_equal(images[0], images[1])
    assert np.array_equal(images[1], images[2])


def test_snapshots_on_every_verb():
    model = plain()
    calls = [
        convscope.class_image(model, 1, steps=4, show_every=2),
        convscope.invert(model, PHOTO, layer="second", steps=4, show_every=2),
        convscope.dream(model, PHOTO, layer="second", octaves=1, steps=4, show_every=2),
        convscope.caricature(model, PHOTO, layer="second", steps=4, show_every=2),
        convscope.fool(model, PHOTO, target=1, steps=4, rate=1e-6, show_every=2),
    ]
    for result in calls:
        assert result.details["snapshots"] == [2, 4], result.verb
        assert result["snapshot"].shape == (2, *result["image"].shape)


def test_a_preset_of_ones_own_is_a_file(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text('base = "distill"\nsteps = 3\nsize = 24\n[optimization]\nrate = 0.02\n')
    settings = Settings(str(path), "visualize")
    assert (settings.steps, settings.size, settings.config.rate) == (3, (24, 24), 0.02)
    assert settings.config.optimizer == "adam"
    result = convscope.visualize(plain(), "second:1", preset=str(path))
    assert result["image"].shape == (1, 3, 24, 24)


def test_a_picture_holds_its_preset_and_is_made_again_without_the_file(
    embedded, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    text = 'base = "distill"  # 1 / 2\nsource = "me / 2026"\nsteps = 2\nsize = 24\n'
    Path("my.toml").write_text(text)
    result = convscope.visualize(embedded, "blocks.1:3", preset="my.toml")
    assert result.provenance["arguments"]["preset"] == "# my.toml\n" + text
    assert result.details["preset"] == "my.toml"
    result.save("mine.png")
    for is_gone in (False, True):
        Path("my.toml").write_text(text.replace("steps = 2", "steps = 1"))
        if is_gone:
            Path("my.toml").unlink()
        again = convscope.rerun("mine.png")
        assert np.array_equal(again["image"], result["image"])
        again.save("again.png")
        assert Path("again.png").read_bytes() == Path("mine.png").read_bytes()


def test_a_changed_preset_is_read_again(tmp_path):
    path = tmp_path / "my.toml"
    for steps in (3, 4):
        path.write_text(f'base = "distill"\nsteps = {steps}\n')
        assert Settings(str(path), "visualize").steps == steps


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('base = "distill"\nsteps = 2000000', "steps=2000000"),
        ('base = "distill"\nsize = 90000', "size=90000"),
        (
            'base = "maco"\nparameterization = { name = "maco", magnitude = "/etc/x.npy" }',
            "outside",
        ),
        ('base = "distill"\nnothing = 1', "nothing that a preset has"),
        ("steps = = 2", "TOML"),
    ],
)
def test_a_preset_in_a_picture_is_checked_before_it_runs(
    text, sentence, embedded, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    result = convscope.visualize(embedded, "blocks.1:3", steps=1, size=24)
    result.provenance["arguments"] |= {"preset": text, "steps": None, "size": None}
    result.save("forged.png")
    with pytest.raises(ConvscopeError, match=sentence):
        convscope.rerun("forged.png")


def test_every_verb_of_synthesis_has_each_parameter_by_name():
    """Those that its images have: dreams and fooling images start from a photo, not from noise."""
    by_name = {"steps", "optimizer", "rate", "normalize", "transforms", "jitter", "regularizers"}
    by_name |= {"l2", "blur", "blur_every", "snapshots", "show_every", "seed", "preset"}
    for name in ("visualize", "class_image", "invert", "caricature", "dream", "fool"):
        parameters = {option.name for option in schema_of(name).options}
        wanted = by_name | (set() if name in ("dream", "fool") else {"noise", "parameterization"})
        assert wanted <= parameters, name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("steps = ", "cannot be read as TOML"),
        ("steps = 3", "does not say 'parameterization'"),
        ('base = "nothing"', "is no preset"),
        ('base = "distill"\nsteps = 0', "steps must be 1 or more"),
        ('base = "distill"\nstep = 3', "'step' is nothing that a preset has"),
        ('base = "distill"\n[optimization]\nrate = -1', "rate must be above 0"),
        ('base = "distill"\ntransforms = [{ name = "shake" }]', "no transform 'shake'"),
        ('base = "distill"\ntransforms = [{ name = "pad", pxels = 3 }]', "no option 'pxels'"),
        ('base = "distill"\nregularizers = [{ name = "l1", weight = "much" }]', "is a number"),
    ],
)
def test_a_file_that_is_no_preset_is_refused_in_one_sentence(text, sentence, tmp_path):
    path = tmp_path / "my.toml"
    path.write_text(text)
    with pytest.raises(OptionError, match=sentence):
        Settings(str(path), "visualize")


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(OptionError, match="cannot be read"):
        Settings(str(tmp_path / "none.toml"), "visualize")


def test_what_went_wrong_is_said_in_the_table():
    model = plain()
    still = convscope.dream(model, PHOTO, layer="second", octaves=1, steps=2, rate=1e-9)
    assert "did not change" in still.table[0]["note"]
    far = convscope.invert(model, PHOTO, layer="second", preset="cs231n", steps=4, rate=1e9, blur=0)
    assert "error rose" in far.table[0]["note"]
    assert far.details["notes"] == [far.table[0]["note"]]
    row = convscope.fool(model, PHOTO, target=1, steps=1, rate=1e-9).table[0]
    answer = row["before"]
    assert ("nothing of the change" in row["note"]) or answer == row["target"]
    index = int(answer.split()[-1])
    same = convscope.fool(model, PHOTO, target=index, steps=1).table[0]
    assert not same["fooled"]
    assert "already" in same["note"]
