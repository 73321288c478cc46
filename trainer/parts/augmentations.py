"""Augmentations: images changed at random while they are trained, so that no two epochs show the same.

One receives ``images``, float32 (images, channels, height, width) that it may write to, ``draw``, which
answers with one number a image, and ``span``, the smallest and largest value that a pixel may have. What an
image becomes depends on its own numbers alone, never on the images beside it. Every image keeps its shape.
``moves`` in the registration says that what is on an image may come to stand elsewhere.
"""

import math

import numpy as np

from trainer.parts.registry import Param, PlanError, Registry

augmentations = Registry("augmentation")

LUMA = (0.299, 0.587, 0.114)
"""How red, green and blue make grey (ITU-R BT.601)."""


@augmentations.part("flip", moves=True)
def flip(
    images,
    draw,
    span,
    *,
    horizontal: float = Param(0.5, ge=0, le=1, documentation="chance of left becoming right"),
    vertical: float = Param(0.0, ge=0, le=1, documentation="chance of top becoming bottom"),
):
    """Mirror images, each with these chances."""
    for chance, axis in ((horizontal, 3), (vertical, 2)):
        mirrored = draw(0.0, 1.0) < chance
        images[mirrored] = np.flip(images[mirrored], axis)
    return images


@flip.planned
def plan_flip(shape, *, horizontal, vertical):
    if not horizontal and not vertical:
        raise PlanError("both chances are 0, so no image would be mirrored; leave it out")


@augmentations.part("random_crop", moves=True)
def random_crop(
    images,
    draw,
    span,
    *,
    padding: int = Param(gt=0, documentation="pixels on each side"),
    fill: float = Param(0.0, documentation="of the padding, as the data set has pixels"),
):
    """Pad images on all sides and cut out the old size at a random place, whole pixels at a time."""
    count, _, high, wide = images.shape
    moved = np.full_like(images, fill)
    down, right = (np.floor(draw(-padding, padding + 1)).astype(int) for _ in range(2))
    for k in range(count):
        to_y, from_y = overlap(down[k], high)
        to_x, from_x = overlap(right[k], wide)
        moved[k, :, to_y, to_x] = images[k, :, from_y, from_x]
    return moved


def overlap(shift, size):
    """Where what is moved by ``shift`` of ``size`` pixels ends up, and where it was."""
    return slice(max(0, shift), size + min(0, shift)), slice(max(0, -shift), size + min(0, -shift))


@random_crop.planned
def plan_random_crop(shape, *, padding, fill):
    if padding >= min(shape[1:]):
        raise PlanError(
            "a padding of %d pixels could move an image of %d x %d out of sight; take less than %d"
            % (padding, shape[1], shape[2], min(shape[1:]))
        )


@augmentations.part("random_resized_crop", moves=True)
def random_resized_crop(
    images,
    draw,
    span,
    *,
    smallest: float = Param(0.8, gt=0, le=1, documentation="side of a cut, as a share of the image's"),
    largest: float = Param(1.0, gt=0, le=1),
    aspect: float = Param(1.0, ge=1, le=4, documentation="width to height changes by up to this factor"),
):
    """Cut out a part of random size at a random place and enlarge it to the old size, bilinearly.

    The side's share is uniform in ``smallest`` to ``largest``, the factor of the aspect ratio log-uniform in
    1 / ``aspect`` to ``aspect``; a cut never leaves the image.
    """
    side = draw(smallest, largest)
    stretch = np.exp(draw(-math.log(aspect), math.log(aspect)) / 2)
    return placed(images, np.minimum(side / stretch, 1), np.minimum(side * stretch, 1), draw)


@random_resized_crop.planned
def plan_random_resized_crop(shape, *, smallest, largest, aspect):
    if smallest > largest:
        raise PlanError("smallest is %g and largest %g; smallest may not be larger" % (smallest, largest))
    if smallest == 1 and aspect == 1:
        raise PlanError("a cut would always be the whole image; take a smallest below 1, or leave it out")


@augmentations.part("scale_jitter", moves=True)
def scale_jitter(
    images,
    draw,
    span,
    *,
    factor: float = Param(1.25, gt=1, le=2, documentation="largest; the smallest is 1 / factor"),
    fill: float = Param(0.0, documentation="around what became smaller, as the data set has pixels"),
):
    """Make images larger or smaller, bilinearly, and put them at a random place of the old size.

    Of the larger a part is seen, the smaller are surrounded by ``fill``. The factor is log-uniform.
    """
    share = np.exp(draw(-math.log(factor), math.log(factor)))
    return placed(images, share, share, draw, fill)


