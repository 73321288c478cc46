"""Networks over sequences beside the same ones in PyTorch.

From equal weights, over equal minibatches, the losses of each step agree; from weights of its own each
comes to the same figure on real sentences.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingest.store import Upload, ingest
from jobs.specs.normalise import normalise
from tests.peers import in_peers, needs_peers
from tests.trainer_runs import Sequences, Workshop
from tests.trainer_scripts import in_trainer

pytestmark = needs_peers

ROWS, MINIBATCH, STEPS, WORDS, TAGS, UNITS, RATE, EPSILON = 24, 8, 60, 12, 5, 6, 0.01, 1e-12
"""CNTK adds Adam's epsilon elsewhere than PyTorch, so it is made small."""
LENGTHS = np.arange(ROWS) * 5 % 7 + 1
OTHER_LENGTHS = np.arange(ROWS) * 3 % 5 + 1


def layer(name: str, kind: str, *sources: str, **settings: Any) -> dict[str, Any]:
    taken: dict[str, Any] = {"input": sources[0]} if len(sources) == 1 else {"inputs": list(sources)}
    return {"name": name, "type": kind, **taken, **settings}


def towers(units: int) -> list[dict[str, Any]]:
    """Bags of words with a learned importance, from one embedding."""
    network: list[dict[str, Any]] = []
    for side in ("first", "second"):
        for name, width, init in (
            ("words", units, {"type": "normal", "scale": 1.0}),
            ("importance", 1, {"type": "constant", "value": 0.0}),
        ):
            shared = {"share": f"{name}_first"} if side == "second" else {}
            network.append(layer(f"{name}_{side}", "embedding", side, units=width, init=init, **shared))
        network += [
            layer(f"weight_{side}", "activation", f"importance_{side}", function="softplus"),
            layer(f"weighted_{side}", "product", f"words_{side}", f"weight_{side}"),
            layer(f"sentence_{side}", "sequence_sum", f"weighted_{side}"),
        ]
    one = {"type": "constant", "value": 1.0}
    return [
        *network,
        layer("cosine", "cosine", "sentence_first", "sentence_second"),
        layer("likeness", "dense", "cosine", units=1, init=one),
    ]


TAGGER = [
    layer("code", "embedding", "words", units=4),
    layer("forward", "lstm", "code", units=UNITS),
    layer("backward", "lstm", "code", units=UNITS, reverse=True),
    layer("both", "splice", "forward", "backward"),
    layer("scores", "dense", "both", units=TAGS),
]


def codes(lengths: np.ndarray, classes: int, seed: int) -> Sequences:
    found = np.random.default_rng(seed).integers(0, classes, int(lengths.sum()))
    found[:2] = 0, classes - 1
    return Sequences(found, lengths)


def listed(sequences: Sequences) -> list[list[int]]:
    assert isinstance(sequences.steps, np.ndarray)
    return [row.tolist() for row in np.split(sequences.steps, sequences.offsets[1:-1])]


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return {
        "words": codes(LENGTHS, WORDS, 1),
        "tags": codes(LENGTHS, TAGS, 2),
        "first": codes(LENGTHS, WORDS, 3),
        "second": codes(OTHER_LENGTHS, WORDS, 4),
        "grade": np.random.default_rng(5).uniform(0, 1, (ROWS, 1)),
    }


