"""What a spec has a job keep: its defaults, what is wrong with it, and that no bit hangs on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from jobs.errors import InvalidInput
from jobs.specs.normalise import normalise
from tests.trainer_runs import Sequences, Workshop

Document = dict[str, Any]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    columns = {
        "image": np.random.default_rng(1).random((20, 1, 8, 8)),
        "kind": np.arange(20) % 2,
        "words": Sequences(np.arange(40) % 5, np.full(20, 2)),
    }
    workshop.dataset("mixed", columns, {"train": np.arange(15), "test": np.arange(15, 20)})
    return workshop


def spec(**keep: Any) -> Document:
    return {
        "dataset": "ds_mixed",
        "inputs": {"image": "image", "kind": "kind", "words": "words"},
        "network": [
            {"name": "maps", "type": "convolution", "filters": 2, "filter_shape": [3, 3], "input": "image"},
            {"name": "step", "type": "dense", "units": 3, "input": "words"},
            {"name": "read", "type": "last", "input": "step"},
            {"name": "seen", "type": "flatten", "input": "maps"},
            {"name": "all", "type": "splice", "inputs": ["seen", "read"]},
            {"name": "scores", "type": "dense", "units": 2, "input": "all"},
        ],
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "kind"}],
        "learner": {"type": "sgd"},
        "training": {"epochs": 1},
        **({"keep": keep} if keep else {}),
    }


def complete(shop: Workshop, document: Document) -> Document:
    return normalise(document, shop.volume, shop.settings).document


def test_nothing_is_kept_unless_asked_for(shop: Workshop) -> None:
    assert complete(shop, spec())["keep"] is None


def test_what_is_left_out_is_filled_in(shop: Workshop) -> None:
    document = complete(shop, spec(values=["scores"], pictures=["image", "maps"]))
    assert document["keep"] == {
        "values": ["scores"],
        "rows": 10_000,
        "pictures": ["image", "maps"],
        "images": 10,
    }


def test_it_is_no_part_of_the_fingerprint(shop: Workshop) -> None:
    documents = [spec(), spec(values=["read"]), spec(pictures=["image"], images=[7, 3])]
    assert len({complete(shop, document)["fingerprint"] for document in documents}) == 1


@pytest.mark.parametrize(
    ("keep", "pointer", "says"),
    [
        ({"rows": 5}, "/keep", "name nodes in values"),
        ({"values": ["score"]}, "/keep/values/0", "did you mean 'scores'?"),
        ({"values": ["scores", "scores"]}, "/keep/values", "once only"),
        ({"values": ["kind"]}, "/keep/values/0", "'kind' is a categorical field"),
        ({"values": ["read", "step"]}, "/keep/values/1", "one value a step of 'words'"),
        ({"values": ["scores"], "rows": 0}, "/keep/rows", "greater than or equal to 1, not 0"),
        ({"values": ["maps", "image"], "rows": 200_000}, "/keep/rows", "keep at most 87381 rows"),
        ({"pictures": ["seen"]}, "/keep/pictures/0", "'seen' is 128; put a reshape layer"),
        ({"pictures": ["imagine"]}, "/keep/pictures/0", "did you mean 'image'?"),
        (
            {"pictures": ["image"], "images": 101},
            "/keep/images",
            "1 to 100, or a list of as many rows, not 101",
        ),
        ({"pictures": ["image"], "images": 0}, "/keep/images", "1 to 100, or a list of as many rows, not 0"),
        (
            {"pictures": ["image"], "images": []},
            "/keep/images",
            "1 to 100, or a list of as many rows, not []",
        ),
        ({"pictures": ["image"], "images": ["3"]}, "/keep/images", "a list of as many rows, not ['3']"),
        (
            {"pictures": ["image"], "images": True},
            "/keep/images",
            "1 to 100, or a list of as many rows, not true",
        ),
        (
            {"pictures": ["image"], "images": [*range(101)]},
            "/keep/images",
            "1 to 100, or a list of as many rows",
        ),
        ({"pictures": ["image"], "images": [3, 4, 3]}, "/keep/images", "each may stand here once only"),
        ({"pictures": ["image"], "images": [-1]}, "/keep/images", "rows are counted from 0"),
        ({"pictures": ["image"], "images": [3, 20]}, "/keep/images/1", "20 rows, counted from 0, and no 20"),
        ({"picture": ["image"]}, "/keep/picture", "did you mean 'pictures'?"),
    ],
)
def test_what_is_wrong_is_named(shop: Workshop, keep: Document, pointer: str, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        complete(shop, spec(**keep))
    (fault,) = caught.value.faults
    assert fault.pointer == pointer
    assert says in fault.detail
