"""How many threads a job gets that leaves it to the service: by its network, and by what workers announce."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.cores import share
from jobs.errors import InvalidInput
from jobs.settings import Settings
from jobs.specs.normalise import normalise
from jobs.specs.threads import MOST
from jobs.workers import Machine, WorkerEntry
from tests.trainer_runs import Sequences, Sparse, Workshop
from trainer.files import write_json
from worker import cores

Document = dict[str, Any]
ROWS = 12
PLENTY = 99


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    workshop = Workshop(tmp_path_factory.mktemp("home"), {})
    random = np.random.default_rng(0)
    long = np.full(ROWS, 300)
    workshop.dataset(
        "all",
        {
            "numbers": random.normal(size=(ROWS, 784)),
            "images": random.uniform(0, 1, (ROWS, 1, 28, 28)),
            "colours": random.uniform(0, 1, (ROWS, 3, 32, 32)),
            "words": Sequences(np.arange(long.sum()) % 20, long),
            "vectors": Sequences(random.normal(size=(long.sum(), 64)), long),
            "bag": Sparse.of(np.eye(ROWS, 3000)),
            "digit": np.arange(ROWS) % 10,
        },
        {"train": np.arange(ROWS)},
    )
    return workshop


def layer(name: str, kind: str, source: str, **settings: Any) -> Document:
    return {"name": name, "type": kind, "input": source, **settings}


def posted(inputs: list[str], network: list[Document], minibatch: int, **training: Any) -> Document:
    return {
        "dataset": "ds_all",
        "inputs": {name: name for name in inputs},
        "network": network,
        "objective": [{"type": "cross_entropy_with_softmax", "output": "scores", "target": "digit"}],
        "learner": {"type": "adam"},
        "training": {"epochs": 1, "minibatch_size": minibatch, **training},
    }


def dense(minibatch: int, field: str = "numbers", **training: Any) -> Document:
    """784-512-512-10, of fields of 784 numbers."""
    network = [
        layer("h1", "dense", field, units=512),
        layer("h2", "dense", "h1", units=512),
        layer("scores", "dense", "h2", units=10),
    ]
    return posted([field], network, minibatch, **training)


def convolutions(minibatch: int) -> Document:
    network = [
        layer("c1", "convolution", "images", filters=16, filter_shape=[5, 5]),
        layer("p1", "max_pooling", "c1", window=[2, 2]),
        layer("c2", "convolution", "p1", filters=32, filter_shape=[3, 3]),
        layer("p2", "max_pooling", "c2", window=[2, 2]),
        layer("h", "dense", "p2", units=128),
        layer("scores", "dense", "h", units=10),
    ]
    return posted(["images"], network, minibatch)


def recurrent(minibatch: int) -> Document:
    network = [
        layer("h", "dense", "vectors", units=512),
        layer("run", "lstm", "h", units=128),
        layer("end", "last", "run"),
        layer("scores", "dense", "end", units=10),
    ]
    return posted(["vectors"], network, minibatch)


def by_steps(minibatch: int) -> Document:
    """300 steps a row, each by itself."""
    network = [
        layer("h", "dense", "vectors", units=128),
        layer("mean", "sequence_mean", "h"),
        layer("scores", "dense", "mean", units=10),
    ]
    return posted(["vectors"], network, minibatch)


def recipe(minibatch: int, **settings: Any) -> Document:
    return {
        "dataset": "ds_all",
        "recipe": settings,
        "training": {"epochs": 1, "minibatch_size": minibatch},
    }


CLASSIFIER = {"type": "classifier", "inputs": ["numbers"], "target": "digit", "hidden": [512, 512]}
READER = {"type": "sequence_classifier", "input": "words", "target": "digit"}


def threads(shop: Workshop, document: Mapping[str, Any], allowed: int = PLENTY, **settings: Any) -> Any:
    found = normalise(
        document,
        shop.volume,
        shop.settings.model_copy(update={"threads": "auto", **settings}),
        allowance=lambda requires: allowed,
    )
    return found.document["training"]["threads"]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        # A row takes 802,816 multiplications in the first layer and 801,792 behind it; 0.25 billion a thread.
        (dense(64), 1),
        (dense(311), 1),
        (dense(312), 2),
        (dense(467), 2),
        (dense(468), 3),
        (dense(10_000), MOST),
        (recipe(64, **CLASSIFIER), 1),
        (recipe(400, **CLASSIFIER), 2),
        # 3,942,656 a row: each place of a map counts.
        (convolutions(64), 1),
        (convolutions(126), 1),
        (convolutions(127), 2),
        (convolutions(256), MOST),
        # 2 * 64 * 128 for each of 300 steps, and 3 * 1280 a row.
        (by_steps(101), 1),
        (by_steps(102), 2),
        (recurrent(5000), 1),
        (recipe(5000, **READER), 1),
        (dense(5000, "bag") | {"learner": {"type": "sgd"}}, 1),
    ],
)
def test_a_job_has_the_threads_that_its_step_is_worth(
    shop: Workshop, document: Document, expected: int
) -> None:
    assert threads(shop, document) == expected


def test_layers_that_share_parameters_compute_like_others(shop: Workshop) -> None:
    document = dense(160)
    alone = threads(shop, document)
    more = [layer(f"m{n}", "dense", "h2" if n == 0 else f"m{n - 1}", units=512) for n in range(2)]
    more += [layer("again", "dense", "m1", units=512, share="m1")]
    document["network"][2:2] = more
    document["network"][-1]["input"] = "again"
    assert (alone, threads(shop, document)) == (1, 2)


def test_layers_may_be_posted_in_any_order(shop: Workshop) -> None:
    backwards = [dense(minibatch) for minibatch in (311, 312)]
    for document in backwards:
        document["network"].reverse()
    assert [threads(shop, document) for document in backwards] == [1, 2]


def test_transposed_convolutions_use_their_weights_at_each_place_that_they_take(shop: Workshop) -> None:
    up = {"filters": 16, "filter_shape": [3, 3], "strides": 2, "output_shape": [64, 64]}
    network = [
        layer("c", "convolution", "colours", filters=16, filter_shape=[3, 3]),
        layer("u", "convolution_transpose", "c", **up),
        layer("flat", "global_average_pooling", "u"),
        layer("scores", "dense", "flat", units=10),
    ]
    # (2 * 3 * 16 * 9 + 3 * 16 * 16 * 9) * 1024 + 3 * 160 a row.
    found = [threads(shop, posted(["colours"], network, minibatch)) for minibatch in (62, 63)]
    assert found == [1, 2]


@pytest.mark.parametrize("allowed", [1, 2, 3])
def test_it_has_no_more_than_there_are_cores_for(shop: Workshop, allowed: int) -> None:
    assert threads(shop, dense(10_000), allowed) == allowed


def test_nobody_is_asked_for_cores_that_are_not_needed(shop: Workshop) -> None:
    def asked(requires: object) -> int:
        raise AssertionError("asked")

    for document in (dense(64), dense(10_000, threads=3), recurrent(64)):
        normalise(document, shop.volume, shop.settings, allowance=asked)


def test_whoever_names_a_number_has_it(shop: Workshop) -> None:
    assert threads(shop, dense(64, threads=7)) == 7
    assert threads(shop, dense(10_000, threads=1)) == 1
    assert threads(shop, dense(64), threads=5) == 5
    assert threads(shop, dense(10_000, threads="auto"), threads=5) == 5
    assert threads(shop, dense(10_000, threads="auto")) == MOST
    assert threads(shop, dense(64, threads=None)) == 1


def test_what_continues_a_job_has_that_jobs_number(shop: Workshop) -> None:
    run = shop.volume.job("job_large")
    run.path.mkdir(parents=True)
    settings = shop.settings.model_copy(update={"threads": "auto"})
    before = normalise(dense(10_000), shop.volume, settings, allowance=lambda requires: 2)
    write_json(run.spec, before.document)
    for mode in ("exact", "continue"):
        start = {"start_from": {"job": "job_large", "mode": mode}}
        after = normalise(dense(10_000) | start, shop.volume, settings, allowance=lambda requires: 4)
        assert after.document["training"]["threads"] == 2
        assert after.fingerprint == before.fingerprint
    start = {"start_from": {"job": "job_large", "mode": "weights"}}
    assert threads(shop, dense(10_000) | start) == MOST


@pytest.mark.parametrize("wrong", [0, 257, True, 2.0, "2", "autoo"])
def test_a_wrong_number_is_named(shop: Workshop, wrong: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise(dense(64, threads=wrong), shop.volume, shop.settings)
    (fault,) = caught.value.faults
    assert fault.pointer == "/training/threads"
    assert "a number from 1 to 256, or 'auto'" in fault.detail


def test_the_setting_is_a_number_or_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CNTK_JOBS_THREADS", raising=False)
    assert Settings().threads == "auto"
    for text, expected in (("auto", "auto"), ("3", 3)):
        monkeypatch.setenv("CNTK_JOBS_THREADS", text)
        assert Settings().threads == expected
    for text in ("0", "-1", "many", ""):
        monkeypatch.setenv("CNTK_JOBS_THREADS", text)
        with pytest.raises(ValueError, match="a number from 1 to 256, or 'auto'"):
            Settings()


def worker(threads: int, machine: tuple[str, int] | None = None, **labels: str) -> WorkerEntry:
    return WorkerEntry(
        name="w",
        host="h",
        pid=1,
        labels=labels,
        trainer={},
        summary="",
        started_at="",
        threads=threads,
        machine=machine and Machine(id=machine[0], cores=machine[1]),
    )


@pytest.mark.parametrize(
    ("workers", "requires", "expected"),
    [
        ([], {}, 1),
        ([worker(4)], {}, 4),
        ([worker(4), worker(2)], {}, 2),
        ([worker(4, room="warm"), worker(2, room="cold")], {"room": ["warm", "hot"]}, 4),
        ([worker(4, room="warm")], {"room": ["cold"]}, 1),
        # In containers each thinks that all of the machine is its own.
        ([worker(4, ("a", 4))], {}, 4),
        ([worker(4, ("a", 4)), worker(4, ("a", 4))], {}, 2),
        ([worker(4, ("a", 4)), worker(4, ("b", 4))], {}, 4),
        ([worker(2, ("a", 8)), worker(2, ("a", 8))], {}, 2),
        ([worker(2, ("a", 2))] * 3, {}, 1),
        ([worker(4, ("a", 4), room="warm"), worker(4, ("a", 4))], {"room": ["warm"]}, 2),
    ],
)
def test_a_job_may_have_what_is_left_to_each_of_its_workers(
    workers: list[WorkerEntry], requires: dict[str, list[str]], expected: int
) -> None:
    assert share(requires, workers) == expected


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/\n", {}, PLENTY),
        ("0::/\n", {"cpu.max": "max 100000"}, PLENTY),
        ("0::/\n", {"cpu.max": "250000 100000"}, 2),
        ("0::/a/b\n", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/a/b\n", {"cpu.max": "100000 100000", "a/b/cpu.max": "400000 100000"}, 1),
        ("0::/../far\n", {"cpu.max": "200000 100000"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/\n", {"cpu.max": ""}, PLENTY),
        ("3:cpu,cpuacct:/a\n", {"cpu,cpuacct/a/cpu.cfs_quota_us": "-1"}, PLENTY),
        (
            "3:cpu,cpuacct:/a\n1:memory:/m\n",
            {"cpu,cpuacct/a/cpu.cfs_quota_us": "200000", "cpu,cpuacct/a/cpu.cfs_period_us": "100000"},
            2,
        ),
        ("3:cpu,cpuacct:/a\n", {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
    ],
)
def test_cores_are_those_that_a_container_may_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(PLENTY)))
    own = tmp_path / "own"
    own.write_text(groups)
    for name, text in files.items():
        path = tmp_path / "mounted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert cores.usable(own, tmp_path / "mounted") == expected


def test_cores_are_those_of_this_process_where_nothing_else_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {3, 5, 7})
    assert cores.usable(tmp_path / "none", tmp_path) == 3
    assert cores.machine(tmp_path / "none") is None
    assert cores.machine() == cores.machine()
