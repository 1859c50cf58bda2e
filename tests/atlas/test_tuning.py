"""Tuning curves: filters that were planted in a network are found again."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import convscope
from convscope.atlas.unit_cards.stimuli import registry
from convscope.atlas.unit_cards.stimuli.hue import HUES, hue_color, lab_color
from convscope.atlas.unit_cards.stimuli.peaks import peak
from convscope.atlas.unit_cards.stimuli.stimulus_kind import selectivity
from convscope.atlas.unit_cards.tuning import measure_tuning

KERNEL = 21


def gabor(orientation: float, frequency: float, phase: float) -> torch.Tensor:
    """Daugman's (1985) filter, written anew: bars at `orientation` degrees counterclockwise."""
    angle = math.radians(orientation)
    grid = torch.arange(KERNEL) - KERNEL // 2
    down, right = torch.meshgrid(grid, grid, indexing="ij")
    along = right * math.sin(angle) + down * math.cos(angle)
    width = 0.45 / frequency
    envelope = torch.exp(-(down**2 + right**2) / (2 * width**2))
    return envelope * torch.cos(2 * math.pi * frequency * along + phase)


def curves(network, layer="0", size=64):
    model = convscope.load_model(network.eval(), size=size, labels=["x", "y"])
    responses = measure_tuning(model, [layer])
    return lambda unit: {curve.kind: curve for curve in responses.curves(layer, unit)}


def network_of(kernels, stride=1, act: nn.Module | None = None):
    """A network whose first convolution holds the kernels (n 3 k k)."""
    conv = nn.Conv2d(3, len(kernels), kernels.shape[-1], stride, kernels.shape[-1] // 2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(kernels)
    layers = [conv, act or nn.Identity(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*layers, nn.Linear(len(kernels), 2))


@pytest.mark.parametrize(("stride", "layer"), [(3, "0"), (2, "1")])
def test_planted_gabors_are_found(stride, layer):
    """Within 5 degrees and a tenth of an octave, whatever the stride and behind a ReLU."""
    generator = np.random.default_rng(stride)
    planted = [
        (float(generator.uniform(0, 180)), 2 ** float(generator.uniform(-3.5, -1.9)), phase)
        for phase in np.linspace(0, math.pi, 12)
    ]
    kernels = torch.stack([gabor(*each)[None].expand(3, -1, -1) for each in planted])
    card = curves(network_of(kernels, stride, nn.ReLU()), layer)
    for unit, (orientation, frequency, _) in enumerate(planted):
        tuned = card(unit)
        (angle,) = tuned["orientation"].preferred
        (found,) = tuned["spatial_frequency"].preferred
        away = abs(angle - orientation) % 180
        assert min(away, 180 - away) < 5, (unit, orientation, angle)
        assert abs(math.log2(found / frequency)) < 0.1, (unit, frequency, found)
        assert tuned["orientation"].selectivity > 0.3


def test_a_planted_hue_is_found_and_counts_as_color():
    gray = np.array(lab_color(0, 0))
    angles = [20.0, 75.0, 140.0, 275.0]
    kernels = [torch.tensor(np.array(hue_color(angle)) - gray).float() for angle in angles]
    network = network_of(torch.stack(kernels)[:, :, None, None])
    card = curves(network, size=48)
    for unit, kernel in enumerate(kernels):
        # The response is a dot product with the color: the same, computed by hand.
        fine = np.arange(0, 360, 0.5)
        dots = [
            float(kernel @ torch.tensor(np.array(hue_color(angle)) - gray).float())
            for angle in fine
        ]
        best = fine[int(np.argmax(dots))]
        (angle,) = card(unit)["hue"].preferred
        away = abs(angle - best) % 360
        assert min(away, 360 - away) < 8
        (share,) = card(unit)["color_against_shape"].preferred
        assert share > 0.9


def test_the_size_of_a_center_with_a_surround_is_found():
    kernels = []
    for diameter in (6, 12):
        grid = torch.arange(KERNEL) - KERNEL // 2
        distance = torch.hypot(grid[:, None].float(), grid[None].float())
        center = (distance <= diameter / 2).float()
        surround = ((distance > diameter / 2) & (distance <= 12)).float()
        kernels.append(center / center.sum() - surround / surround.sum())
    card = curves(network_of(torch.stack(kernels)[:, None].expand(-1, 3, -1, -1)), size=65)
    for unit, diameter in enumerate((6, 12)):
        (measured,) = card(unit)["size"].preferred
        assert abs(math.log2(measured / diameter)) < 0.3


class Corner(nn.Module):
    """Unit 0 sees the upper left ninth of the image only, unit 1 all of it."""

    def __init__(self):
        super().__init__()
        self.units = nn.Identity()

    def forward(self, image):
        darkness = (image - 0.5).abs().mean(1)
        part = darkness[:, :16, :16].mean((1, 2))
        return self.units(torch.stack([part, darkness.mean((1, 2))], 1))


def test_position_is_told_from_indifference():
    card = curves(Corner(), "units", size=48)
    corner, everywhere = card(0)["position"], card(1)["position"]
    assert max(corner.preferred) < 0.34
    assert corner.selectivity > 0.5
    assert everywhere.text == "anywhere"
    assert everywhere.preferred == pytest.approx((0.5, 0.5), abs=0.02)


def test_color_against_shape_is_the_share_of_the_main_effects():
    tune = registry.get("color_against_shape")((32, 32)).tune
    color_only = np.repeat(np.arange(8.0), 8)
    assert tune(color_only).preferred == (1.0,)
    assert tune(np.tile(np.arange(8.0), 8)).preferred == (0.0,)
    both = np.add.outer(2 * np.arange(8.0), np.arange(8.0)).ravel()
    assert tune(both).preferred == pytest.approx((0.8,))


def test_a_unit_that_answers_nothing_prefers_nothing():
    card = curves(network_of(torch.zeros(1, 3, 3, 3)), size=32)
    for curve in card(0).values():
        assert (curve.preferred, curve.selectivity, curve.peak) == ((), 0.0, 0.0)
        assert curve.text == "none"


def test_selectivity_is_lifetime_sparseness():
    assert selectivity(np.ones(10)) == 0
    assert selectivity(np.eye(10)[3]) == 1
    # Vinje and Gallant: (1 - mean^2 / mean of squares) / (1 - 1/n), for 1, 2, 3 by hand.
    assert selectivity(np.array([1.0, 2.0, 3.0])) == pytest.approx((1 - 4 / (14 / 3)) / (2 / 3))


def test_the_peak_of_a_bell_is_exact_between_its_points():
    places = np.array([1.0, 2.0, 4.0, 7.0])
    bell = np.exp(-((places - 2.7) ** 2))
    assert peak(places, bell) == pytest.approx(2.7)
    around = np.array(HUES)
    wave = np.exp(np.cos(np.radians(around - 352)))
    assert peak(around, wave, period=360.0) == pytest.approx(352, abs=1)


def test_every_kind_draws_what_it_says():
    for name in registry:
        kind = registry.get(name)((40, 48))
        images = torch.cat([kind.stimuli.draw(place) for place in range(kind.stimuli.conditions)])
        assert images.shape[1:] == (3, 40, 48)
        assert images.equal(images.clamp(0, 1))
        assert len(kind.tune(np.ones(kind.stimuli.conditions)).curve) == len(kind.points)
