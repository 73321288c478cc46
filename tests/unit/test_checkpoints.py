"""Checkpoints on a volume, whole and broken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobs.checkpoints import choose, get_checkpoint, link, list_checkpoints, pin, unpin, verify
from jobs.errors import Conflict, NotFound
from trainer.files import write_json
from trainer.layout import CheckpointDirectory, RunDirectory, Volume

SCORES = {10: 0.5, 20: 0.2, 30: 0.4, 40: None}


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    run = Volume(tmp_path).job("job_a")
    write_json(run.spec, {"watch": {"metric": "error", "split": "valid", "better": "lower"}})
    for samples, score in SCORES.items():
        publish(run, samples, score)
    (run.checkpoints / ".writing-50").mkdir()
    return run


def publish(run: RunDirectory, samples: int, score: float | None) -> None:
    directory = run.checkpoint(samples)
    directory.path.mkdir(parents=True)
    files = {}
    for path in (directory.model, directory.learners, directory.loop):
        path.write_bytes(f"{path.name} at {samples}".encode())
        content = path.read_bytes()
        files[path.name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest: dict[str, Any] = {
        "format": 1,
        "job": run.path.name,
        "step": samples // 10,
        "samples": samples,
        "epoch": 0,
        "losses": {"train": {"total": 0.1}},
        "metrics": {},
        "score": score,
        "created_at": 1_700_000_000.25,
        "files": files,
    }
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    write_json(directory.manifest, {**manifest, "sha256": hashlib.sha256(canonical).hexdigest()})


def flip_a_bit(directory: CheckpointDirectory) -> None:
    content = bytearray(directory.model.read_bytes())
    content[0] ^= 1
    directory.model.write_bytes(content)


BREAKS: dict[str, tuple[Callable[[CheckpointDirectory], Any], str, str]] = {
    "a file that is gone": (lambda d: d.learners.unlink(), "missing", "model.dnn.ckp is missing"),
    "a truncated file": (
        lambda d: d.model.write_bytes(b"model"),
        "truncated",
        "model.dnn has 5 bytes where 15",
    ),
    "a flipped bit": (
        flip_a_bit,
        "hash_mismatch",
        "the content of job_a/checkpoints/40/model.dnn has changed",
    ),
    "no manifest": (lambda d: d.manifest.unlink(), "missing", "manifest.json is missing"),
    "a torn manifest": (
        lambda d: d.manifest.write_text('{"files"'),
        "unreadable",
        "manifest.json is no manifest",
    ),
    "a manifest that is a list": (lambda d: d.manifest.write_text("[]"), "unreadable", "is no manifest"),
    "a changed manifest": (
        lambda d: d.manifest.write_text(d.manifest.read_text().replace('"epoch": 0', '"epoch": 1')),
        "hash_mismatch",
        "manifest.json has changed",
    ),
}


def test_the_list_is_oldest_first(run: RunDirectory) -> None:
    found = list_checkpoints(run)
    assert [checkpoint.id for checkpoint in found] == [f"job_a@{samples}" for samples in SCORES]
    assert [checkpoint.best for checkpoint in found] == [False, True, False, False]
    assert found[0].size == 15 + 19 + 15
    assert found[0].created_at == "2023-11-14T22:13:20.250Z"


def test_the_best_may_be_the_greatest(run: RunDirectory) -> None:
    write_json(run.spec, {"watch": {"metric": "accuracy", "split": "valid", "better": "higher"}})
    assert choose(run, "best").samples == 10


@pytest.mark.parametrize(
    ("which", "samples"), [("latest", 40), ("best", 20), (30, 30), ("30", 30), ("job_a@10", 10)]
)
def test_what_can_be_chosen(run: RunDirectory, which: str | int, samples: int) -> None:
    chosen = choose(run, which)
    assert (chosen.id, chosen.samples, chosen.manifest["step"]) == (
        f"job_a@{samples}",
        samples,
        samples // 10,
    )


@pytest.mark.parametrize("which", [11, "first", "job_b@10", "@", "-10", ""])
def test_what_is_not_there_is_not_found(run: RunDirectory, which: str | int) -> None:
    with pytest.raises(NotFound, match="by samples: 10, 20, 30, 40"):
        choose(run, which)


def test_a_job_without_checkpoints_has_no_latest(tmp_path: Path) -> None:
    for which in ("latest", "best"):
        with pytest.raises(NotFound, match=f"has no {which} checkpoint"):
            choose(Volume(tmp_path).job("job_b"), which)


def test_a_whole_checkpoint_has_no_faults(run: RunDirectory) -> None:
    assert verify(run.checkpoint(40)) == []


@pytest.mark.parametrize("name", BREAKS)
def test_each_way_of_breaking_is_named(run: RunDirectory, name: str) -> None:
    damage, code, words = BREAKS[name]
    damage(run.checkpoint(40))
    [fault] = verify(run.checkpoint(40))
    assert fault.code == code
    assert words in fault.detail
    assert fault.pointer.startswith("/job_a/checkpoints/40/")


def test_every_broken_file_is_named(run: RunDirectory) -> None:
    for path in (run.checkpoint(40).model, run.checkpoint(40).loop):
        path.unlink()
    assert [fault.pointer.rpartition("/")[2] for fault in verify(run.checkpoint(40))] == [
        "loop.json",
        "model.dnn",
    ]


def test_a_broken_one_offers_the_whole_one_before_it(run: RunDirectory) -> None:
    flip_a_bit(run.checkpoint(40))
    flip_a_bit(run.checkpoint(30))
    with pytest.raises(Conflict, match="job_a@20 is the newest whole checkpoint before it") as caught:
        choose(run, "latest")
    assert caught.value.extra == {"whole_checkpoint": "job_a@20"}
    assert [fault.code for fault in caught.value.faults] == ["hash_mismatch"]


def test_a_broken_first_one_has_nothing_to_offer(run: RunDirectory) -> None:
    flip_a_bit(run.checkpoint(10))
    with pytest.raises(Conflict, match="no whole checkpoint comes before it") as caught:
        choose(run, 10)
    assert caught.value.extra == {"whole_checkpoint": None}


def test_a_linked_checkpoint_outlives_its_origin(run: RunDirectory, tmp_path: Path) -> None:
    target = Volume(tmp_path).job("job_b").start
    link(run.checkpoint(20), target)
    for path in run.checkpoint(20).path.iterdir():
        path.unlink()
    assert verify(target) == []
    assert target.model.read_bytes() == b"model.dnn at 20"


def test_linking_what_was_retired_meanwhile(run: RunDirectory, tmp_path: Path) -> None:
    run.checkpoint(20).model.unlink()
    with pytest.raises(Conflict, match="was retired meanwhile"):
        link(run.checkpoint(20), Volume(tmp_path).job("job_b").start)


def test_a_pin(run: RunDirectory) -> None:
    assert pin(run, 10).pinned
    assert run.checkpoint(10).pinned.exists()
    assert [checkpoint.pinned for checkpoint in list_checkpoints(run)] == [True, False, False, False]
    assert not unpin(run, 10).pinned
    assert not unpin(run, 10).pinned
    with pytest.raises(NotFound):
        pin(run, 11)


def test_a_broken_manifest_is_not_listed(run: RunDirectory) -> None:
    run.checkpoint(30).manifest.unlink()
    assert [checkpoint.samples for checkpoint in list_checkpoints(run)] == [10, 20, 40]
    with pytest.raises(NotFound):
        get_checkpoint(run, 30)
