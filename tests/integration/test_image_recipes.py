"""Recipes for images on real CNTK: they do what numpy does, resume to the same bits, keep what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.integration.test_evaluate import Laboratory
from tests.integration.test_layer_values import convolution, convolution_transpose, max_unpooling, pooling
from tests.trainer_runs import Workshop, ends_the_same_when_killed, losses
from tests.trainer_scripts import in_trainer
from tests.valkey_server import ValkeyServer
from trainer.files import read_json
from trainer.parts import recipes

ROWS, TRAIN, MINIBATCH = 70, 44, 8
TEST = np.array([66, 51, 69, 44, 58, 47])
SPLITS = {"train": np.arange(TRAIN), "test": TEST}

CASES: dict[str, dict[str, Any]] = {
    "image_autoencoder": {"pooling": [4]},
    "image_autoencoder of two stages": {
        "maps": [3, 2],
        "filter_sizes": [5, 3],
        "pooling": [2],
        "bias": True,
        "activation": "tanh",
    },
    "image_autoencoder of colours": {"input": "coloured", "maps": [2], "filter_sizes": [3], "pooling": [3]},
}


@pytest.fixture(scope="module")
def columns() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    return {
        "image": random.integers(0, 256, size=(ROWS, 1, 8, 12)).astype(np.uint8),
        "coloured": random.integers(0, 256, size=(ROWS, 3, 7, 6)).astype(np.uint8),
    }


@pytest.fixture(scope="module")
def dataset(workshop: Workshop, columns: dict[str, np.ndarray]) -> str:
    return workshop.dataset("pixels", columns, SPLITS)


def spec(dataset: str, case: str, **beside: Any) -> dict[str, Any]:
    recipe = {"type": case.partition(" ")[0], "input": "image", **CASES[case]}
    return {
        "dataset": dataset,
        "recipe": recipe,
        "training": {"epochs": 3, "minibatch_size": MINIBATCH, "seed": 3},
        "learner": {"type": "adam", "alpha": 0.01},
        "checkpoints": {"every_minibatches": 8, "keep_last": 9},
        **beside,
    }


def test_every_recipe_for_images_has_a_case() -> None:
    names = {part.name for part in recipes if part.function.__module__.endswith(".images")}
    assert {case.partition(" ")[0] for case in CASES} == names


@pytest.mark.parametrize("case", CASES)
def test_interrupted_run_ends_with_the_same_bits(workshop: Workshop, dataset: str, case: str) -> None:
    """From a checkpoint in the middle of an epoch, whose last minibatch is smaller than the others."""
    document, name = spec(dataset, case), case.replace(" ", "_")
    whole = workshop.job(name, document)
    reference = workshop.train(whole)
    assert losses(whole)[-1] < losses(whole)[0]
    samples = TRAIN + 2 * MINIBATCH
    resumed = workshop.job(f"{name}_resumed", document, start=whole, samples=samples)
    assert read_json(resumed.start.manifest)["step"] == 8
    result = workshop.train(resumed)
    assert np.array_equal(losses(resumed)[8:], losses(whole)[8:])
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key
    for artifact in ("code.npy", "pictures.npz"):
        assert (resumed.artifacts / artifact).read_bytes() == (whole.artifacts / artifact).read_bytes()


def test_killed_and_started_again_it_ends_with_the_same_bits(workshop: Workshop, dataset: str) -> None:
    document = spec(dataset, "image_autoencoder of two stages")
    document["training"] |= {"epochs": 30}
    ends_the_same_when_killed(workshop, document)


def test_two_stages_compute_what_numpy_does(
    workshop: Workshop, dataset: str, columns: dict[str, np.ndarray]
) -> None:
    case = "image_autoencoder of two stages"
    document = normalise(spec(dataset, case), workshop.volume, workshop.settings).document
    images = columns["image"][TEST[:3]].astype(np.float64) / 256
    request = {
        "inputs": {"image": {"shape": [1, 8, 12]}},
        "layers": document["network"],
        "seed": 3,
        "feed": {"image": images.tolist()},
        "weights": True,
    }
    (built,) = in_trainer(workshop.environment, "graph", [request])
    weights = {
        layer: {name: np.array(value) for name, value in built[layer]["weights"].items()} for layer in built
    }
    for example, image in enumerate(images):
        conv_1 = np.tanh(convolution([5, 5])(image, weights["conv_1"]))
        pool_1 = pooling(np.max, [2, 2])(conv_1, {})
        conv_2 = np.tanh(convolution([3, 3])(pool_1, weights["conv_2"]))
        code = pooling(np.max, [2, 2])(conv_2, {})
        deconv_2 = convolution_transpose([3, 3])(
            max_unpooling([2, 2])(code, conv_2, weights={}), weights["deconv_2"]
        )
        rebuilt = convolution_transpose([5, 5])(
            max_unpooling([2, 2])(deconv_2, conv_1, weights={}), weights["rebuilt"]
        )
        for name, expected in (("code", code), ("deconv_2", deconv_2), ("rebuilt", rebuilt)):
            np.testing.assert_allclose(built[name]["values"][example], expected, rtol=1e-4, atol=1e-9)


def test_what_is_kept_is_of_the_first_rows_of_the_test_split(
    workshop: Workshop, dataset: str, columns: dict[str, np.ndarray]
) -> None:
    keep = {"values": ["coloured", "rebuilt"], "pictures": ["coloured", "code", "rebuilt"], "images": 2}
    run = workshop.job("kept", spec(dataset, "image_autoencoder of colours", keep=keep))
    result = workshop.train(run)
    images, rebuilt = (np.load(run.artifacts / f"{name}.npy") for name in ("coloured", "rebuilt"))
    assert images.dtype == rebuilt.dtype == np.float32
    assert np.array_equal(images, columns["coloured"][TEST] / np.float32(256))
    rmse = np.sqrt(np.square(images - rebuilt).mean(axis=(1, 2, 3))).mean()
    assert result["metrics"]["test"]["mean_image_rmse"] == pytest.approx(float(rmse), rel=1e-5)
    with np.load(run.pictures) as shown:
        assert shown.files == ["coloured", "code", "rebuilt"]
        assert shown["code"].shape == (2, 2, 2, 2)
        assert np.array_equal(shown["coloured"], images[:2])
        assert np.array_equal(shown["rebuilt"], rebuilt[:2])
    assert not [path for path in run.artifacts.iterdir() if path.name.startswith(".writing")]


def test_fewer_rows_are_kept_where_so_told(workshop: Workshop, dataset: str) -> None:
    run = workshop.job("few", spec(dataset, "image_autoencoder", keep={"values": ["code"], "rows": 4}))
    workshop.train(run)
    assert np.load(run.artifacts / "code.npy").shape == (4, 1, 2, 3)
    assert not run.pictures.exists()


def test_an_evaluation_keeps_the_same(
    workshop: Workshop, dataset: str, columns: dict[str, np.ndarray], valkey: ValkeyServer
) -> None:
    """The codes of other images, from a model that was trained before."""
    others = workshop.dataset(
        "others",
        {"image": columns["image"][TEST[::-1]]},
        {"train": np.arange(3), "test": np.arange(len(TEST))},
    )
    laboratory = Laboratory(workshop, valkey.url)
    job_id = laboratory.trained(spec(dataset, "image_autoencoder"))
    codes = np.load(laboratory.run(job_id).artifacts / "code.npy")
    run = laboratory.evaluated(job_id, dataset=others)
    assert np.array_equal(np.load(run.artifacts / "code.npy"), codes[::-1])
    with np.load(run.pictures) as shown:
        assert shown.files == ["image", "code", "rebuilt"]
        assert len(shown["image"]) == len(TEST)


def test_chosen_rows_are_shown_in_their_order(
    workshop: Workshop, dataset: str, columns: dict[str, np.ndarray], valkey: ValkeyServer
) -> None:
    """Of other data, in which the rows are others, as many of the first."""
    chosen = [69, 3, 44]
    document = spec(dataset, "image_autoencoder")
    document["recipe"]["images"] = chosen
    laboratory = Laboratory(workshop, valkey.url)
    job_id = laboratory.trained(document)
    with np.load(laboratory.run(job_id).pictures) as shown:
        assert np.array_equal(shown["image"], columns["image"][chosen] / np.float32(256))
    codes = np.load(laboratory.run(job_id).artifacts / "code.npy")
    assert len(codes) == len(TEST)
    again = laboratory.evaluated(job_id)
    assert again.pictures.read_bytes() == laboratory.run(job_id).pictures.read_bytes()
    few = {"image": columns["image"][:20]}
    fewer = workshop.dataset("fewer", few, {"train": np.arange(3), "test": np.arange(5, 20)})
    elsewhere = laboratory.evaluated(job_id, dataset=fewer)
    with np.load(elsewhere.pictures) as shown:
        assert np.array_equal(shown["image"], few["image"][5:8] / np.float32(256))


def test_chosen_rows_are_shown_without_anything_to_evaluate(
    workshop: Workshop, columns: dict[str, np.ndarray]
) -> None:
    alone = workshop.dataset("alone", {"image": columns["image"]}, {"train": np.arange(TRAIN)})
    document = spec(alone, "image_autoencoder")
    document["recipe"]["images"] = [50, 2]
    run = workshop.job("alone", document)
    workshop.train(run)
    with np.load(run.pictures) as shown:
        assert np.array_equal(shown["image"], columns["image"][[50, 2]] / np.float32(256))
    assert not (run.artifacts / "code.npy").exists()
