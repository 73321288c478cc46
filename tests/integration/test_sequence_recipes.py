"""Every recipe for sequences on real CNTK: it computes what numpy does, and resumes to the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.specs.normalise import normalise
from tests.trainer_runs import Sequences, Workshop, losses
from tests.trainer_scripts import in_trainer
from trainer.files import read_json
from trainer.parts import recipes

ROWS, TRAIN, WORDS, TAGS, KINDS, MINIBATCH = 56, 40, 12, 4, 3, 8
EMBEDDING, UNITS = 5, 3
SIZES = {"embedding": EMBEDDING, "units": UNITS}
Weights = dict[str, np.ndarray]

CASES: dict[str, dict[str, Any]] = {
    "sequence_classifier": {"input": "words", "target": "kind", "bidirectional": True},
    "sequence_classifier of a bag": {"input": "words", "target": "kind", "encoder": "bag_of_words"},
    "sequence_tagger": {"input": "words", "target": "tags"},
    "slot_and_intent": {"input": "words", "slots": "tags", "intent": "kind", "intent_weight": 0.7},
    "slot_and_intent by the ends": {
        "input": "words",
        "slots": "tags",
        "intent": "kind",
        "summary": "ends",
    },
    "two_towers": {"left": "words", "right": "other", "target": "grade"},
    "two_towers of lstms": {
        "left": "words",
        "right": "other",
        "target": "grade",
        "encoder": "lstm",
        "score": "dot_product",
        "share": "embedding",
    },
    "two_towers by weights": {
        "left": "words",
        "right": "other",
        "target": "grade",
        "encoder": "weighted_bag_of_words",
    },
    "two_towers for classes": {"left": "words", "right": "other", "target": "kind", "share": "nothing"},
    "two_towers in ranking": {"left": "words", "right": "other", "scale": 5.0, "share": "nothing"},
}


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    random = np.random.default_rng(9)
    lengths, others = random.integers(1, 7, ROWS), random.integers(1, 5, ROWS)

    def tokens(count: np.ndarray, classes: int) -> Sequences:
        rest = random.integers(0, classes, count.sum() - classes)
        return Sequences(np.concatenate([np.arange(classes), rest]), count)

    return {
        "words": tokens(lengths, WORDS),
        "other": tokens(others, WORDS),
        "tags": tokens(lengths, TAGS),
        "kind": np.arange(ROWS) % KINDS,
        "grade": random.normal(2, 1.5, size=(ROWS, 1)).astype(np.float32),
    }


@pytest.fixture(scope="module")
def dataset(workshop: Workshop, columns: dict[str, Any]) -> str:
    return workshop.dataset(
        "sentences", columns, {"train": np.arange(TRAIN), "valid": np.arange(TRAIN, ROWS)}
    )


def recipe(case: str, **more: Any) -> dict[str, Any]:
    return {"type": case.partition(" ")[0], **SIZES, **CASES[case], **more}


def test_every_recipe_for_sequences_has_a_case() -> None:
    names = {part.name for part in recipes if part.function.__module__.endswith(".sequences")}
    assert {case.partition(" ")[0] for case in CASES} == names


@pytest.mark.parametrize("case", CASES)
def test_interrupted_run_ends_with_the_same_bits(workshop: Workshop, dataset: str, case: str) -> None:
    document = {
        "dataset": dataset,
        "recipe": recipe(case, dropout=0.3),
        "training": {"epochs": 3, "minibatch_size": MINIBATCH, "seed": 3},
        "checkpoints": {"every_minibatches": 7, "keep_last": 9},
    }
    name = case.replace(" ", "_")
    whole = workshop.job(name, document)
    reference = workshop.train(whole)
    resumed = workshop.job(f"{name}_resumed", document, start=whole, samples=7 * MINIBATCH)
    assert read_json(resumed.start.manifest)["step"] == 7
    result = workshop.train(resumed)
    assert np.array_equal(losses(resumed)[7:], losses(whole)[7:])
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def lstm(x: np.ndarray, weights: Weights, name: str, reverse: bool = False) -> np.ndarray:
    """The outputs for one row of steps."""
    h, c = np.zeros(UNITS), np.zeros(UNITS)
    outputs = np.zeros((len(x), UNITS))
    for step in reversed(range(len(x))) if reverse else range(len(x)):
        gates = x[step] @ weights[f"{name}.W"] + weights[f"{name}.b"] + h @ weights[f"{name}.H"]
        i, f, o, g = np.split(gates, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = outputs[step] = sigmoid(o) * np.tanh(c)
    return outputs


def entropy(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    top = scores.max(axis=1, keepdims=True)
    total = np.log(np.exp(scores - top).sum(axis=1)) + top[:, 0]
    return np.asarray(total - scores[np.arange(len(codes)), codes])


def affine(x: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    return np.asarray(x @ weights[f"{name}.W"] + weights[f"{name}.b"])


class Computed:
    """The losses of each case, from given weights, over some rows."""

    def __init__(self, columns: dict[str, Any], weights: Weights, rows: np.ndarray) -> None:
        self.columns = columns
        self.weights = weights
        self.rows = rows
        self.kinds = columns["kind"][rows]
        self.grades = columns["grade"][rows, 0].astype(np.float64)

    def tokens(self, field: str) -> list[np.ndarray]:
        return [self.columns[field].steps[self.columns[field].of([row])] for row in self.rows]

    def embedded(self, field: str, layer: str = "embedding") -> list[np.ndarray]:
        return [self.weights[f"{layer}.E"][codes] for codes in self.tokens(field)]

    def both_ways(self) -> list[np.ndarray]:
        return [
            np.hstack([lstm(x, self.weights, "forward"), lstm(x, self.weights, "backward", reverse=True)])
            for x in self.embedded("words")
        ]

    def ends(self) -> np.ndarray:
        return np.array([np.append(steps[-1, :UNITS], steps[0, UNITS:]) for steps in self.both_ways()])

    def tag_loss(self, layer: str) -> float:
        scores = affine(np.vstack(self.both_ways()), self.weights, layer)
        return float(entropy(scores, np.concatenate(self.tokens("tags"))).mean())

    def kind_loss(self, vectors: np.ndarray, layer: str) -> float:
        return float(entropy(affine(vectors, self.weights, layer), self.kinds).mean())

    def bags(self, field: str, layer: str) -> np.ndarray:
        return np.array([x.mean(axis=0) for x in self.embedded(field, layer)])

    def sequence_classifier(self) -> dict[str, float]:
        return {"total": self.kind_loss(self.ends(), "scores")}

    def sequence_classifier_of_a_bag(self) -> dict[str, float]:
        return {"total": self.kind_loss(self.bags("words", "embedding"), "scores")}

    def sequence_tagger(self) -> dict[str, float]:
        return {"total": self.tag_loss("scores")}

    def attended(self) -> np.ndarray:
        found = []
        for steps in self.both_ways():
            shares = np.exp(affine(steps, self.weights, "attention"))
            found.append((steps * shares).sum(axis=0) / shares.sum())
        return np.array(found)

    def slot_and_intent(self) -> dict[str, float]:
        slots, intent = self.tag_loss("slot_scores"), self.kind_loss(self.attended(), "intent_scores")
        return {"slots": slots, "intent": intent, "total": slots + 0.7 * intent}

    def slot_and_intent_by_the_ends(self) -> dict[str, float]:
        slots, intent = self.tag_loss("slot_scores"), self.kind_loss(self.ends(), "intent_scores")
        return {"slots": slots, "intent": intent, "total": slots + intent}

    def graded(self, similarity: np.ndarray) -> dict[str, float]:
        predicted = similarity * self.weights["predicted.W"][0, 0] + self.weights["predicted.b"][0]
        return {"total": float(np.square(predicted - self.grades).mean())}

    def two_towers_by_weights(self) -> dict[str, float]:
        a, b = (
            np.array(
                [
                    np.logaddexp(0, self.weights["left_importance.E"][codes]).T
                    @ self.weights["left_embedding.E"][codes]
                    for codes in self.tokens(field)
                ]
            )[:, 0]
            for field in ("words", "other")
        )
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        return self.graded((a * b).sum(axis=1) / lengths)

    def two_towers(self) -> dict[str, float]:
        a, b = self.bags("words", "left_embedding"), self.bags("other", "left_embedding")
        lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        return self.graded((a * b).sum(axis=1) / lengths)

    def two_towers_of_lstms(self) -> dict[str, float]:
        ends = [
            [lstm(x, self.weights, layer)[-1] for x in self.embedded(field, "left_embedding")]
            for field, layer in (("words", "left_forward"), ("other", "right_forward"))
        ]
        return self.graded(np.multiply(*ends).sum(axis=1))

    def two_towers_for_classes(self) -> dict[str, float]:
        a, b = self.bags("words", "left_embedding"), self.bags("other", "right_embedding")
        met = affine(np.hstack([a, b, np.abs(a - b), a * b]), self.weights, "hidden")
        return {"total": self.kind_loss(np.maximum(met, 0), "scores")}

    def two_towers_in_ranking(self) -> dict[str, float]:
        a, b = self.bags("words", "left_embedding"), self.bags("other", "right_embedding")
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return {"total": float(entropy(5 * a @ b.T, np.arange(len(a))).mean())}


@pytest.fixture(scope="module")
def found(workshop: Workshop, dataset: str) -> dict[str, tuple[Weights, dict[str, Any]]]:
    """For each case: weights, and what CNTK made of them on each split."""
    folder = str(workshop.volume.dataset(dataset).path)
    rows = []
    for case in CASES:
        document = {"dataset": dataset, "recipe": recipe(case), "training": {"epochs": 1}}
        made = normalise(document, workshop.volume, workshop.settings)
        rows.append({"spec": made.document, "dataset": folder, "after": [1]})
    trained = in_trainer(workshop.environment, "training", rows)
    random = np.random.default_rng(10)
    weights: dict[str, Weights] = {
        case: {
            name: random.normal(scale=0.7, size=np.shape(value)).astype(np.float32)
            for name, value in found["parameters"]["1"].items()
        }
        for case, found in zip(CASES, trained, strict=True)
    }
    for case, row in zip(CASES, rows, strict=True):
        row |= {"after": [], "initial": {name: value.tolist() for name, value in weights[case].items()}}
    summaries = in_trainer(workshop.environment, "training", rows)
    return {
        case: (weights[case], summary["summaries"]) for case, summary in zip(CASES, summaries, strict=True)
    }


@pytest.mark.parametrize("case", CASES)
def test_recipe_computes_what_numpy_does(
    found: dict[str, tuple[Weights, dict[str, Any]]], columns: dict[str, Any], case: str
) -> None:
    weights, summaries = found[case]
    for split, rows in {"train": np.arange(TRAIN), "valid": np.arange(TRAIN, ROWS)}.items():
        computed = Computed(columns, {k: v.astype(np.float64) for k, v in weights.items()}, rows)
        expected = getattr(computed, case.replace(" ", "_"))()
        for name, value in expected.items():
            assert summaries[split]["losses"][name] == pytest.approx(value, rel=2e-5), (split, name)
