"""How long a detector of blood cells takes, and how good it is: everything through a running service.

``.venv/bin/python -m benchmarks.blood_cells BCCD_FOLDER SQUEEZENET_MODEL``: uploads the images of
BCCD_Dataset (Pascal VOC) with proposals of a grid, imports SqueezeNet 1.1, trains Fast R-CNN on its frozen
features and evaluates on the test split. Prints seconds from the first byte uploaded, and average precision.
"""

import argparse
import json
import tempfile
import time
import zipfile
from pathlib import Path

from client import Client

PROPOSALS = {
    "method": "grid",
    "max_proposals": 2500,
    "min_side": 0.055,
    "max_side": 0.34,
    "grid_aspect_ratios": [1.0],
    "grid_step": 0.4,
}
PREPROCESSING = {"shift": [104, 117, 123], "channel_order": "bgr"}
SPEC = {
    "name": "blood-cells",
    "learner": {
        "type": "adam",
        "alpha": {
            "type": "warm_up",
            "epochs": 0.4,
            "start_factor": 0.02,
            "then": {"type": "piecewise", "rates": [0.001, 0.0003, 0.0001], "until_epochs": [1.9, 2.6]},
        },
        "l2": 0.0005,
    },
    "training": {"epochs": 3, "minibatch_size": 2, "seed": 1},
}
RECIPE = {
    "type": "fast_rcnn",
    "difficult": "difficult",
    "last_conv_node": "fire5",
    "train_conv_layers": False,
    "stride": 8.0,
    "offset": 3.0,
    "proposals_per_image": 2500,
    "flip": "random",
    "regions_per_image": 128,
    "foreground_share": 0.35,
    "suppression_overlap": 0.3,
    "least_score": 0.02,
}


def packed(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return path


def imported(client: Client, path: Path) -> str:
    """The id of a base model that a worker has imported."""
    with path.open("rb") as stream:
        answer = client.request(
            "POST",
            "/v1/models",
            files={"file": (path.name, stream)},
            data={"options": json.dumps({"preprocessing": PREPROCESSING})},
        ).json()
    while answer["status"] == "importing":
        time.sleep(0.5)
        answer = client.request("GET", f"/v1/models/{answer['id']}").json()
    if answer["status"] != "ready":
        raise SystemExit(answer["detail"])
    return str(answer["id"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.blood_cells")
    parser.add_argument("data", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--service", help="URL (default: as cntk-jobs has it)")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    with Client(arguments.service, timeout=600) as client, tempfile.TemporaryDirectory() as folder:
        archive = packed(arguments.data, Path(folder) / "cells.zip")
        begun = time.monotonic()
        dataset = client.datasets.add(archive, name="blood-cells", images={"proposals": PROPOSALS})
        print(f"{time.monotonic() - begun:6.0f} s  images and proposals")
        model = imported(client, arguments.model)
        print(f"{time.monotonic() - begun:6.0f} s  base model")
        spec = {**SPEC, "dataset": dataset["id"], "recipe": {**RECIPE, "base_model": model}}
        spec["training"] = {**spec["training"], "threads": arguments.threads}
        job = client.jobs.wait(client.jobs.submit(spec)["id"])
        print(f"{time.monotonic() - begun:6.0f} s  {job['status']} {job['detail']}")
        for name, value in job["metrics"].get("test", {}).items():
            print(f"{value:8.4f}  {name}")


if __name__ == "__main__":
    main()