def placed(images, shares_high, shares_wide, draw, fill=None):
    """Windows that are these shares of the images' sides, at random places, resized to the images' size.

    A window larger than the image holds it at a random place; ``fill`` is around it.
    """
    _, _, high, wide = images.shape
    rows = taps(shares_high, draw(0.0, 1.0), high)
    columns = taps(shares_wide, draw(0.0, 1.0), wide)
    found = np.empty_like(images)
    for k, image in enumerate(images):
        # Lines are taken several times as fast as columns: the second axis is resized on its side.
        resized = between(image, rows, k)
        on_its_side = np.ascontiguousarray(resized.transpose(0, 2, 1))
        found[k] = between(on_its_side, columns, k).transpose(0, 2, 1)
        if fill is not None:
            found[k][:, rows.outside[k], :] = fill
            found[k][:, :, columns.outside[k]] = fill
    return found


class Taps:
    """For each image and each new pixel along one axis: the two old ones that it lies between."""

    def __init__(self, positions, size):
        self.outside = (positions < -0.5) | (positions > size - 0.5)
        below = np.floor(positions)
        self.lower = np.clip(below, 0, size - 1).astype(np.intp)
        self.upper = np.clip(below + 1, 0, size - 1).astype(np.intp)
        self.share = (positions - below).astype(np.float32)
        """Of the upper one."""


def taps(shares, places, size):
    """The taps of windows of these shares of ``size`` pixels; ``places`` 0 is at the start, 1 at the end."""
    starts = places * (1 - shares) * size
    centres = (np.arange(size) + 0.5) * shares[:, None]
    return Taps(starts[:, None] + centres - 0.5, size)


def between(image, taps, k):
    """The lines of an image (channels, lines, ...) at the k-th taps."""
    lower = np.take(image, taps.lower[k], 1)
    found = np.take(image, taps.upper[k], 1)
    found -= lower
    found *= taps.share[k][:, None]
    found += lower
    return found


@augmentations.part("colour_jitter")
def colour_jitter(
    images,
    draw,
    span,
    *,
    brightness: float = Param(0.2, ge=0, le=1, documentation="pixels times 1 - this to 1 + this"),
    contrast: float = Param(0.2, ge=0, le=1, documentation="distance from the image's mean grey, likewise"),
    saturation: float = Param(0.0, ge=0, le=1, documentation="distance from each pixel's grey, likewise"),
):
    """Change brightness, then contrast, then saturation, each by a random factor.

    Grey is 0.299 red + 0.587 green + 0.114 blue, of other than three channels their mean. At the end pixels
    are brought back into the range of the field: 0 to 255 of bytes, else its smallest to its largest value.
    """
    bright, distance, vivid = (factors(draw, amount) for amount in (brightness, contrast, saturation))
    own = grey(images)
    mean = own.reshape(len(images), -1).mean(axis=1).reshape(-1, 1, 1, 1)
    # The three in one: each is linear in the pixel, its grey and the mean grey.
    own *= bright * distance * (1 - vivid)
    own += bright * (1 - distance) * mean
    images *= bright * distance * vivid
    images += own
    return np.clip(images, span[0], span[1], out=images)


def factors(draw, amount):
    """One factor an image, to multiply (images, channels, height, width) by."""
    return draw(1 - amount, 1 + amount).astype(np.float32).reshape(-1, 1, 1, 1)


def grey(images):
    """(images, 1, height, width), sums made one after the other: no other image may change a bit of it."""
    weights = LUMA if images.shape[1] == 3 else [1 / images.shape[1]] * images.shape[1]
    found = images[:, :1] * np.float32(weights[0])
    for channel in range(1, images.shape[1]):
        found += images[:, channel : channel + 1] * np.float32(weights[channel])
    return found


@colour_jitter.planned
def plan_colour_jitter(shape, *, brightness, contrast, saturation):
    if saturation and shape[0] != 3:
        raise PlanError("saturation takes images of 3 channels, not %d; set it to 0" % shape[0])
    if not (brightness or contrast or saturation):
        raise PlanError("every amount is 0, so no colour would change; leave it out")
