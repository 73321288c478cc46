"""Augmentations against Pillow and numpy, their chances, and that an image hangs on nothing but itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from jobs.errors import InvalidInput
from jobs.specs.normalise import normalise
from tests.trainer_runs import Sequences, Workshop
from tests.trainer_scripts import complete
from trainer.augmenting import AugmentedColumn, Draw
from trainer.parts import augmentations

Document = dict[str, Any]
BYTES = (0.0, 255.0)


def images(count: int = 3, channels: int = 3, high: int = 24, wide: int = 20) -> np.ndarray:
    found = np.random.default_rng(7).integers(0, 256, (count, channels, high, wide))
    return found.astype(np.float32)


def changed(found: np.ndarray, numbers: list[float] | Draw, kind: str, **settings: Any) -> np.ndarray:
    """What an augmentation makes of images when it draws these numbers of 0 to 1, the same for all."""
    left = iter(numbers if isinstance(numbers, list) else ())

    def draw(low: float, high: float) -> np.ndarray:
        return np.full(len(found), low + (high - low) * next(left))

    document = complete("augmentation", {"type": kind, **settings})
    drawn = numbers if isinstance(numbers, Draw) else draw
    return np.asarray(augmentations.build(document, found.copy(), drawn, BYTES))


def with_pillow(found: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Each channel of each image through Pillow, as numbers that are not rounded."""
    planes = [[np.asarray(change(Image.fromarray(plane))) for plane in image] for image in found]
    return np.array(planes)


def test_flips_are_those_of_pillow() -> None:
    across = changed(images(), [0.0, 0.9], "flip", horizontal=0.5, vertical=0.5)
    assert np.array_equal(across, with_pillow(images(), ImageOps.mirror))
    down = changed(images(), [0.9, 0.0], "flip", horizontal=0.5, vertical=0.5)
    assert np.array_equal(down, with_pillow(images(), ImageOps.flip))
    assert np.array_equal(changed(images(), [0.9, 0.9], "flip"), images())


@pytest.mark.parametrize(("down", "right"), [(0.0, 0.0), (0.5, 0.99), (0.7, 0.3), (0.99, 0.5)])
def test_a_random_crop_is_cut_out_of_the_padded_image(down: float, right: float) -> None:
    found = changed(images(), [down, right], "random_crop", padding=3, fill=9.0)
    padded = np.pad(images(), ((0, 0), (0, 0), (3, 3), (3, 3)), constant_values=9)
    # A number of 0 to 1 is one of the seven places of equal chances.
    top, left = 6 - int(7 * down), 6 - int(7 * right)
    assert np.array_equal(found, padded[:, :, top : top + 24, left : left + 20])


@pytest.mark.parametrize(
    ("side", "stretch", "top", "left"),
    [(0.0, 0.5, 0.0, 0.0), (1.0, 0.5, 0.3, 0.4), (0.3, 0.1, 0.2, 0.9), (0.9, 1.0, 1.0, 0.5)],
)
def test_a_resized_crop_is_that_of_pillow(side: float, stretch: float, top: float, left: float) -> None:
    numbers = [side, stretch, top, left]
    found = changed(images(), numbers, "random_resized_crop", smallest=0.4, largest=0.8, aspect=1.5)
    share, factor = 0.4 + 0.4 * side, 1.5 ** (2 * stretch - 1)
    high, wide = (24 * min(1, share / factor**0.5), 20 * min(1, share * factor**0.5))
    x, y = left * (20 - wide), top * (24 - high)

    def resized(plane: Image.Image) -> Image.Image:
        return plane.resize((20, 24), Image.Resampling.BILINEAR, box=(x, y, x + wide, y + high))

    assert found == pytest.approx(with_pillow(images(), resized), abs=1e-2)


