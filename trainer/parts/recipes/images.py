"""Recipes for images: one example is (channels, height, width) numbers."""

from typing import List, Union

from trainer.parts.recipes.registry import RecipeError, Stack, adam, recipes
from trainer.parts.registry import Param

NEARLY_ZERO = {"type": "glorot_uniform", "scale": 0.001}
"""How the decoder begins, as in the article: its first steps then suit whatever codes there are."""


def each(name, values, stages):
    """One value a stage: as many as there are stages, or one for all of them. RecipeError otherwise."""
    if len(values) not in (1, stages):
        raise RecipeError(
            name, "%d values for %d stages (maps has one value a stage)" % (len(values), stages)
        )
    return values * stages if len(values) == 1 else values


@recipes.part("image_autoencoder")
def image_autoencoder(
    fields,
    *,
    input: str = Param(field="images", documentation="field of (channels, height, width)"),
    maps: List[int] = Param(
        [1], ge=1, documentation="filters of each stage's convolution; the last stage's make the code"
    ),
    filter_sizes: List[int] = Param([5], ge=1, documentation="of square filters; one, or one a stage"),
    pooling: List[int] = Param(
        [4], ge=1, documentation="sizes of square pooling windows; one, or one a stage"
    ),
    activation=Param("relu", part="activation"),
    bias: bool = Param(False, documentation="whether the decoder's transposed convolutions have a bias"),
    scale: float = Param(0.00390625, gt=0, documentation="what pixels are multiplied by, 1/256 of bytes"),
    images: Union[int, List[int]] = Param(
        10, ge=0, into="keep", documentation="how many the picture at the end shows, or which rows"
    ),
):
    """Images from a small code: convolution and max pooling, then unpooling and transposed convolution.

    Each stage pools, which the decoder undoes in the opposite order; the last pooling is ``code``, the last
    transposed convolution ``rebuilt``. Unpooling looks up in the encoder where each largest element was, so
    the code alone does not make the image again. Trained with squared error; reported as the mean of each
    image's RMSE. At its end the job keeps the codes and draws images, codes and rebuilt images.
    """
    stages = len(maps)
    filter_sizes = each("filter_sizes", filter_sizes, stages)
    pooling = each("pooling", pooling, stages)
    stack = Stack(fields)
    image = stack.input(input, scale=scale)
    convolved = []
    for stage in range(stages):
        conv = stack.put(
            "conv_%d" % (stage + 1),
            "convolution",
            filters=maps[stage],
            filter_shape=[filter_sizes[stage]] * 2,
            activation=activation,
        )
        convolved.append(conv)
        name = "code" if stage == stages - 1 else "pool_%d" % (stage + 1)
        code = stack.put(name, "max_pooling", window=[pooling[stage]] * 2)
    for stage in reversed(range(stages)):
        stack.put(
            "unpool_%d" % (stage + 1),
            "max_unpooling",
            [stack.top, convolved[stage]],
            window=[pooling[stage]] * 2,
        )
        rebuilt = stack.put(
            "deconv_%d" % (stage + 1) if stage else "rebuilt",
            "convolution_transpose",
            filters=maps[stage - 1] if stage else fields[input].shape[0],
            filter_shape=[filter_sizes[stage]] * 2,
            init=dict(NEARLY_ZERO),
            bias=bias,
        )
    return {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": [{"type": "squared_error", "output": rebuilt, "target": image}],
        "metrics": [{"type": "mean_image_rmse", "output": rebuilt, "target": image}],
        "outputs": [code, rebuilt],
        "keep": {"values": [code], "pictures": [image, code, rebuilt], "images": images},
        "learner": adam(0.0),
    }
