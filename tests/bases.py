"""Base models on a workshop's volume, as an import leaves them."""

from __future__ import annotations

import hashlib
from typing import Any

from jobs.base_models.records import ModelRecord
from tests.trainer_runs import Workshop
from tests.trainer_scripts import in_trainer
from trainer.files import write_json

PREPROCESSING = {"shift": [100.0, 110.0, 120.0], "scale": 0.02, "channel_order": "bgr"}


def base_model(workshop: Workshop, number: int = 1, **more: Any) -> str:
    """The id of a model of seeded weights: of 3 x 12 x 12 images; nodes conv1, conv2, pool2, …, z."""
    model_id = f"mdl_{number:024x}"
    place = workshop.volume.model(model_id)
    place.path.mkdir(parents=True)
    asked = {"source": str(place.source), "folder": str(place.path), "seed": number}
    found = in_trainer(workshop.environment, "base_model", asked)
    record = {
        "id": model_id,
        "name": "small",
        "status": "ready",
        "created_at": "2026-01-01T00:00:00Z",
        "source": {"format": "cntk", "size": 1, "sha256": "0" * 64},
        "sha256": hashlib.sha256(place.model.read_bytes()).hexdigest(),
        "preprocessing": PREPROCESSING,
        **found,
        **more,
    }
    write_json(place.record, ModelRecord.model_validate(record).model_dump(mode="json"))
    return model_id