def initial(shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    random = np.random.default_rng(6)
    return {name: random.normal(scale=0.5, size=shape).tolist() for name, shape in shapes.items()}


CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[int, ...]]]] = {
    "tagger": (
        {
            "inputs": {"words": "words"},
            "network": TAGGER,
            "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "tags"}],
        },
        {
            "code.E": (WORDS, 4),
            **{f"{way}.W": (4, 4 * UNITS) for way in ("forward", "backward")},
            **{f"{way}.b": (4 * UNITS,) for way in ("forward", "backward")},
            **{f"{way}.H": (UNITS, 4 * UNITS) for way in ("forward", "backward")},
            "scores.W": (2 * UNITS, TAGS),
            "scores.b": (TAGS,),
        },
    ),
    "towers": (
        {
            "inputs": {"first": "first", "second": "second"},
            "network": towers(4),
            "objective": [{"type": "squared_error", "output": "likeness", "target": "grade"}],
        },
        {
            "words_first.E": (WORDS, 4),
            "importance_first.E": (WORDS, 1),
            "likeness.W": (1, 1),
            "likeness.b": (1,),
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_losses_agree_step_by_step(workshop: Workshop, data: dict[str, Any], case: str) -> None:
    document, shapes = CASES[case]
    dataset = workshop.dataset(f"small_{case}", data, {"train": np.arange(ROWS)})
    spec = {
        "dataset": dataset,
        **document,
        "learner": {"type": "adam", "alpha": RATE, "epsilon": EPSILON},
        "training": {"epochs": STEPS * MINIBATCH // ROWS, "minibatch_size": MINIBATCH, "shuffle": False},
    }
    parameters = initial(shapes)
    row = {
        "spec": normalise(spec, workshop.volume, workshop.settings).document,
        "dataset": str(workshop.volume.dataset(dataset).path),
        "initial": parameters,
        "after": [1],
    }
    (found,) = in_trainer(workshop.environment, "training", [row])
    (peer,) = in_peers(
        "sequences",
        {
            "rows": [
                {
                    "network": case,
                    "parameters": parameters,
                    "data": {
                        **{name: listed(data[name]) for name in ("words", "tags", "first", "second")},
                        "grade": data["grade"][:, 0].tolist(),
                    },
                    "rows": ROWS,
                    "minibatch": MINIBATCH,
                    "steps": STEPS,
                    "rate": RATE,
                    "test": [0],
                    "epsilon": EPSILON,
                }
            ]
        },
    )
    assert found["losses"] == pytest.approx(peer["losses"], rel=1e-4)
    assert found["losses"][-1] < 0.8 * found["losses"][0]


def test_towers_on_real_sentences_come_as_far_as_in_pytorch(
    workshop: Workshop, test_data: Callable[[str], Path], tmp_path: Path
) -> None:
    epochs, size, units = 3, 64, 300
    files = []
    for part in ("train", "dev", "test"):
        # A few lines have further columns, which tell where the sentences are from.
        lines = (test_data("pair_stsb") / f"sts-{part}.csv").read_text(encoding="utf-8").splitlines()
        files.append(Upload(f"{part}.tsv", tmp_path / f"{part}.tsv"))
        files[-1].path.write_text("\n".join("\t".join(line.split("\t")[4:7]) for line in lines), "utf-8")
    options = {
        "columns": ["score", "first", "second"],
        "quote": "",
        "fields": {
            "score": {"kind": "dense"},
            "first": {"tokens": {}},
            "second": {"tokens": {"vocabulary_of": "first"}},
        },
        "splits": {"files": {"valid": ["dev.tsv"], "test": ["test.tsv"]}},
    }
    schema, _ = ingest(files, options, workshop.settings)
    spec = {
        "dataset": schema.id,
        "inputs": {"first": "first", "second": "second", "grade": {"field": "score", "scale": 0.2}},
        "network": towers(units),
        "objective": [{"type": "squared_error", "output": "likeness", "target": "grade"}],
        "metrics": [{"type": "pearson", "output": "likeness", "target": "grade"}],
        "learner": {"type": "adam", "alpha": 0.01},
        "training": {"epochs": epochs, "minibatch_size": size, "seed": 1},
    }
    result = workshop.train(workshop.job("sentences", spec))
    folder = workshop.volume.dataset(schema.id)

    def column(field: str, role: str) -> np.ndarray:
        return np.asarray(np.load(folder.file(schema.fields[field].files[role])))

    def rows(split: Any) -> list[int]:
        return [int(row) for row in np.load(folder.file(schema.splits[split].file))]

    assert rows("train") == list(range(schema.splits["train"].rows))
    sides = {
        side: [row.tolist() for row in np.split(column(side, "values"), column(side, "offsets")[1:-1])]
        for side in ("first", "second")
    }
    grades = column("score", "values").reshape(-1) / 5
    words = schema.fields["first"].shape[0]
    (peer,) = in_peers(
        "sequences",
        {
            "rows": [
                {
                    "network": "towers",
                    "parameters": {
                        "words_first.E": {"shape": [words, units], "deviation": 1.0},
                        "importance_first.E": {"shape": [words, 1], "deviation": 0.0},
                        "likeness.W": [[1.0]],
                        "likeness.b": [0.0],
                    },
                    "data": {**sides, "grade": grades.tolist()},
                    "rows": len(rows("train")),
                    "minibatch": size,
                    "steps": epochs * -(-len(rows("train")) // size),
                    "shuffle": True,
                    "rate": 0.01,
                    "epsilon": 1e-8,
                    "test": rows("test"),
                }
            ]
        },
    )
    theirs = float(np.corrcoef(peer["outputs"], grades[rows("test")])[0, 1])
    ours = result["metrics"]["test"]["pearson"]
    assert ours >= 0.64
    assert ours == pytest.approx(theirs, abs=0.02)
