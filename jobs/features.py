"""Cached features on the volume, as far as others than the trainer have to do with them."""

from __future__ import annotations

import shutil

from trainer.files import read_json
from trainer.layout import FeatureDirectory, Volume


def forget(volume: Volume, *, dataset: str | None = None, model_sha256: str | None = None) -> int:
    """Delete the features of a data set, or of a model that is told by its digest; how many there were.

    Never wrong: a job that reads them goes on, and one that needs them again computes them again.
    """
    found = 0
    for path in volume.features.iterdir() if volume.features.is_dir() else ():
        folder = FeatureDirectory(path)
        try:
            about = read_json(folder.about)
        except (FileNotFoundError, ValueError):
            continue
        if about["dataset"] == dataset or model_sha256 in about["models"]:
            # What tells that they are whole goes first.
            folder.about.unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)
            found += 1
    return found
