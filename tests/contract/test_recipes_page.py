"""docs/recipes.md: every recipe is there, and becomes what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.base_models.in_jobs import lookup
from jobs.dataset import load_schema
from jobs.specs.normalise import normalise
from jobs.specs.recipes import expand, field_faults, values_of
from tests.trainer_runs import Sequences, Workshop
from trainer.files import write_json
from trainer.parts import recipes

PAGE = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text(encoding="utf-8")
PAIRS = [
    (json.loads(short), json.loads(written_out))
    for short, written_out in re.findall(
        r"```json\n([^`]*)```\n\n```json expansion\n([^`]*)```", PAGE, re.DOTALL
    )
]

MODEL = {
    "id": "mdl_0123456789abcdef01234567",
    "name": "SqueezeNet",
    "status": "ready",
    "created_at": "2026-01-01T00:00:00Z",
    "source": {"format": "cntk", "size": 1, "sha256": "0" * 64},
    "sha256": "0" * 64,
    "preprocessing": {"shift": [104.0, 117.0, 123.0], "scale": 1.0, "channel_order": "bgr"},
    "inputs": [{"name": "features", "shape": [3, 16, 16]}],
    "outputs": ["fire9"],
    "nodes": [{"name": "fire9", "op": "ReLU", "shape": [3, 16, 16], "inputs": ["features"], "parameters": 0}],
}
"""The base model that the page names, as far as an expansion looks at it."""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """Fields as the page names them; of a target, two values that lie a deviation around its mean."""
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    turns = np.arange(40) % 2
    random = np.random.default_rng(1)
    columns: dict[str, Any] = {
        "numbers": random.normal(size=(40, 5)),
        "facts": random.normal(size=(40, 9)),
        "income": turns,
        "weight": random.uniform(0.5, 1, size=(40, 1)),
        "building": random.normal(size=(40, 8)),
        "heating": np.where(turns, 32.0, 12.0),
        "cooling": np.where(turns, 34.0, 15.0),
        "pixels": random.uniform(0, 16, size=(40, 64)),
        "digit": np.arange(40) % 10,
        "features": random.normal(size=(40, 72)),
        "image": random.integers(0, 256, size=(40, 1, 28, 28)).astype(np.uint8),
        "labels": random.integers(0, 2, size=(40, 6)).astype(np.float32),
    }
    lengths, others = np.arange(40) % 4 + 1, np.arange(40) % 3 + 1
    columns |= {
        "words": Sequences(np.arange(lengths.sum()) % 9, lengths),
        "slots": Sequences(np.arange(lengths.sum()) % 5, lengths),
        "intent": np.arange(40) % 3,
        "one": Sequences(np.arange(lengths.sum()) % 9, lengths),
        "other": Sequences(np.arange(others.sum()) % 9, others),
        "similar": np.where(turns, 4.0, 1.0),
    }
    boxed = np.arange(40) % 3
    columns |= {
        "boxes": Sequences(random.uniform(0, 28, size=(boxed.sum(), 4)), boxed),
        "box_class": Sequences(np.arange(boxed.sum()) % 3, boxed),
        "proposals": Sequences(random.uniform(0, 28, size=(400, 4)), np.full(40, 10)),
    }
    columns |= {
        "photo": random.integers(0, 256, size=(40, 3, 16, 16)).astype(np.uint8),
        "animal": turns,
    }
    workshop.dataset("page", columns, {"train": np.arange(40)})
    write_json(workshop.volume.model(MODEL["id"]).record, MODEL)
    return workshop


def test_every_recipe_is_on_the_page() -> None:
    assert {short["recipe"]["type"] for short, _ in PAIRS} == {part.name for part in recipes}


@pytest.mark.parametrize(("short", "written_out"), PAIRS, ids=[short["recipe"]["type"] for short, _ in PAIRS])
def test_recipe_becomes_what_the_page_says(
    workshop: Workshop, short: dict[str, Any], written_out: dict[str, Any]
) -> None:
    schema = load_schema(workshop.volume, "ds_page")
    values = values_of(short["recipe"])
    assert field_faults(values, schema) == []
    assert expand(short, values, schema, lookup(workshop.volume)) == written_out
    one, other = (
        normalise(
            {**spec, "dataset": "ds_page", "training": {**spec.get("training", {}), "epochs": 1}},
            workshop.volume,
            workshop.settings,
        )
        for spec in (short, written_out)
    )
    assert one.document == other.document
