"""A model trained on preprocessed data, evaluated on new data that are preprocessed likewise."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from ingest.store import ingest
from tests.ingestion import Ingestion
from tests.integration.test_evaluate import Laboratory
from tests.trainer_runs import Workshop
from tests.valkey_server import ValkeyServer
from trainer.files import read_json

FIELDS: dict[str, Any] = {
    "text": {"tokens": {"min_count": 2}},
    "origin": {"columns": ["town", "job"], "encode": {"hash": 64}, "kind": "sparse"},
    "age": {"standardize": True, "missing": "mean"},
    "trade": {"columns": ["job"], "encode": "one_hot"},
}
NETWORK = [
    {"name": "words", "type": "embedding", "units": 4, "input": "text"},
    {"name": "said", "type": "sequence_mean", "input": "words"},
    {"name": "from", "type": "dense", "units": 4, "input": "origin"},
    {"name": "joined", "type": "splice", "inputs": ["said", "from", "age", "trade"]},
    {"name": "scores", "type": "dense", "units": 2, "input": "joined"},
]


def letters(rows: int, seed: int) -> str:
    """Letters whose words tell whether they are happy; towns, jobs and ages tell nothing."""
    draw = random.Random(seed)
    lines = ["text,town,job,age,mood"]
    for _ in range(rows):
        mood = draw.choice(["glad", "sad"])
        told = ["fine", "sunny"] if mood == "glad" else ["grey", "rain"]
        words = draw.choices(["so", "it", "is", f"rare{draw.randrange(10**6)}"], k=draw.randrange(1, 6))
        age = draw.choice([str(draw.randrange(20, 80)), "?"])
        town, job = draw.choice(["Oslo", "Rome", "Bonn"]), draw.choice(["clerk", "smith"])
        lines.append(f"{' '.join([*words, draw.choice(told)])},{town},{job},{age},{mood}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def laboratory(workshop: Workshop, valkey: ValkeyServer) -> Laboratory:
    return Laboratory(workshop, valkey.url)


def test_new_data_are_judged_as_the_same_rows_were(laboratory: Laboratory, tmp_path: Path) -> None:
    ingestion = Ingestion(tmp_path)
    fresh = letters(150, seed=2)
    files = {"old.csv": letters(300, seed=1), "new.csv": fresh}
    splits = {"files": {"test": ["new.csv"]}}
    known, _ = ingest(ingestion.write(files), {"fields": FIELDS, "splits": splits}, laboratory.settings)
    job = laboratory.trained(
        {
            "dataset": known.id,
            "inputs": {name: {"field": name} for name in ("text", "origin", "age", "trade")},
            "network": NETWORK,
            "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "mood"}],
            "metrics": [{"type": "classification_error", "output": "scores", "target": "mood"}],
            "learner": {"type": "momentum", "learning_rate": 0.3, "momentum": 0.9},
            "training": {"epochs": 8, "minibatch_size": 16, "seed": 1},
        }
    )
    # New bytes, with one column more and in another order: nothing is fitted to them.
    rows = [line.split(",") for line in fresh.strip().split("\n")]
    moved = "\n".join(
        ",".join([row[4], "x" if n else "more", row[3], *row[:3]]) for n, row in enumerate(rows)
    )
    like, _ = ingest(ingestion.write({"fresh.csv": moved}), {"like": known.id}, laboratory.settings)
    assert like.fields["text"].classes == known.fields["text"].classes
    reports = []
    for dataset in (known.id, like.id):
        run = laboratory.evaluated(job, dataset=dataset, split="test")
        reports.append(read_json(run.result))
    assert reports[0]["metrics"] == reports[1]["metrics"]
    assert reports[0]["losses"] == reports[1]["losses"]
    assert reports[1]["metrics"]["test"]["classification_error"] < 0.1
