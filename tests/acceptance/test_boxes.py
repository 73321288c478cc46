"""Annotated images over HTTP: drawn and packed here, uploaded with proposals made by the service."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from client import Client, JobsApiError
from client.command import OK, main
from tests.drawn_shapes import CLASSES, drawn
from tests.image_archives import encoded, zipped
from tests.running_service import RunningService
from tests.trainer_runs import Sequences
from tests.unit.test_annotations import voc

SIDE = 48
OPTIONS: dict[str, Any] = {
    "images": {
        "boxes": "clip",
        "proposals": {"method": "selective_search", "working_size": 96, "min_side": 0.1},
    }
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Images in train and test, the last one with a box that leaves it."""
    shapes = drawn(24, seed=3, side=SIDE)
    files: dict[str, bytes | str] = {}
    boxes, codes = shapes["boxes"], shapes["box_class"]
    assert isinstance(boxes, Sequences)
    for row, pixels in enumerate(shapes["image"]):
        name = f"shapes/{'test' if row % 4 == 3 else 'train'}/{row}"
        steps = range(boxes.offsets[row], boxes.offsets[row + 1])
        objects = [
            (CLASSES[codes.steps[step]], "{:g} {:g} {:g} {:g}".format(*(boxes.steps[step] + [1, 1, 0, 0])))
            for step in steps
        ]
        if row == 23:
            objects.append(("disc", "40 40 60 47"))
        files[f"{name}.png"] = encoded(Image.fromarray(np.moveaxis(pixels, 0, 2)))
        files[f"{name}.xml"] = voc(*objects, size="")
    path = tmp_path / "shapes.zip"
    path.write_bytes(zipped(files))
    return path


def test_annotated_images_with_proposals(
    client: Client, service: RunningService, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = client.datasets.add(archive, **OPTIONS)
    fields = found["fields"]
    assert {name: split["rows"] for name, split in found["splits"].items()} == {"train": 18, "test": 6}
    assert fields["box_class"]["classes"] == list(CLASSES)
    assert fields["boxes"]["min_length"] == 0
    assert fields["boxes"]["boxes"]["clipped"] == 1
    told = fields["proposals"]["proposals"]
    assert told["settings"]["working_size"] == 96
    # Bright shapes on dark paper.
    assert told["recall"]["train"]["0.5"] >= 0.9
    options = archive.with_name("options.json")
    options.write_text(json.dumps(OPTIONS), encoding="utf-8")
    assert main(["--url", service.url, "datasets", "add", str(archive), "--options", str(options)]) == OK
    printed = capsys.readouterr()
    assert printed.out.strip() == found["id"]
    clipped, *reached = printed.err.splitlines()
    assert clipped.startswith("shapes/test/23.xml, object")
    assert clipped.endswith("; clipped")
    assert [line.partition(": ")[0] for line in sorted(reached)] == [
        "proposals overlap the boxes of test",
        "proposals overlap the boxes of train",
    ]
    assert f"{told['recall']['test']['0.7']:.1%} by 0.7" in min(reached)


def test_steps_that_an_image_may_lack_are_not_fed(client: Client, archive: Path) -> None:
    found = client.datasets.add(archive, images={"boxes": "clip"})
    spec = {
        "dataset": found["id"],
        "inputs": {"boxes": {"field": "boxes"}},
        "network": [
            {"name": "read", "type": "lstm", "units": 4, "input": "boxes"},
            {"name": "scores", "type": "dense", "units": 3, "input": "read"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "box_class"}],
        "learner": {"type": "adam"},
        "training": {"epochs": 1, "minibatch_size": 4},
    }
    with pytest.raises(JobsApiError) as caught:
        client.jobs.submit(spec)
    places = {fault["pointer"]: fault["code"] for fault in caught.value.errors}
    assert places["/inputs/boxes/field"] == places["/objective/0/target"] == "empty_sequences"
