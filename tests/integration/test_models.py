"""Base models through the API and a real worker, opened by real CNTK in the sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.base_models.records import load_model
from tests.base_models import Importing, ask_cntk, importing
from tests.valkey_server import ValkeyServer


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Importing]:
    with importing(tmp_path / "home", valkey.url) as place:
        place.settings.home.mkdir(exist_ok=True)
        yield place


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, chosen_environment: dict[str, Any]) -> Path:
    """A folder with a small network, a recurrent one and a crafted one, which would write MARKER."""
    folder = tmp_path_factory.mktemp("models")
    ask_cntk(
        chosen_environment,
        {"do": "small", "path": str(folder / "small.model")},
        {"do": "free", "path": str(folder / "free.dnn")},
        {"do": "recurrent", "path": str(folder / "recurrent.dnn")},
        {"do": "craft", "path": str(folder / "crafted.model"), "marker": str(folder / "MARKER")},
    )
    return folder


def kept(place: Importing, record: dict[str, Any]) -> Path:
    return place.settings.volume.model(record["id"]).model


def test_a_model_is_imported_whole(
    place: Importing, models: Path, chosen_environment: dict[str, Any]
) -> None:
    place.start_worker()
    preprocessing = {"shift": [1, 2, 3], "scale": 0.5, "channel_order": "bgr"}
    record = place.imported(models / "small.model", name="small", preprocessing=preprocessing)
    assert record["status"] == "ready", record
    assert record["sandbox"].endswith("seccomp+no_new_privs+rlimits")
    assert record["preprocessing"] == {"shift": [1.0, 2.0, 3.0], "scale": 0.5, "channel_order": "bgr"}
    assert record["inputs"] == [{"name": "pixels", "shape": [3, 8, 8]}]
    names = [node["name"] for node in record["nodes"]]
    assert len(set(names)) == len(names)
    assert {"conv", "conv_2", "pool", "z"} <= set(names)
    assert record["outputs"] == ["z"]
    seen = {"pixels"}
    for node in record["nodes"]:
        assert set(node["inputs"]) <= seen, "topological order"
        seen.add(node["name"])
    assert record["parameters"] == sum(node["parameters"] for node in record["nodes"])
    was, now = ask_cntk(
        chosen_environment,
        {"do": "outputs", "path": str(models / "small.model"), "shape": [3, 8, 8]},
        {"do": "outputs", "path": str(kept(place, record)), "shape": [3, 8, 8]},
    )
    assert now == was
    assert load_model(place.settings.volume, record["id"]).sha256 == record["sha256"]


def test_sizes_may_be_free(place: Importing, models: Path) -> None:
    place.start_worker()
    record = place.imported(models / "free.dnn")
    assert record["status"] == "ready", record
    assert record["inputs"][0]["shape"] == [3, -1, -1]
    assert {tuple(node["shape"]) for node in record["nodes"] if node["name"] == "conv"} == {(4, -1, -1)}


def test_what_was_brought_before_is_found_again(place: Importing, models: Path) -> None:
    first = place.bring(models / "small.model", name="one")
    again = place.bring(models / "small.model", name="two")
    other = place.bring(models / "small.model", preprocessing={"scale": 2})
    assert [first.status_code, again.status_code, other.status_code] == [202, 200, 202]
    assert again.json() == first.json()
    assert other.json()["id"] != first.json()["id"]
    place.start_worker()
    assert place.settled(first.json()["id"])["status"] == "ready"
    assert place.bring(models / "small.model").json()["status"] == "ready"
    listed = place.client.get("/v1/models", params={"page_size": 1}).json()
    assert [record["id"] for record in listed["items"]] == [other.json()["id"]]
    assert listed["items"][0]["nodes"] == []
    rest = place.client.get("/v1/models", params={"page_token": listed["next_page_token"]}).json()
    assert [record["id"] for record in rest["items"]] == [first.json()["id"]]


def test_a_request_with_a_key_is_done_once(place: Importing, models: Path) -> None:
    def send(**options: Any) -> httpx.Response:
        return place.client.post(
            "/v1/models",
            files={"file": ("small.model", (models / "small.model").read_bytes())},
            data={"options": json.dumps(options)},
            headers={"Idempotency-Key": "one"},
        )

    first, again, other = send(name="a"), send(name="a"), send(name="b")
    assert [first.status_code, again.status_code, other.status_code] == [202, 202, 422]
    assert again.json()["id"] == first.json()["id"]


def test_a_deleted_model_is_gone(place: Importing, models: Path) -> None:
    place.start_worker()
    record = place.imported(models / "small.model")
    assert place.client.delete(f"/v1/models/{record['id']}").status_code == 204
    assert place.client.delete(f"/v1/models/{record['id']}").status_code == 404
    assert place.client.get(f"/v1/models/{record['id']}").status_code == 404
    assert list(place.settings.volume.models.iterdir()) == []


def test_a_killed_worker_loses_no_import(place: Importing, models: Path) -> None:
    worker = place.start_worker()
    model_id = place.bring(models / "small.model").json()["id"]
    lock = place.settings.volume.model(model_id).lock
    while not lock.exists():
        assert worker.poll() is None
    worker.kill()
    worker.wait()
    assert place.client.get(f"/v1/models/{model_id}").json()["status"] == "importing"
    place.start_worker()
    assert place.settled(model_id)["status"] == "ready"


def test_an_import_outlives_a_redis_that_lost_everything(
    place: Importing, models: Path, valkey: ValkeyServer
) -> None:
    model_id = place.bring(models / "small.model").json()["id"]
    with valkey.client() as client:
        client.flushall()
    assert place.client.post("/v1/rescan").status_code == 200
    place.start_worker()
    assert place.settled(model_id)["status"] == "ready"


def test_a_file_that_would_run_code_is_refused(
    place: Importing, models: Path, chosen_environment: dict[str, Any]
) -> None:
    marker = models / "MARKER"
    marker.unlink(missing_ok=True)
    ask_cntk(chosen_environment, {"do": "load", "path": str(models / "crafted.model")})
    assert marker.exists(), "the file does not do what it was made for"
    marker.unlink()
    place.start_worker()
    record = place.imported(models / "crafted.model")
    assert record["status"] == "refused"
    assert "user-defined function" in record["detail"]
    assert not marker.exists()
    assert not kept(place, record).exists()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.model", b"hello, this is text", "no whole CNTK model"),
        ("a.onnx", b"hello, this is text", "no whole ONNX model"),
        ("old.model", b"B\0C\0N\0\0\0" + bytes(100), "CNTK 1"),
    ],
)
def test_what_is_no_model_is_refused(
    place: Importing, tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    place.start_worker()
    (tmp_path / name).write_bytes(content)
    record = place.imported(tmp_path / name)
    assert record["status"] == "refused"
    assert says in record["detail"]


def test_truncated_recurrent_and_misfit_models_are_refused(
    place: Importing, models: Path, tmp_path: Path
) -> None:
    place.start_worker()
    (tmp_path / "cut.model").write_bytes((models / "small.model").read_bytes()[:-100])
    assert "cut off" in place.imported(tmp_path / "cut.model")["detail"]
    assert "recurrent" in place.imported(models / "recurrent.dnn")["detail"]
    misfit = place.imported(models / "small.model", preprocessing={"shift": [1, 2]})
    assert misfit["status"] == "refused"
    assert "2 numbers" in misfit["detail"]


def test_bad_requests_name_every_fault(place: Importing, models: Path) -> None:
    answer = place.bring(models / "small.model", nam="x", preprocessing={"channel_order": "grb"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    faults = {fault["pointer"]: fault["detail"] for fault in answer.json()["errors"]}
    assert set(faults) == {"/options/nam", "/options/preprocessing/channel_order"}
    assert "name" in faults["/options/nam"]
    unknown = place.client.post("/v1/models", files={"file": ("x.bin", b"123")})
    assert [fault["pointer"] for fault in unknown.json()["errors"]] == ["/options/format"]
    gone = place.client.post("/v1/models", json={"job": "job_01K9Z6V3N8Q4T0R7XW2Y5B1CDE"})
    assert gone.status_code == 404
    assert place.client.post("/v1/models", json={}).status_code == 422
    assert place.client.get("/v1/models/mdl_nothing").status_code == 404
    assert list(place.settings.volume.incoming.iterdir()) == []


REAL = [
    ("ResNet20_CIFAR10.model", (3, 32, 32), "layer3_2", 272_282),
    ("SqueezeNet11_ImageNet.model", (3, 224, 224), "fire9", 1_235_496),
    ("resnet20_cifar10.onnx", (3, 32, 32), "layer3_2_relu2", 272_282),
    ("squeezenet_fp32.onnx", (3, 224, 224), "fire9/concat_1", 1_235_496),
]


@pytest.mark.parametrize(("name", "shape", "node", "parameters"), REAL, ids=[row[0] for row in REAL])
def test_real_models_give_the_same_as_before(
    place: Importing,
    test_data: Callable[[str], Path],
    chosen_environment: dict[str, Any],
    name: str,
    shape: tuple[int, ...],
    node: str,
    parameters: int,
) -> None:
    place.start_worker()
    record = place.imported(test_data("pretrained") / name)
    assert record["status"] == "ready", record["detail"]
    assert record["parameters"] == parameters
    assert tuple(record["inputs"][0]["shape"]) == shape
    assert node in [found["name"] for found in record["nodes"]]
    brought = {
        "do": "outputs",
        "path": str(test_data("pretrained") / name),
        "shape": shape,
        "onnx": name.endswith("onnx"),
    }
    was, now, facts = ask_cntk(
        chosen_environment,
        brought,
        {"do": "outputs", "path": str(kept(place, record)), "shape": shape},
        {"do": "facts", "path": str(kept(place, record))},
    )
    biggest = max(abs(value) for row in was for value in row)
    for one, other in zip(was, now, strict=True):
        assert other == pytest.approx(one, rel=1e-5, abs=1e-5 * biggest)
    assert facts["axes"] == [1], "the input has a batch axis and no other"
    assert len(set(facts["parameters"])) == len(facts["parameters"]), "names of weights are their own"
    # Statistics of batch normalization are no parameters: they are learned without a gradient.
    assert all(
        name.endswith((".mean", ".variance", ".count", "_mean", "_var")) for name in facts["constants"]
    )
