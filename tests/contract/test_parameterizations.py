"""Every registered parameterization: in (0, 1), with gradients everywhere, at any size, and nothing
shared that should not be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import convscope
from convscope.errors import OptionError
from convscope.synthesis import parameterizations
from convscope.synthesis.parameterizations.maco import (
    _moments,
    _Standardized,
    _Turned,
    measure_magnitude,
)
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.settings import Settings
from tests.small_networks import Trunk

NAMES = parameterizations.registry.names()
ALONE = [name for name in NAMES if not parameterizations.registry.traits(name).together]
SHAPES = [(2, 3, 32, 32), (2, 3, 21, 34), (1, 1, 33, 19), (2, 6, 16, 23), (1, 3, 5, 9)]
CLOSE = {"cppn": 0.03}
"""How near a photo the start must be; a CPPN adds a little of its own so that all its layers have a
gradient."""

ENDS = {"fourier", "shared", "transparent"}
"""Real spectra: the imaginary parts of the lowest and highest frequencies are no part of a real
image."""


def make(name, shape, keys="abcdef", **options):
    if parameterizations.registry.traits(name).network_units:
        torch.manual_seed(0)
        channels = shape[1]
        options["model"] = convscope.load_model(
            Trunk(channels), size=shape[2:], mean=[0.4] * channels, std=[0.3] * channels
        )
    return parameterizations.registry.get(name)(
        shape, RandomStreams.of(7, list(keys[: shape[0]])), **options
    )


def photo(shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 0.98 + 0.01


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_images_of_the_asked_shape_inside_0_and_1(name, shape):
    image = make(name, shape)().detach()
    more = parameterizations.registry.traits(name).alpha
    assert image.shape == (shape[0], shape[1] + more, *shape[2:])
    assert image.dtype == torch.float32
    assert float(image.min()) > 0
    assert float(image.max()) < 1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_gradient_reaches_everything_and_a_step_moves_every_pixel(name, shape):
    parameterization = make(name, shape)
    weights = list(parameterization.parameters())
    before = parameterization().detach().clone()
    pull = torch.randn(before.shape, generator=torch.Generator().manual_seed(1))
    (parameterization() * pull).sum().backward()
    for weight in weights:
        zero = (weight.grad == 0).float().mean()
        assert zero <= (0.5 if name in ENDS else 0), "a part without gradient"
        assert torch.isfinite(weight.grad).all()
    torch.optim.Adam(weights, 0.01).step()
    if hasattr(parameterization, "project"):
        parameterization.project()
    after = parameterization().detach()
    # Pixels that were clipped and are pulled further stay where they are.
    assert (after != before).float().mean() > (0.8 if name == "network_pixels" else 0.98)
    assert float(after.min()) > 0
    assert float(after.max()) < 1


@pytest.mark.parametrize("name", NAMES)
def test_ascent_on_pixels_raises_what_is_asked(name):
    parameterization = make(name, (2, 3, 24, 17))
    wanted = photo((2, parameterization().shape[1], 24, 17), 5)
    optimizer = torch.optim.Adam(parameterization.parameters(), 0.02)
    distances = []
    for _ in range(12):
        optimizer.zero_grad()
        distance = (parameterization() - wanted).pow(2).mean()
        distance.backward()
        optimizer.step()
        distances.append(distance.item())
    assert distances[-1] < distances[0]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_start_reproduces_a_photo(name, shape):
    start = photo(shape)
    kept = start.clone()
    actual = make(name, shape, start=start)().detach()[:, : shape[1]]
    assert float((actual - start).abs().max()) < CLOSE.get(name, 1e-3)
    assert torch.equal(start, kept)


@pytest.mark.parametrize("name", ALONE)
def test_an_image_depends_on_its_own_stream_only(name):
    shape = (3, 3, 18, 25)
    together, turned, alone = (
        make(name, shape, "abc")(),
        make(name, shape, "cab")(),
        make(name, (1, *shape[1:]), "b")(),
    )
    torch.testing.assert_close(turned, together[[2, 0, 1]], atol=1e-6, rtol=0)
    torch.testing.assert_close(alone, together[1:2], atol=1e-6, rtol=0)
    assert (together[0] != together[1]).float().mean() > 0.9


@pytest.mark.parametrize("name", ALONE)
def test_no_gradient_runs_from_one_image_to_another(name):
    parameterization = make(name, (2, 3, 12, 15))
    parameterization()[0].sum().backward()
    for weight in parameterization.parameters():
        assert not weight.grad[1].any()


@pytest.mark.parametrize("name", NAMES)
def test_same_streams_same_bytes(name):
    assert torch.equal(make(name, (2, 3, 14, 15))(), make(name, (2, 3, 14, 15))())


def test_shared_base_is_in_every_image_and_does_not_depend_on_the_order():
    parameterization = make("shared", (3, 3, 24, 24))
    assert [weight.shape[0] for weight in parameterization.parameters()] == [1, 3]
    parameterization()[0].sum().backward()
    assert parameterization.base.spectrum.grad.any()
    assert not parameterization.residual.spectrum.grad[1:].any()
    turned = make("shared", (3, 3, 24, 24), "cab")
    torch.testing.assert_close(turned(), parameterization()[[2, 0, 1]], atol=1e-6, rtol=0)


def test_fourier_of_a_single_wave():
    """A real spectrum with one entry v at frequency (0, k) of an n x n image is a cosine of height
    2 v s / n, s = n / k / 4."""
    size, k, v = 16, 2, 0.5
    parameterization = make("fourier", (1, 1, size, size), sd=0.0)
    with torch.no_grad():
        next(parameterization.parameters())[0, 0, 0, k, 0] = v
    height = 2 * v * (size / k / 4) / size
    wave = height * torch.cos(2 * torch.pi * k * torch.arange(size) / size)
    torch.testing.assert_close(
        parameterization()[0, 0], torch.sigmoid(wave).expand(size, size), atol=1e-5, rtol=0
    )


def rms(image):
    return torch.logit(image.detach().double()).square().mean((1, 2, 3)).sqrt()


def test_fourier_with_a_bound_has_no_more_contrast_and_the_same_form():
    free = make("fourier", (2, 3, 24, 24), sd=2.0)
    bound = make("fourier", (2, 3, 24, 24), sd=2.0, max_rms=0.85)
    assert (rms(free()) > 1).all()
    torch.testing.assert_close(rms(bound()), torch.full((2,), 0.85).double(), atol=1e-4, rtol=0)
    ratio = torch.logit(bound().detach()) / torch.logit(free().detach())
    torch.testing.assert_close(
        ratio, ratio.mean((1, 2, 3), keepdim=True).expand_as(ratio), atol=1e-3, rtol=1e-2
    )
    # What has less is left as it is, gray too, whose gradient is finite.
    faint = make("fourier", (1, 3, 24, 24), sd=0.01)
    same = make("fourier", (1, 3, 24, 24), sd=0.01, max_rms=0.85)
    torch.testing.assert_close(faint(), same())
    gray = make("fourier", (1, 3, 24, 24), sd=0.0, max_rms=0.85)
    gray()[0, 0, 3, 3].backward()
    assert all(torch.isfinite(weight.grad).all() for weight in gray.parameters())


def test_fourier_with_a_bound_keeps_the_photo_it_starts_from():
    photo = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    photo[1] = 0.5 + (photo[1] - 0.5) * 0.1
    started = make("fourier", (2, 3, 24, 24), start=photo, max_rms=0.85)
    torch.testing.assert_close(started().detach(), photo, atol=1e-3, rtol=0)


def test_decorrelated_colors_move_all_three_channels_together():
    """The first column of Lucid's matrix is nearly gray: a step in it brightens red, green and blue
    alike."""
    parameterization = make("fourier", (1, 3, 8, 8), sd=0.0)
    with torch.no_grad():
        next(parameterization.parameters())[0, 0, 0, 0, 0] = 1.0
    red, green, blue = torch.logit(parameterization().detach())[0, :, 0, 0].tolist()
    assert red / green == pytest.approx(26 / 27, rel=1e-3)
    assert blue / green == pytest.approx(1, rel=1e-3)


def test_laplacian_sum_by_hand():
    """Only the smallest size, all one value v; its weight is 0.25 doubled twice: the whole image is
    sigmoid(v)."""
    parameterization = make("laplacian", (1, 1, 17, 24), sd=0.0, decay=1.0)
    sizes = [tuple(part.shape[-2:]) for part in parameterization.parameters()]
    assert sizes == [(17, 24), (9, 12), (5, 6)]
    with torch.no_grad():
        list(parameterization.parameters())[-1].fill_(1.5)
    torch.testing.assert_close(
        parameterization(), torch.full((1, 1, 17, 24), 1 / (1 + np.exp(-1.5)), dtype=torch.float32)
    )


def test_laplacian_with_one_level_is_plain_pixels():
    assert len(list(make("laplacian", (1, 3, 32, 32), levels=1).parameters())) == 1


def test_cppn_paints_the_same_picture_at_another_size():
    """Of three times as many pixels the middle one of each three has the same coordinates."""
    parameterization = make("cppn", (2, 3, 7, 5))
    torch.testing.assert_close(
        parameterization.render(21, 15)[:, :, 1::3, 1::3], parameterization(), atol=1e-5, rtol=0
    )


def test_macos_written_out_gradients_are_those_of_the_formulas():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(2, 3, 5, 4, generator=generator, dtype=torch.float64).requires_grad_()
    center, spread, magnitude = (
        torch.rand(shape, generator=generator, dtype=torch.float64) + 0.5
        for shape in [(2, 1, 1, 1)] * 2 + [(3, 5, 4)]
    )
    mean, deviation = _moments(values)
    torch.testing.assert_close(
        _Standardized.apply(values, center, spread), (values - mean) / deviation * spread + center
    )
    torch.testing.assert_close(
        _Turned.apply(magnitude, values),
        torch.polar(magnitude.expand_as(values).contiguous(), values),
    )
    assert torch.autograd.gradcheck(lambda each: _Standardized.apply(each, center, spread), values)
    assert torch.autograd.gradcheck(lambda each: _Turned.apply(magnitude, each), values)


def test_maco_climbs_by_phase_alone():
    parameterization = make("maco", (1, 1, 20, 31))
    assert [weight.shape for weight in parameterization.parameters()] == [(1, 1, 20, 16)]

    def spectrum():
        return torch.fft.rfft2(torch.logit(parameterization().detach().double())).abs()[0, 0]

    before = spectrum()
    optimizer = torch.optim.NAdam(parameterization.parameters(), 1.0)
    for _ in range(3):
        optimizer.zero_grad()
        (parameterization() * photo((1, 1, 20, 31), 3)).sum().backward()
        optimizer.step()
    after = spectrum()
    # Only ratios are fixed: the image is standardized. Entries that stand for themselves (column 0)
    # lose their imaginary part.
    share = (after / before)[:, 1:]
    torch.testing.assert_close(share / share.mean(), torch.ones_like(share), atol=2e-3, rtol=0)
    # 1 / frequency: twice as fine, half as strong.
    assert float(after[0, 4] / after[0, 8]) == pytest.approx(2, rel=1e-3)


def test_maco_with_a_measured_magnitude(tmp_path):
    """Photos of one wave only: the image is that wave, at any size and wherever the phase puts
    it."""
    place = torch.arange(256)
    wave = 0.5 + 0.2 * torch.cos(2 * torch.pi * 32 * place / 256).expand(1, 1, 256, 256)
    path = tmp_path / "magnitude.npy"
    actual = measure_magnitude(wave, path)
    assert actual.shape == (1, 256, 129)
    assert int(actual[0, 0].argmax()) == 32
    parameterization = make("maco", (1, 1, 64, 48), magnitude=str(path))
    seen = torch.fft.rfft2(torch.logit(parameterization().detach())).abs()[0, 0]
    # 32 cycles in 256 pixels are 6 in 48.
    assert divmod(int(seen.argmax()), 25) == (0, 6)
    with pytest.raises(OptionError, match="3 channels"):
        make("maco", (1, 3, 64, 48), magnitude=str(path))
    with pytest.raises(OptionError, match="cannot be read"):
        make("maco", (1, 3, 64, 48), magnitude=str(tmp_path / "none.npy"))


def test_maco_measured_from_one_over_f_is_one_over_f(tmp_path):
    """A measured magnitude that is 1 / frequency gives what the default gives, at another size."""
    rows, columns = torch.fft.fftfreq(256)[:, None], torch.fft.rfftfreq(256)[None]
    magnitude = 1 / (rows**2 + columns**2).sqrt().clamp_min(1 / 256)
    np.savez(tmp_path / "m.npz", magnitude=magnitude.expand(3, -1, -1).numpy())
    measured, plain = (
        make("maco", (1, 3, 40, 31), magnitude=str(tmp_path / "m.npz"))(),
        make("maco", (1, 3, 40, 31))(),
    )
    torch.testing.assert_close(measured, plain, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({}, 0.05),
        ({"parameterization": "cppn"}, 0.002),
        ({"parameterization": "cppn", "rate": 0.01}, 0.01),
    ],
)
def test_a_parameterization_brings_its_own_rate_where_none_is_given(options, rate):
    assert Settings("lucid", "visualize", **options).config.rate == rate


@pytest.mark.parametrize("content", [b"PK\x03\x04 and no archive", b"\x93NUMPY", b"", b"{"])
def test_maco_with_a_damaged_magnitude(tmp_path, content):
    path = tmp_path / "magnitude.npz"
    path.write_bytes(content)
    with pytest.raises(OptionError, match="cannot be read as an array"):
        make("maco", (1, 3, 64, 48), magnitude=str(path))


def test_maco_with_an_archive_of_no_arrays(tmp_path):
    path = tmp_path / "magnitude.npz"
    np.savez(path)
    with pytest.raises(OptionError, match="cannot be read as an array"):
        make("maco", (1, 3, 64, 48), magnitude=str(path))