@pytest.mark.parametrize("number", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_a_changed_scale_is_that_of_pillow(number: float) -> None:
    found = changed(images(), [number, 0.3, 0.6], "scale_jitter", factor=1.7, fill=77.0)
    share = 1.7 ** (2 * number - 1)
    x, y = 0.6 * (1 - share) * 20, 0.3 * (1 - share) * 24

    def scaled(plane: Image.Image) -> Image.Image:
        # From places of the result to places of the image.
        there = (share, 0, x, 0, share, y)
        bilinear = Image.Resampling.BILINEAR
        return plane.transform((20, 24), Image.Transform.AFFINE, there, resample=bilinear, fillcolor=77)

    assert found == pytest.approx(with_pillow(images(), scaled), abs=1e-2)
    assert (found == 77).all(axis=(0, 1)).any() == (share > 1)


@pytest.mark.parametrize(
    ("setting", "enhance"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
@pytest.mark.parametrize("number", [0.05, 0.5, 0.9])
def test_each_change_of_colour_is_that_of_pillow(setting: str, enhance: Any, number: float) -> None:
    amounts = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, setting: 0.6}
    found = changed(images(), [number] * 3, "colour_jitter", **amounts)
    for image, ours in zip(images(), found, strict=True):
        picture = Image.fromarray(np.moveaxis(image, 0, -1).astype(np.uint8))
        theirs = np.asarray(enhance(picture).enhance(0.4 + 1.2 * number))
        # Pillow rounds the greys and the result to whole bytes.
        assert np.abs(np.moveaxis(ours, 0, -1) - theirs).max() < 2


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_changes_of_colour_follow_one_another(channels: int) -> None:
    saturation = 0.5 if channels == 3 else 0.0
    settings = {"brightness": 0.4, "contrast": 0.3, "saturation": saturation}
    found = changed(images(channels=channels), [0.8, 0.1, 0.7], "colour_jitter", **settings)
    weights = np.array([0.299, 0.587, 0.114]) if channels == 3 else np.full(channels, 1 / channels)

    def grey(pixels: np.ndarray) -> np.ndarray:
        return np.tensordot(pixels, weights, axes=([1], [0]))[:, None]

    pixels = images(channels=channels).astype(np.float64) * (0.6 + 0.8 * 0.8)
    mean = grey(pixels).mean(axis=(2, 3), keepdims=True)
    pixels = mean + (pixels - mean) * (0.7 + 0.6 * 0.1)
    pixels = grey(pixels) + (pixels - grey(pixels)) * (1 - saturation + 2 * saturation * 0.7)
    assert found == pytest.approx(pixels.clip(0, 255), abs=1e-2)


def test_numbers_are_uniform_and_apart() -> None:
    draw = Draw(5, np.arange(20_000))
    seen = [draw(0.0, 1.0) for _ in range(3)] + [Draw(6, np.arange(20_000))(0.0, 1.0)]
    for numbers in seen:
        counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
        # Chi-square of 19 degrees of freedom: above 43.8 once in a thousand.
        assert ((counts - 1000) ** 2 / 1000).sum() < 43.8
    seen.append(np.roll(seen[0], 1))
    apart = np.corrcoef(seen) - np.eye(len(seen))
    assert np.abs(apart).max() < 0.03


def test_chances_are_as_told() -> None:
    shades = np.tile(np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2), (10_000, 1, 1, 1))
    draw = Draw(3, np.arange(10_000))
    found = changed(shades, draw, "flip", horizontal=0.3, vertical=0.8)
    corners = np.bincount(found[:, 0, 0, 0].astype(int), minlength=4) / 10_000
    assert corners == pytest.approx([0.7 * 0.2, 0.3 * 0.2, 0.7 * 0.8, 0.3 * 0.8], abs=0.02)
    spots = np.zeros((10_000, 1, 9, 9), dtype=np.float32)
    spots[:, :, 4, 4] = 1
    moved = changed(spots, Draw(4, np.arange(10_000)), "random_crop", padding=2).mean(axis=(0, 1))
    assert moved[2:7, 2:7] == pytest.approx(np.full((5, 5), 1 / 25), abs=0.01)
    assert moved.sum() == pytest.approx(1)


class Stored:
    """A column of bytes."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values
        self.shape = values.shape[1:]

    def read(self, rows: np.ndarray, epoch: int | None = None) -> np.ndarray:
        return self.values[rows].astype(np.float32)


EVERY = [
    {"type": "colour_jitter", "saturation": 0.3},
    {"type": "random_resized_crop"},
    {"type": "flip"},
    {"type": "scale_jitter"},
    {"type": "random_crop", "padding": 2},
]


def column(documents: list[Document], seed: int = 1, field: str = "image") -> AugmentedColumn:
    stored = Stored(images(50).astype(np.uint8))
    whole = [complete("augmentation", document) for document in documents]
    return AugmentedColumn(stored, field, {"dtype": "uint8"}, whole, seed)


def test_every_augmentation_is_among_them() -> None:
    assert {document["type"] for document in EVERY} == {part.name for part in augmentations}


def test_an_image_does_not_hang_on_those_beside_it() -> None:
    together = column(EVERY).read(np.arange(50), 4)
    order = np.random.default_rng(1).permutation(50)
    for size in (1, 7, 50):
        for start in range(0, 50, size):
            rows = order[start : start + size]
            assert np.array_equal(column(EVERY).read(rows, 4), together[rows])


def test_an_image_hangs_on_seed_epoch_and_field() -> None:
    rows = np.arange(50)
    first = column(EVERY).read(rows, 4)
    assert np.array_equal(first, column(EVERY).read(rows, 4))
    others = [
        column(EVERY).read(rows, 5),
        column(EVERY, seed=2).read(rows, 4),
        column(EVERY, field="other").read(rows, 4),
    ]
    for other in others:
        differ = (other != first).reshape(50, -1).any(axis=1)
        assert differ.mean() > 0.9


def test_evaluated_images_are_as_they_were_stored() -> None:
    assert np.array_equal(column(EVERY).read(np.arange(50)), images(50))


def test_images_that_an_epoch_changed_before_are_changed_further() -> None:
    """As those that are mirrored with their boxes are."""

    class Brightened(Stored):
        def read(self, rows: np.ndarray, epoch: int | None = None) -> np.ndarray:
            return super().read(rows) + (epoch or 0)

    made = column(EVERY[:1])
    plain = made.read(np.arange(5), 7)
    made.column = Brightened(images(50).astype(np.uint8))
    assert not np.array_equal(made.read(np.arange(5), 7), plain)
    assert np.array_equal(made.read(np.arange(5)), images(50)[:5])


def test_one_more_augmentation_changes_no_number_of_the_others() -> None:
    jittered = [{"type": "colour_jitter"}, {"type": "flip"}]
    pale = column(jittered).read(np.arange(50), 1)
    plain = column([{"type": "flip"}]).read(np.arange(50), 1)
    assert {np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.9 for a, b in zip(pale, plain, strict=True)} == {True}
    twice = column([{"type": "flip"}, {"type": "flip"}]).read(np.arange(50), 1)
    assert 10 < (twice == plain).reshape(50, -1).all(axis=1).sum() < 40


def test_fields_that_are_no_bytes_keep_their_own_range() -> None:
    stored = Stored(np.linspace(-1, 3, 32, dtype=np.float32).reshape(2, 1, 4, 4))
    documents = [complete("augmentation", {"type": "colour_jitter", "brightness": 1.0, "contrast": 1.0})]
    schema = {"dtype": "float32", "min": -1.0, "max": 3.0}
    found = [
        AugmentedColumn(stored, "x", schema, documents, seed).read(np.arange(2), 0) for seed in range(30)
    ]
    assert np.min(found) == -1
    assert np.max(found) == 3


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    columns = {
        "image": np.random.default_rng(1).random((20, 1, 8, 6)),
        "kind": np.arange(20) % 2,
        "words": Sequences(np.arange(40) % 5, np.full(20, 2)),
        "flat": np.random.default_rng(1).random((20, 5)),
    }
    workshop.dataset("mixed", columns, {"train": np.arange(15), "test": np.arange(15, 20)})
    return workshop


def spec(field: str, augment: Any) -> Document:
    return {
        "dataset": "ds_mixed",
        "inputs": {"seen": {"field": field, "augment": augment}, "plain": "flat"},
        "network": [{"name": "scores", "type": "dense", "units": 2, "input": "plain"}],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "kind"}],
        "learner": {"type": "sgd"},
        "training": {"epochs": 1},
    }


def test_a_name_is_enough(shop: Workshop) -> None:
    document = normalise(
        spec("image", ["flip", {"type": "scale_jitter"}]), shop.volume, shop.settings
    ).document
    assert document["inputs"]["seen"]["augment"] == [
        {"type": "flip", "horizontal": 0.5, "vertical": 0.0},
        {"type": "scale_jitter", "factor": 1.25, "fill": 0.0},
    ]
    assert document["inputs"]["plain"]["augment"] == []


@pytest.mark.parametrize(
    ("field", "augment", "pointer", "says"),
    [
        ("flat", ["flip"], "", "take a field of (channels, height, width), but 'flat' is dense, 5"),
        ("kind", ["flip"], "", "'kind' is categorical"),
        ("words", ["flip"], "", "'words' is sequences of categorical"),
        ("image", ["flop"], "/0", "unknown type 'flop'; did you mean 'flip'?"),
        ("image", [{"type": "flip", "chance": 1}], "/0/chance", "unknown key 'chance'; known: horizontal"),
        ("image", [{"type": "flip", "vertical": 1.5}], "/0/vertical", "less than or equal to 1, not 1.5"),
        ("image", [{"type": "flip", "horizontal": 0.0}], "/0", "both chances are 0"),
        (
            "image",
            ["flip", {"type": "random_crop", "padding": 6}],
            "/1",
            "8 x 6 out of sight; take less than 6",
        ),
        ("image", ["random_crop"], "/0", "the key 'padding' is required"),
        (
            "image",
            [{"type": "random_resized_crop", "smallest": 0.9, "largest": 0.5}],
            "/0",
            "0.9 and largest 0.5",
        ),
        ("image", [{"type": "random_resized_crop", "smallest": 1.0}], "/0", "always be the whole image"),
        ("image", [{"type": "colour_jitter", "saturation": 0.1}], "/0", "3 channels, not 1"),
        ("image", [{"type": "colour_jitter", "brightness": 0.0, "contrast": 0.0}], "/0", "every amount is 0"),
        ("image", "flip", "", "a list is needed, not 'flip'"),
    ],
)
def test_what_is_wrong_is_named(shop: Workshop, field: str, augment: Any, pointer: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise(spec(field, augment), shop.volume, shop.settings)
    (fault,) = caught.value.faults
    assert fault.pointer == f"/inputs/seen/augment{pointer}"
    assert says in fault.detail
