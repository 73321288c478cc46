"""Several labels a row, with real data: counts that survive an interruption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ingest.store import Upload, ingest
from tests.trainer_runs import Workshop
from trainer.files import read_json

FIELDS: dict[str, dict[str, Any]] = {
    "emotions": {
        "labels": {
            "columns": [
                *("amazed-suprised", "happy-pleased", "relaxing-calm"),
                *("quiet-still", "sad-lonely", "angry-aggresive"),
            ]
        },
        "features": {"columns": ["*"]},
    },
    "yeast": {"labels": {"columns": ["Class*"]}, "features": {"columns": ["Att*"]}},
}
LABELS = {"emotions": 6, "yeast": 14}


def dataset(workshop: Workshop, folder: Path, name: str) -> str:
    files = [Upload(f"{name}-{part}.arff", folder / f"{name}-{part}.arff") for part in ("train", "test")]
    splits = {"files": {"test": [f"{name}-test.arff"]}, "fractions": {"valid": 0.1}, "seed": 1}
    schema, _ = ingest(files, {"fields": FIELDS[name], "splits": splits}, workshop.settings)
    return schema.id


def spec(name: str, dataset: str, threshold: float = 0.4, **training: Any) -> dict[str, Any]:
    metrics = ("hamming_loss", "subset_accuracy", "micro_f1", "macro_f1")
    return {
        "dataset": dataset,
        "inputs": {"features": {"field": "features", "standardize": True}},
        "network": [
            {"name": "hidden", "type": "dense", "units": 128, "activation": "relu", "input": "features"},
            {"name": "dropped", "type": "dropout", "rate": 0.5, "input": "hidden"},
            {"name": "scores", "type": "dense", "units": LABELS[name], "input": "dropped"},
        ],
        "objective": [{"type": "logistic", "output": "scores", "target": "labels"}],
        "metrics": [
            {"type": metric, "output": "scores", "target": "labels", "threshold": threshold}
            for metric in metrics
        ],
        "learner": {"type": "adam", "alpha": 0.001, "l2": 0.0001},
        "training": {"epochs": 30, "minibatch_size": 32, "seed": 1, **training},
    }


def test_counts_are_exact_across_a_resume_in_the_middle_of_an_epoch(
    workshop: Workshop, test_data: Callable[[str], Path]
) -> None:
    document = spec("emotions", dataset(workshop, test_data("ml_emotions"), "emotions"), epochs=3)
    document["checkpoints"] = {"every_minibatches": 7, "keep_last": 9}
    whole = workshop.job("whole", document)
    reference = workshop.train(whole)
    samples = 7 * 32
    resumed = workshop.job("resumed", document, start=whole, samples=samples)
    assert read_json(resumed.start.manifest)["step"] == 7
    result = workshop.train(resumed)
    for key in ("parameters_sha256", "losses", "metrics", "best"):
        assert result[key] == reference[key], key
