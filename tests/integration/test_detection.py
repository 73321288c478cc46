"""Fast R-CNN on real CNTK: the same bits after an interruption, and what the formulas say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.errors import Conflict, InvalidInput
from jobs.specs.normalise import normalise
from tests.drawn_shapes import drawn
from tests.integration.test_evaluate import Laboratory
from tests.trainer_runs import Sequences, Workshop, ends_the_same_when_killed, losses
from tests.trainer_scripts import in_trainer
from tests.valkey_server import ValkeyServer
from trainer.detection.regions import opened
from trainer.files import read_json

IMAGES, TRAIN, MINIBATCH = 50, 34, 4
SPLITS = {"train": np.arange(TRAIN), "valid": np.arange(TRAIN, 42), "test": np.arange(42, IMAGES)}


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    return drawn(IMAGES, seed=2, proposals=20)


@pytest.fixture(scope="module")
def dataset(workshop: Workshop, columns: dict[str, Any]) -> str:
    assert (columns["boxes"].lengths == 0).any()
    assert (columns["proposals"].lengths == 0).any()
    return workshop.dataset("shapes", columns | {"kind": np.arange(IMAGES) % 2}, SPLITS)


@pytest.fixture(scope="module")
def base(workshop: Workshop, dataset: str) -> str:
    """A model that was trained to tell one kind of image from the other."""

    def convolution(name: str, source: str, filters: int) -> dict[str, Any]:
        shape = {"filters": filters, "filter_shape": [3, 3], "activation": "relu"}
        return {"name": name, "type": "convolution", "input": source, **shape}

    teacher = workshop.job(
        "teacher",
        {
            "dataset": dataset,
            "inputs": {"image": {"field": "image", "shift": 60.0, "scale": 0.01}},
            "network": [
                convolution("c1", "image", 4),
                {"name": "p1", "type": "max_pooling", "window": [2, 2], "input": "c1"},
                convolution("c2", "p1", 6),
                {"name": "p2", "type": "max_pooling", "window": [6, 6], "input": "c2"},
                {"name": "fc", "type": "dense", "units": 10, "activation": "relu", "input": "p2"},
                {"name": "said", "type": "dense", "units": 2, "input": "fc"},
            ],
            "objective": [{"type": "cross_entropy_with_softmax", "output": "said", "target": "kind"}],
            "learner": "adam",
            "training": {"epochs": 1},
        },
    )
    workshop.train(teacher)
    return workshop.base_model(teacher.artifacts / "model.dnn")


OF_A_BASE: dict[str, dict[str, Any]] = {
    "frozen and cached": {"train_conv_layers": False, "flip": "none"},
    "frozen, images mirrored": {"train_conv_layers": False, "flip": "random"},
    "trained in part": {"start_train_conv_node": "p1", "pool_node": "p2", "last_hidden_node": "fc"},
    "trained as a whole": {"pool_node": "p2", "last_hidden_node": "fc", "hidden": []},
}


@pytest.mark.parametrize("case", OF_A_BASE)
def test_a_base_model_s_features_are_pooled(workshop: Workshop, dataset: str, base: str, case: str) -> None:
    document, name = spec(dataset, "as it stands"), case.replace(" ", "_")
    del document["recipe"]["maps"]
    document["recipe"] |= {"base_model": base, "last_conv_node": "c2", "stride": 2.0, "roi_size": 4}
    document["recipe"] |= {"shift": 0.0, "scale": 1.0} | OF_A_BASE[case]
    whole = workshop.job(name, document)
    assert (read_json(whole.spec)["cached"] == ["features"]) is (case == "frozen and cached")
    reference = workshop.train(whole)
    assert reference["outcome"] == "succeeded", reference["detail"]
    assert np.mean(losses(whole)[-9:]) < np.mean(losses(whole)[:9])
    resumed = workshop.job(f"{name}_resumed", document, start=whole, samples=TRAIN + 2 * MINIBATCH)
    result = workshop.train(resumed)
    assert np.array_equal(losses(resumed)[11:], losses(whole)[11:])
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key


COLOURED = {
    "image": {"field": "image", "scale": 0.00390625, "augment": [{"type": "colour_jitter"}]},
    "rois": "rois",
}
CASES: dict[str, dict[str, Any]] = {
    "as it stands": {},
    "by chance": {"flip": "random", "dropout": 0.3, "regions_per_image": None},
    "without boxes of its own": {"proposals": None, "add_annotated": True, "hidden": []},
}


def spec(dataset: str, case: str, **beside: Any) -> dict[str, Any]:
    small: dict[str, Any] = {"maps": [6], "hidden": [12], "roi_size": 3, "regions_per_image": 8}
    if case == "by chance":
        beside["inputs"] = COLOURED
    if "learner" not in beside:
        small["learning_rate_factor"] = 10.0
    return {
        "dataset": dataset,
        "recipe": {"type": "fast_rcnn", "difficult": "difficult", **small, **CASES[case]},
        "training": {"epochs": 3, "minibatch_size": MINIBATCH, "seed": 3},
        "checkpoints": {"every_minibatches": 11, "keep_last": 9},
        **beside,
    }


@pytest.mark.parametrize("case", CASES)
def test_interrupted_run_ends_with_the_same_bits(workshop: Workshop, dataset: str, case: str) -> None:
    """From a checkpoint in the middle of an epoch, whose images are drawn and mirrored as before."""
    document, name = spec(dataset, case), case.replace(" ", "_")
    whole = workshop.job(name, document)
    reference = workshop.train(whole)
    assert np.mean(losses(whole)[-9:]) < np.mean(losses(whole)[:9])
    samples = TRAIN + 2 * MINIBATCH
    resumed = workshop.job(f"{name}_resumed", document, start=whole, samples=samples)
    assert read_json(resumed.start.manifest)["step"] == 11
    result = workshop.train(resumed)
    assert np.array_equal(losses(resumed)[11:], losses(whole)[11:])
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key


def test_killed_and_started_again_it_ends_with_the_same_bits(workshop: Workshop, dataset: str) -> None:
    document = spec(dataset, "by chance")
    document["training"] |= {"epochs": 12}
    ends_the_same_when_killed(workshop, document)


def test_other_seeds_draw_other_regions(workshop: Workshop, dataset: str) -> None:
    found = set()
    for seed in (3, 4):
        document = spec(dataset, "as it stands")
        document["training"] |= {"seed": seed, "epochs": 1}
        run = workshop.job(f"seed_{seed}", document)
        workshop.train(run)
        found.add(losses(run).tobytes())
    assert len(found) == 2


WRONG_NODES: list[tuple[dict[str, Any], str, str]] = [
    # Settings beside the base model, the place that is blamed, and what is said.
    ({}, "/recipe/base_model", "name last_conv_node"),
    ({"last_conv_node": "c3"}, "/recipe/last_conv_node", "c2"),
    ({"last_conv_node": "c2", "pool_node": "p2"}, "/recipe/pool_node", "go together"),
    (
        {"last_conv_node": "c2", "pool_node": "p3", "last_hidden_node": "fc"},
        "/recipe/pool_node",
        "p2",
    ),
]


@pytest.mark.parametrize(("given", "place", "words"), WRONG_NODES)
def test_nodes_of_a_base_model_that_do_not_fit_are_named(
    workshop: Workshop, dataset: str, base: str, given: dict[str, Any], place: str, words: str
) -> None:
    document = {
        "dataset": dataset,
        "recipe": {"type": "fast_rcnn", "base_model": base, "roi_size": 4, **given},
        "training": {"epochs": 1},
    }
    with pytest.raises(InvalidInput) as caught:
        normalise(document, workshop.volume, workshop.settings)
    found = {fault.pointer: fault.detail for fault in caught.value.faults}
    assert words in found.get(place, ""), found


def log_softmax(z: np.ndarray) -> np.ndarray:
    shifted = z - z.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def test_losses_are_means_over_regions(workshop: Workshop, dataset: str) -> None:
    """Of one layer on the pooled pixels, by numpy: of minibatches with images of different lengths."""
    document = spec(dataset, "as it stands", learner={"type": "sgd", "learning_rate": 1e-12})
    document |= {
        "network": [
            {
                "name": "pooled",
                "type": "roi_pooling",
                "inputs": ["image", "rois"],
                "size": [1, 1],
                "stride": 1.0,
            },
            {"name": "scores", "type": "dense", "units": 4, "input": "pooled"},
            {"name": "corrections", "type": "dense", "units": 16, "input": "pooled"},
        ],
    }
    document["training"] |= {"shuffle": False, "epochs": 2}
    complete = normalise(document, workshop.volume, workshop.settings).document
    random = np.random.default_rng(1)
    initial = {
        "scores.W": random.normal(size=(3, 1, 1, 4)),
        "scores.b": random.normal(size=4),
        "corrections.W": random.normal(size=(3, 1, 1, 16)),
        "corrections.b": random.normal(size=16),
    }
    row = {
        "spec": complete,
        "dataset": str(workshop.volume.dataset(dataset).path),
        "initial": {name: value.tolist() for name, value in initial.items()},
        "after": [100],
    }
    (found,) = in_trainer(workshop.environment, "training", [row])
    data = opened(complete, workshop.volume.dataset(dataset))

    def expected(rows: np.ndarray, epoch: int | None) -> dict[str, float]:
        images = data.column("image").read(rows, epoch) / 256
        told = {name: data.column(name).of(rows, epoch) for name in ("rois", "region_class")}
        aims = {name: data.column(name).of(rows, epoch) for name in ("region_targets", "region_weights")}
        entropy, smooth, count = 0.0, 0.0, 0
        for image, rois, classes, targets, weights in zip(
            images, told["rois"], told["region_class"], *aims.values(), strict=True
        ):
            side = image.shape[-1] - 1
            edges = np.clip(np.floor(rois.astype(np.float64) + 0.5), 0, side).astype(int)
            pooled = np.array(
                [image[:, y1 : y2 + 1, x1 : x2 + 1].max(axis=(1, 2)) for x1, y1, x2, y2 in edges]
            )
            scores = pooled @ initial["scores.W"].reshape(3, 4) + initial["scores.b"]
            said = pooled @ initial["corrections.W"].reshape(3, 16) + initial["corrections.b"]
            entropy += float(-(log_softmax(scores) * classes).sum())
            d = np.abs((said - targets) * weights)
            smooth += float(np.where(d < 1, d * d / 2, d - 0.5).sum())
            count += len(rois)
        return {
            "cross_entropy_with_softmax": entropy / count,
            "smooth_l1": smooth / count,
            "total": (entropy + smooth) / count,
        }

    steps = [SPLITS["train"][at : at + MINIBATCH] for at in range(0, TRAIN, MINIBATCH)]
    trained = [expected(rows, epoch)["total"] for epoch in (0, 1) for rows in steps]
    np.testing.assert_allclose(found["losses"], trained, rtol=1e-4)
    for split, rows in SPLITS.items():
        assert found["summaries"][split]["losses"] == pytest.approx(expected(rows, None), rel=1e-4), split


def test_images_without_any_box_are_learned_from(workshop: Workshop, columns: dict[str, Any]) -> None:
    """Negative images alone teach that everything is background; no other step could."""
    bare = np.flatnonzero(columns["boxes"].lengths == 0)[:4]
    boxed = np.flatnonzero(columns["boxes"].lengths)[:4]
    name = workshop.dataset("negative", columns, {"train": bare, "valid": boxed})
    document = spec(name, "as it stands", learner={"type": "adam", "alpha": 0.01})
    document["training"] |= {"epochs": 40}
    run = workshop.job("negative", document)
    result = workshop.train(run)
    assert losses(run)[-1] < 0.05 < losses(run)[0]
    assert result["losses"]["train"]["smooth_l1"] == 0
    assert result["metrics"]["train"]["classification_error"] == 0
    # What it has never seen it calls background, too.
    assert result["metrics"]["valid"]["classification_error"] > 0


@pytest.fixture
def laboratory(workshop: Workshop, valkey: ValkeyServer) -> Laboratory:
    return Laboratory(workshop, valkey.url)


def test_a_detector_is_evaluated_on_other_data(
    workshop: Workshop, dataset: str, columns: dict[str, Any], laboratory: Laboratory
) -> None:
    job_id = laboratory.trained(spec(dataset, "by chance"))
    reference = read_json(laboratory.run(job_id).result)
    again = read_json(laboratory.evaluated(job_id).result)
    assert again["parameters_sha256"] == reference["parameters_sha256"]
    for key in ("losses", "metrics"):
        assert again[key]["test"] == reference[key]["test"]
    splits = {"train": np.arange(3), "test": np.arange(3, 9)}
    bare = {name: columns[name] for name in ("image", "proposals")}
    found = read_json(laboratory.evaluated(job_id, dataset=workshop.dataset("bare", bare, splits)).result)
    assert found["detail"] == "the data set lacks boxes, box_class: predictions only"
    assert found["losses"] == {}
    assert found["rows"] == 6


def test_a_detector_needs_proposals_and_the_same_classes(
    workshop: Workshop, dataset: str, columns: dict[str, Any], laboratory: Laboratory
) -> None:
    document = spec(dataset, "as it stands")
    document["training"] |= {"epochs": 1}
    job_id = laboratory.trained(document)
    others = dict(columns)
    others["box_class"] = Sequences(np.minimum(columns["box_class"].steps, 1), columns["boxes"].lengths)
    del others["proposals"]
    with pytest.raises(Conflict) as caught:
        laboratory.evaluate(job_id, dataset=workshop.dataset("others", others, SPLITS))
    differences = {found["pointer"] for found in caught.value.extra["differences"]}
    assert differences == {"/fields/proposals", "/fields/box_class/shape", "/fields/box_class/classes"}
