"""Every registered transform: nothing at strength 0, the same from the same streams,
differentiable, each image for itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from convscope.errors import OptionError
from convscope.synthesis import transforms
from convscope.synthesis.config import PartSpec
from convscope.synthesis.random import RandomStreams
from convscope.synthesis.transforms import Frame, apply, resample
from convscope.synthesis.transforms.blur import smooth

NAMES = transforms.registry.names()
NOTHING = {
    "blur": {"sigma": 0.0},
    "crop": {"count": 1, "low": 1.0, "high": 1.0},
    "flip": {"probability": 0.0},
    "jitter": {"pixels": 0},
    "noise": {"uniform": 0.0, "normal": 0.0},
    "pad": {"pixels": 0},
    "roll": {"pixels": 0},
    "rotate": {"degrees": 0.0},
    "scale": {"low": 1.0, "high": 1.0},
    "translate": {"pixels": 0},
}
SOMETHING = {
    "blur": {"sigma": 1.0},
    "crop": {"count": 3, "low": 0.3, "high": 0.6},
    "composite": {"sd": 0.5},
    "flip": {"probability": 0.5},
    "jitter": {"pixels": 6},
    "noise": {"uniform": 0.1, "normal": 0.1},
    "pad": {"pixels": 3},
    "roll": {"pixels": 5},
    "rotate": {"degrees": 20.0},
    "scale": {"low": 0.7, "high": 1.3},
    "translate": {"pixels": 4},
}
SHAPE = (3, 3, 20, 27)


def photos(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*(shape or SHAPE), generator=torch.Generator().manual_seed(seed))


def given(name: str) -> Tensor:
    """Images as the transform takes them: with opacity where it reads it."""
    more = transforms.registry.traits(name).alpha
    return photos(SHAPE[0], SHAPE[1] + more, *SHAPE[2:])


def run(name: str, images: Tensor, keys: str = "abc", **options) -> Tensor:
    return apply(images, RandomStreams.of(3, list(keys)), [PartSpec(name, options)])


def through(matrix: Tensor, images: Tensor, fill: float = 0.5) -> Tensor:
    """Images seen through a map of the plane, 3 x 3."""
    return resample(images, Frame(matrix.expand(len(images), 3, 3), tuple(images.shape[-2:]), fill))


def test_every_transform_is_tried_here():
    assert set(SOMETHING) == set(NAMES)
    assert set(NAMES) - set(NOTHING) == {"composite"}


@pytest.mark.parametrize("name", NOTHING)
def test_nothing_at_strength_0(name):
    images = photos()
    assert torch.equal(run(name, images, **NOTHING[name]), images)


def test_an_opaque_image_hides_every_background_and_a_clear_one_none():
    images = photos(2, 4, 16, 16)
    images[0, 3], images[1, 3] = 1, 0
    transformed = run("composite", images, "ab")
    assert torch.equal(transformed[0], images[0, :3])
    assert not torch.isclose(transformed[1], images[1, :3]).any(0).all()
    gray = run("composite", images, "ab", sd=0.0)[1]
    torch.testing.assert_close(gray, torch.full_like(gray, 0.5))


def test_half_opaque_is_half_of_each():
    images = torch.zeros(1, 4, 8, 8)
    images[:, :3], images[:, 3] = 0.9, 0.25
    torch.testing.assert_close(
        run("composite", images, "a", sd=0.0), torch.full((1, 3, 8, 8), 0.25 * 0.9 + 0.75 * 0.5)
    )


@pytest.mark.parametrize("name", NAMES)
def test_repeats_with_the_same_streams_and_changes_with_the_next_draw(name):
    images = given(name)
    assert torch.equal(run(name, images, **SOMETHING[name]), run(name, images, **SOMETHING[name]))
    if name not in ("blur", "pad"):
        streams = RandomStreams.of(3, list("abc"))
        drawn = [apply(images, streams, [PartSpec(name, SOMETHING[name])]) for _ in range(4)]
        assert not all(torch.equal(drawn[0], other) for other in drawn[1:])


@pytest.mark.parametrize("name", NAMES)
def test_each_image_is_transformed_by_its_own_stream(name):
    images = given(name)
    together = run(name, images, **SOMETHING[name])
    copies = len(together) // len(images)
    alone = run(name, images[1:2], "b", **SOMETHING[name])
    torch.testing.assert_close(alone, together[copies : 2 * copies], atol=1e-6, rtol=0)
    turned = run(name, images[[2, 0, 1]], "cab", **SOMETHING[name])
    torch.testing.assert_close(
        turned,
        together.reshape(3, copies, *together.shape[1:])[[2, 0, 1]].flatten(0, 1),
        atol=1e-6,
        rtol=0,
    )


@pytest.mark.parametrize("name", NAMES)
def test_gradient_is_what_small_changes_do(name):
    images = given(name)[:1].requires_grad_()
    weights = torch.randn(
        run(name, images.detach(), "a", **SOMETHING[name]).shape,
        generator=torch.Generator().manual_seed(2),
    )

    def value(x: Tensor) -> Tensor:
        return (run(name, x, "a", **SOMETHING[name]) * weights).sum()

    (gradient,) = torch.autograd.grad(value(images), images)
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        slope = (value(images + 0.05 * direction) - value(images - 0.05 * direction)) / 0.1
    # All are linear in the image, but for composite, where the change of the product is small.
    assert slope.item() == pytest.approx((gradient * direction).sum().item(), rel=2e-2, abs=0.05)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if transforms.registry.traits(name).affine]
)
def test_affine_ones_alone_or_multiplied_out_agree_in_the_middle(name):
    """Two in one resampling are what one after the other gives, but for the smoothing of a second
    resampling."""
    images = smooth(photos(2, 3, 40, 40), 3)
    second = PartSpec("jitter", {"pixels": 4})
    once = apply(images, RandomStreams.of(0, ["a", "b"]), [PartSpec(name, SOMETHING[name]), second])
    streams = RandomStreams.of(0, ["a", "b"])
    twice = apply(apply(images, streams, [PartSpec(name, SOMETHING[name])]), streams, [second])
    assert once.shape == twice.shape
    middle = slice(12, -12)
    torch.testing.assert_close(
        once[..., middle, middle], twice[..., middle, middle], atol=5e-3, rtol=0
    )


@pytest.mark.parametrize("pixels", [4, 3])
def test_jitter_cuts_at_every_whole_pixel(pixels):
    images = photos(60, 1, 15, 12)
    moved = run("jitter", images, [str(n) for n in range(60)], pixels=pixels)
    assert moved.shape == (60, 1, 15 - pixels, 12 - pixels)
    seen = set()
    for before, after in zip(images[:, 0], moved[:, 0], strict=True):
        actual = [
            (down, right)
            for down in range(pixels + 1)
            for right in range(pixels + 1)
            if torch.allclose(
                after, before[down : down + 15 - pixels, right : right + 12 - pixels], atol=1e-4
            )
        ]
        assert len(actual) == 1
        seen |= set(actual)
    assert {down for down, _ in seen} == {right for _, right in seen} == set(range(pixels + 1))


def test_jitter_that_leaves_nothing_is_said():
    with pytest.raises(OptionError, match="leaves nothing of an image of 15 x 12"):
        run("jitter", photos(1, 1, 15, 12), "a", pixels=12)


def test_translate_moves_by_every_whole_pixel_and_black_comes_in():
    images = photos(200, 1, 9, 12) / 2 + 0.5
    moved = run("translate", images, [str(n) for n in range(200)], pixels=2)
    assert moved.shape == images.shape
    seen = set()
    for before, after in zip(images[:, 0], moved[:, 0], strict=True):
        framed = torch.nn.functional.pad(before, [2] * 4)
        actual = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if torch.allclose(
                after, framed[2 - down : 11 - down, 2 - right : 14 - right], atol=1e-4
            )
        ]
        assert len(actual) == 1
        seen |= set(actual)
    assert len(seen) == 25


def test_translate_is_what_torchvision_does():
    from torchvision.transforms.v2.functional import affine

    images = photos(1, 3, 20, 27)
    moved = run("translate", images, "a", pixels=4)
    peers = [
        affine(images, angle=0.0, translate=[right, down], scale=1.0, shear=[0.0])
        for down in range(-4, 5)
        for right in range(-4, 5)
    ]
    assert sum(torch.allclose(moved, peer, atol=1e-4) for peer in peers) == 1


def test_what_lies_beyond_is_the_fill():
    transformed = resample(
        torch.ones(1, 1, 4, 4),
        Frame(torch.tensor([[[1.0, 0, 2], [0, 1, 0], [0, 0, 1]]]), (4, 4), 0.25),
    )
    torch.testing.assert_close(
        transformed[0, 0], torch.tensor([[1.0, 1.0, 0.25, 0.25]]).expand(4, 4)
    )


def test_roll_brings_back_on_one_side_what_leaves_the_other():
    images = photos(20, 2, 9, 7)
    moved = run("roll", images, [str(n) for n in range(20)], pixels=3)
    for before, after in zip(images, moved, strict=True):
        assert any(
            torch.equal(after, before.roll((down, right), (1, 2)))
            for down in range(-3, 4)
            for right in range(-3, 4)
        )


def test_pad_puts_a_gray_border_around():
    transformed = run("pad", photos(), pixels=2, fill=0.25)
    assert transformed.shape == (3, 3, 24, 31)
    torch.testing.assert_close(transformed[..., 2:-2, 2:-2], photos(), atol=1e-5, rtol=0)
    for edge in (
        transformed[..., :2, :],
        transformed[..., -2:, :],
        transformed[..., :2],
        transformed[..., -2:],
    ):
        torch.testing.assert_close(edge, torch.full_like(edge, 0.25))


def test_pad_can_mirror():
    images = photos(1, 1, 4, 4)
    transformed = run("pad", images, "a", pixels=2, fill=None)
    torch.testing.assert_close(
        transformed[0, 0, 2:-2, :2], images[0, 0, :, :2].flip(1), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("size", [(16, 16), (15, 15)])
def test_a_quarter_turn_is_rot90(size):
    images = photos(2, 3, *size)
    turn = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    # The view's right is the image's down: the view is the image turned against the clock.
    torch.testing.assert_close(
        through(turn, images), torch.rot90(images, 1, (2, 3)), atol=1e-5, rtol=0
    )


def test_rotate_draws_angles_up_to_the_limit_and_keeps_lengths():
    streams = RandomStreams.of(0, [str(n) for n in range(200)])
    frame = transforms.registry.get("rotate")(
        Frame(torch.eye(3).expand(200, 3, 3), (8, 8)), streams, degrees=10.0
    )
    angle = torch.atan2(frame.matrix[:, 1, 0], frame.matrix[:, 0, 0]) * 180 / math.pi
    assert float(angle.abs().max()) <= 10
    assert float(angle.min()) < -9
    assert float(angle.max()) > 9
    torch.testing.assert_close(torch.linalg.det(frame.matrix), torch.ones(200))


def test_scale_2_shows_the_middle_half():
    """Bilinear at a factor of 2: the view's pixels lie at quarters between the image's, 3/4 of the
    nearer and 1/4 of the other."""
    row = torch.arange(8.0)
    transformed = run("scale", row.expand(1, 1, 8, 8), "a", low=2.0, high=2.0)
    torch.testing.assert_close(
        transformed[0, 0, 0],
        torch.tensor([1.75, 2.25, 2.75, 3.25, 3.75, 4.25, 4.75, 5.25]),
        atol=1e-5,
        rtol=0,
    )


def test_scale_chooses_from_the_choices():
    streams = RandomStreams.of(0, [str(n) for n in range(60)])
    frame = transforms.registry.get("scale")(
        Frame(torch.eye(3).expand(60, 3, 3), (8, 8)), streams, choices=(0.5, 1.0, 2.0)
    )
    assert sorted({round(1 / value, 4) for value in frame.matrix[:, 0, 0].tolist()}) == [
        0.5,
        1.0,
        2.0,
    ]


def test_flip_mirrors_about_half():
    images = photos(60, 1, 5, 6)
    transformed = run("flip", images, [str(n) for n in range(60)], probability=0.5)
    mirrored = [
        torch.allclose(after, before.flip(2), atol=1e-5)
        for before, after in zip(images, transformed, strict=True)
    ]
    kept = [
        torch.allclose(after, before, atol=1e-5)
        for before, after in zip(images, transformed, strict=True)
    ]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 18 <= sum(mirrored) <= 42
    torch.testing.assert_close(
        run("flip", images[:1], "a", probability=1.0), images[:1].flip(3), atol=1e-5, rtol=0
    )


def test_a_crop_is_a_square_piece_enlarged():
    """On a ramp in both directions a piece of share s is a ramp of slope s."""
    size, share = 32, 0.25
    ramp = torch.stack(
        [
            torch.arange(size).float()[:, None].expand(size, size),
            torch.arange(size).float().expand(size, size),
        ]
    )
    transformed = run("crop", ramp[None], "a", count=5, low=share, high=share)
    assert transformed.shape == (5, 2, size, size)
    inside = transformed[:, :, 4:-4, 4:-4]
    torch.testing.assert_close(
        inside[:, 0].diff(dim=1), torch.full((5, 23, 24), share), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(
        inside[:, 1].diff(dim=2), torch.full((5, 24, 23), share), atol=1e-3, rtol=0
    )
    assert run("crop", ramp[None], "a", count=2, low=0.5, high=0.5, size=10).shape == (2, 2, 10, 10)


def test_shrinking_crops_go_from_high_to_low():
    size = 64
    ramp = torch.arange(size).float().expand(1, 1, size, size)
    sides = []
    for progress in (0.0, 1.0):
        streams = RandomStreams.of(0, ["a"])
        streams.progress = progress
        transformed = apply(
            ramp,
            streams,
            [PartSpec("crop", {"count": 200, "low": 0.1, "high": 0.5, "shrink": True})],
        )
        sides.append(transformed[:, 0, 0].diff(dim=1).abs().median().item())
    assert sides[0] == pytest.approx(0.5, abs=0.05)
    assert sides[1] == pytest.approx(0.1, abs=0.05)


def test_blur_spreads_a_point_by_the_normal_curve():
    point = torch.zeros(1, 1, 31, 31)
    point[0, 0, 15, 15] = 1
    transformed = run("blur", point, "a", sigma=2.0)[0, 0]
    assert float(transformed.sum()) == pytest.approx(1, abs=1e-5)
    assert float(transformed[15, 17] / transformed[15, 15]) == pytest.approx(
        math.exp(-0.5), rel=1e-4
    )
    assert float(transformed[18, 17] / transformed[15, 15]) == pytest.approx(
        math.exp(-13 / 8), rel=1e-4
    )


def test_noise_has_the_asked_spread():
    gray = torch.full((1, 1, 200, 200), 0.5)
    normal = run("noise", gray, "a", normal=0.1) - gray
    assert float(normal.std()) == pytest.approx(0.1, rel=0.02)
    uniform = run("noise", gray, "a", uniform=0.1) - gray
    assert float(uniform.abs().max()) <= 0.1
    assert float(uniform.std()) == pytest.approx(0.1 / math.sqrt(3), rel=0.02)


def test_transforms_after_crops_see_every_crop():
    images = photos(2, 3, 16, 16)
    transformed = apply(
        images,
        RandomStreams.of(0, ["a", "b"]),
        [
            PartSpec("crop", {"count": 3, "low": 0.5, "high": 0.5}),
            PartSpec("noise", {"normal": 0.1}),
        ],
    )
    assert transformed.shape == (6, 3, 16, 16)
    assert len({tuple(row) for row in (transformed[:, 0, 0, :3] * 1e4).round().tolist()}) == 6


@pytest.mark.parametrize("name", ["jitter", "rotate", "scale", "flip", "pad", "roll", "crop"])
def test_transforms_after_crops_run(name):
    images = photos(2, 3, 16, 16)
    transformed = apply(
        images,
        RandomStreams.of(0, ["a", "b"]),
        [PartSpec("crop", {"count": 3, "low": 0.5, "high": 0.5}), PartSpec(name, SOMETHING[name])],
    )
    assert len(transformed) == 6 * (3 if name == "crop" else 1)
