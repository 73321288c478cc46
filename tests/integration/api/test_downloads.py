"""Files in part and whole: ranges, tags and digests of checkpoints' files, artifacts and raw logs."""

from __future__ import annotations

import base64
import hashlib
import os

import httpx
import pytest

from app import files
from tests.api_calls import Run, pointers
from tests.practice_trainer import publish

CONTENT = bytes(range(256)) * 4000
SIZE = len(CONTENT)


@pytest.fixture
def artifact(run: Run, api: httpx.Client) -> str:
    """The address of a file of about a megabyte."""
    run.directory.artifacts.mkdir(parents=True)
    (run.directory.artifacts / "100% of it? #1.bin").write_bytes(CONTENT)
    (file,) = api.get(f"/v1/jobs/{run.id}/artifacts").json()["items"]
    return str(file["href"])


def digest_of(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def test_a_whole_file(api: httpx.Client, artifact: str) -> None:
    answer = api.get(artifact)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    headers = answer.headers
    assert headers["etag"] == f'"{hashlib.sha256(CONTENT).hexdigest()}"'
    assert headers["content-digest"] == headers["repr-digest"] == digest_of(CONTENT)
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == "attachment; filename*=utf-8''100%25%20of%20it%3F%20%231.bin"
    again = api.get(artifact, headers={"if-none-match": headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=2-4", 2, 5),
        ("bytes=1023990-", 1023990, SIZE),
        ("bytes=-7", SIZE - 7, SIZE),
        ("bytes=0-", 0, SIZE),
        ("bytes=5-99999999999", 5, SIZE),
        ("bytes=-99999999999", 0, SIZE),
        ("Bytes = 262143 - 262145", 262143, 262146),
    ],
)
def test_a_part(api: httpx.Client, artifact: str, asked: str, start: int, end: int) -> None:
    answer = api.get(artifact, headers={"range": asked})
    assert (answer.status_code, answer.content) == (206, CONTENT[start:end])
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["repr-digest"] == digest_of(CONTENT)
    assert "content-digest" not in answer.headers


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=-", "bytes=0-1,5-6", "lines=0-5", "bytes", "bytes=a-b", ""]
)
def test_what_is_no_range_is_passed_over(api: httpx.Client, artifact: str, asked: str) -> None:
    assert api.get(artifact, headers={"range": asked}).status_code == 200


@pytest.mark.parametrize("asked", [f"bytes={SIZE}-", "bytes=9999999999-9999999999", "bytes=-0"])
def test_a_part_that_is_not_there(api: httpx.Client, artifact: str, asked: str) -> None:
    answer = api.get(artifact, headers={"range": asked})
    pointers(answer, 416)
    assert answer.headers["content-range"] == f"bytes */{SIZE}"
    assert answer.json()["type"] == "urn:cntk-jobs:problem:range-not-satisfiable"


def test_a_part_of_the_same_file_or_all_of_the_new_one(api: httpx.Client, artifact: str, run: Run) -> None:
    tag = api.get(artifact).headers["etag"]
    headers = {"range": "bytes=0-3", "if-range": tag}
    assert api.get(artifact, headers=headers).status_code == 206
    (path,) = run.directory.artifacts.iterdir()
    path.write_bytes(b"another")
    answer = api.get(artifact, headers=headers)
    assert (answer.status_code, answer.content) == (200, b"another")
    assert api.get(artifact, headers={"range": "bytes=0-3", "if-range": f"W/{tag}"}).status_code == 200
    (path).unlink()
    assert api.get(artifact).status_code == 404


def test_digests_are_remembered_but_not_for_ever(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "REMEMBERED", 2)
    files._digests.clear()
    hashed: list[int] = []
    real = files._sha256
    monkeypatch.setattr(files, "_sha256", lambda file, size: hashed.append(size) or real(file, size))
    folder = run.directory.path
    for size in (1, 2, 1, 2, 3, 1):
        path = folder / f"{size}.bin"
        if not path.exists():
            path.write_bytes(b"x" * size)
        with path.open("rb") as file:
            assert files.digest_of(file, size) == hashlib.sha256(b"x" * size).hexdigest()
    assert hashed == [1, 2, 3, 1]
    # Of a file that is written anew in the same size the old digest is not said.
    path = folder / "1.bin"
    path.write_bytes(b"y")
    os.utime(path, ns=(1, 1))
    with path.open("rb") as file:
        assert files.digest_of(file, 1) == hashlib.sha256(b"y").hexdigest()


def test_a_raw_log_grows(api: httpx.Client, run: Run) -> None:
    url = f"/v1/jobs/{run.id}/attempts/1/stderr"
    assert api.get(url).status_code == 404
    run.attempt.stderr.write_bytes(b"caf\xe9 1\n")
    answer = api.get(url)
    assert (answer.content, answer.headers["content-type"]) == (b"caf\xe9 1\n", "text/plain; charset=utf-8")
    size = len(answer.content)
    assert api.get(url, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    behind = {"range": f"bytes={size}-"}
    assert api.get(url, headers=behind).status_code == 416
    with run.attempt.stderr.open("ab") as log:
        log.write(b"line 2\n")
    more = api.get(url, headers=behind)
    assert (more.status_code, more.content) == (206, b"line 2\n")
    assert more.headers["etag"] != answer.headers["etag"]
    run.attempt.stdout.write_bytes(b"")
    empty = api.get(f"/v1/jobs/{run.id}/attempts/1/stdout")
    assert (empty.status_code, empty.content) == (200, b"")
    for attempt, stream, status in (("2", "stderr", 404), ("0", "stderr", 422), ("1", "log", 422)):
        assert api.get(f"/v1/jobs/{run.id}/attempts/{attempt}/{stream}").status_code == status


def test_a_checkpoint_is_pinned_by_a_patch(api: httpx.Client, run: Run) -> None:
    publish(run.directory, 1, "chain")
    (samples,) = run.directory.published_checkpoints()
    url = f"/v1/checkpoints/{run.id}@{samples}"
    tag = api.get(url).headers["etag"]
    pinned = api.patch(url, json={"pinned": True}, headers={"if-match": tag})
    assert (pinned.status_code, pinned.json()["pinned"]) == (200, True)
    assert api.get(url).headers["etag"] == pinned.headers["etag"] != tag
    assert api.patch(url, json={"pinned": False}, headers={"if-match": tag}).status_code == 412
    assert api.patch(url, json={}).json()["pinned"] is True
    assert api.patch(url, json={"pinned": None}).json()["pinned"] is False
    assert pointers(api.patch(url, json={"pinned": "yes", "best": True}), 422) == {"/pinned", "/best"}
    assert api.patch(f"/v1/checkpoints/{run.id}@7", json={"pinned": True}).status_code == 404


def test_a_data_set_that_is_another_is_not_deleted(api: httpx.Client, spec: dict[str, object]) -> None:
    url = f"/v1/datasets/{spec['dataset']}"
    tag = api.get(url).headers["etag"]
    assert api.delete(url, headers={"if-match": '"other"'}).status_code == 412
    assert api.delete(url, headers={"if-match": tag}).status_code == 204
