"""Transfer learning through the whole service, to the figure that it has to reach."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Callable
from pathlib import Path

from client import Client


def test_ants_and_bees_are_told_by_a_frozen_squeezenet(
    client: Client, tmp_path: Path, test_data: Callable[[str], Path]
) -> None:
    photographs, model = test_data("tl_hymenoptera"), test_data("pretrained") / "SqueezeNet11_ImageNet.model"
    with tarfile.open(tmp_path / "insects.tar", "w") as archive:
        for split in ("train", "val"):
            archive.add(photographs / split, split)
    dataset = client.datasets.add(tmp_path / "insects.tar", images={"size": 320, "fit": "crop"})
    with model.open("rb") as stream:
        options = {"options": '{"preprocessing": {"shift": [104, 117, 123], "channel_order": "bgr"}}'}
        base = client.request("POST", "/v1/models", files={"file": (model.name, stream)}, data=options).json()
    deadline = time.monotonic() + 120
    while base["status"] == "importing":
        assert time.monotonic() < deadline, "the model was not imported"
        time.sleep(0.2)
        base = client.request("GET", f"/v1/models/{base['id']}").json()
    assert base["status"] == "ready", base["detail"]
    recipe = {"type": "transfer_classifier", "model": base["id"], "last_hidden_node": "fire9"}
    spec = {
        "dataset": dataset["id"],
        "recipe": recipe,
        "training": {"epochs": 20, "minibatch_size": 32, "seed": 1},
    }
    job = client.jobs.wait(client.jobs.submit(spec)["id"], timeout=600)
    assert job["status"] == "succeeded", (job["reason"], job["detail"])
    error = job["metrics"]["valid"]["classification_error"]
    assert error is not None
    assert error <= 0.10
    assert any(event["type"] == "features" for event in client.jobs.events(job["id"]))
    for seed in (2, 3):
        # What the first job has computed is read by these.
        again = client.jobs.submit({**spec, "training": {**spec["training"], "seed": seed}})
        other = client.jobs.wait(again["id"], timeout=300)
        assert (other["metrics"]["valid"]["classification_error"] or 0) <= 0.10
        assert not any(event["type"] == "features" for event in client.jobs.events(other["id"]))
