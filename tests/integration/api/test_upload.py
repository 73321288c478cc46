"""POST /v1/datasets: the multipart body, streamed, bounded, and gone where it is refused."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.settings import Settings
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer

LIMIT = 3 << 20
HEAD = b'--edge\r\ncontent-disposition: form-data; name="file"; filename="t.csv"\r\n\r\n'
CSV = b"a,b,label\n1,2,x\n3,4,y\n5,6,x\n"


@pytest.fixture
def settings(tmp_path: Path, valkey: ValkeyServer) -> Settings:
    """The same, with room for little."""
    return Settings(home=tmp_path, redis_url=valkey.url, max_upload_bytes=LIMIT, api_tokens=())


@pytest.fixture
def api(settings: Settings) -> Iterator[httpx.Client]:
    with running_api(settings) as client:
        yield client
    # Whatever was answered: nothing is left half-way.
    assert list(settings.volume.incoming.iterdir()) == []


def upload(api: httpx.Client, *files: tuple[str, bytes], options: Any = None) -> httpx.Response:
    data = {} if options is None else {"options": json.dumps(options)}
    return api.post("/v1/datasets", files=[("file", file) for file in files], data=data)


def refused(answer: httpx.Response, status: int, pointer: str, code: str) -> str:
    """The fault's detail, where the answer is that problem."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    found = {(fault["pointer"], fault["code"]): fault["detail"] for fault in problem["errors"]}
    assert (pointer, code) in found
    return str(found[pointer, code])


def test_upload_read_list_delete(api: httpx.Client, settings: Settings) -> None:
    created = upload(api, ("t.csv", CSV), options={"name": "tiny"})
    assert created.status_code == 201, created.text
    schema = created.json()
    assert created.headers["location"] == f"/v1/datasets/{schema['id']}"
    assert (schema["name"], schema["rows"]) == ("tiny", 3)
    assert schema["fields"]["label"]["classes"] == ["x", "y"]

    again = upload(api, ("t.csv", CSV), options={"name": "tiny"})
    assert again.status_code == 200
    assert again.json() == schema

    assert api.get(created.headers["location"]).json() == schema
    assert api.get("/v1/datasets").json() == {"items": [schema], "next_page_token": None}

    assert api.delete(created.headers["location"]).status_code == 204
    assert api.get(created.headers["location"]).status_code == 404
    assert api.delete(created.headers["location"]).status_code == 404
    assert list(settings.volume.datasets.iterdir()) == []


def test_lists_are_paged_newest_first(api: httpx.Client) -> None:
    made = [upload(api, ("t.csv", CSV + b"7,8,%d\n" % number)).json()["id"] for number in range(3)]
    first = api.get("/v1/datasets", params={"page_size": 2}).json()
    assert [item["id"] for item in first["items"]] == [made[2], made[1]]
    rest = api.get("/v1/datasets", params={"page_token": first["next_page_token"]}).json()
    assert [item["id"] for item in rest["items"]] == [made[0]]
    assert rest["next_page_token"] is None


def test_lists_leave_long_vocabularies_out(api: httpx.Client) -> None:
    words = " ".join(f"w{number}" for number in range(200))
    rows = f"text,x\n{words},1\n".encode()
    made = upload(api, ("t.csv", rows), options={"fields": {"text": {"tokens": True}}}).json()
    assert len(made["fields"]["text"]["classes"]) == 201
    [listed] = api.get("/v1/datasets").json()["items"]
    assert (listed["fields"]["text"]["classes"], listed["fields"]["text"]["histogram"]) == (None, None)
    assert listed["fields"]["text"]["shape"] == [201]
    assert listed["fields"]["x"] == made["fields"]["x"]
    assert api.get(f"/v1/datasets/{made['id']}").json() == made


def test_several_files_make_one_data_set(api: httpx.Client) -> None:
    options = {"splits": {"files": {"train": ["train.csv"], "test": ["test.csv"]}}}
    answer = upload(api, ("train.csv", CSV), ("test.csv", CSV), options=options)
    assert answer.status_code == 201, answer.text
    assert {name: split["rows"] for name, split in answer.json()["splits"].items()} == {"train": 3, "test": 3}


def test_labels_of_a_further_file_and_data_like_others(api: httpx.Client) -> None:
    xml = b'<labels><label name="b"/><label name="a"/></labels>'
    options = {"fields": {"labels": {"columns_from": "l.xml"}}}
    made = upload(api, ("t.csv", b"a,b,x\n0,1,2\n"), ("l.xml", xml), options=options)
    assert made.status_code == 201, made.text
    assert made.json()["fields"]["labels"]["columns"] == ["b", "a"]
    like = upload(api, ("n.csv", b"x,b,a\n7,1,1\n"), options={"like": made.json()["id"]})
    assert like.status_code == 201, like.text
    assert (like.json()["like"], list(like.json()["splits"])) == (made.json()["id"], ["test"])
    refused(
        upload(api, ("n.csv", CSV), options={"like": "ds_" + "0" * 24}),
        422,
        "/options/like",
        "unknown_dataset",
    )


def test_faults_of_the_data_name_the_place(api: httpx.Client, settings: Settings) -> None:
    answer = upload(api, ("t.csv", b"a,b\n1,2\n3\n"))
    assert answer.status_code == 422
    assert any(fault["pointer"].startswith("/file/t.csv") for fault in answer.json()["errors"])
    assert list(settings.volume.datasets.iterdir()) == []


def test_unknown_option(api: httpx.Client) -> None:
    answer = upload(api, ("t.csv", CSV), options={"delimeter": ";"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/options/delimeter"


def test_options_that_are_no_json(api: httpx.Client) -> None:
    answer = api.post("/v1/datasets", files={"file": ("t.csv", CSV)}, data={"options": '{"name": }'})
    assert "line 1 column 10" in refused(answer, 422, "/options", "json_invalid")


def test_options_that_are_no_object(api: httpx.Client) -> None:
    refused(upload(api, ("t.csv", CSV), options=[1]), 422, "/options", "object_expected")


def test_no_file(api: httpx.Client) -> None:
    answer = api.post("/v1/datasets", files={"options": (None, "{}")})
    refused(answer, 422, "/file", "missing")


def test_not_multipart(api: httpx.Client) -> None:
    answer = api.post("/v1/datasets", json={"name": "x"})
    assert "application/json" in refused(answer, 415, "/header/content-type", "multipart")


def test_every_fault_of_the_parts_at_once(api: httpx.Client) -> None:
    files = [
        ("file", ("../x.csv", CSV)),
        ("file", ("t.csv", CSV)),
        ("file", ("t.csv", CSV)),
        ("data", ("d", b"1")),
    ]
    answer = api.post("/v1/datasets", files=files)
    refused(answer, 422, "/file", "filename_invalid")
    refused(answer, 422, "/file/t.csv", "filename_duplicate")
    assert "'options'" in refused(answer, 422, "/data", "unknown_part")


def test_announced_over_the_limit(api: httpx.Client) -> None:
    answer = upload(api, ("t.csv", b"1" * (3 * LIMIT)))
    refused(answer, 413, "/file", "too_large")


def test_grown_over_the_limit_while_it_streams(api: httpx.Client) -> None:
    def body() -> Iterator[bytes]:
        yield HEAD
        for _ in range(4):
            yield b"1" * (1 << 20)
        yield b"\r\n--edge--\r\n"

    answer = api.post(
        "/v1/datasets", content=body(), headers={"content-type": "multipart/form-data; boundary=edge"}
    )
    assert f"{LIMIT:,}" in refused(answer, 413, "/file", "too_large")


def test_options_over_their_limit(api: httpx.Client) -> None:
    refused(upload(api, ("t.csv", CSV), options={"name": "n" * (1 << 20)}), 413, "/options", "too_large")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"no boundary at all", "multipart_invalid"),
        (
            b'--edge\r\ncontent-disposition: form-data; name="file"; filename="t.csv"\r\n\r\n1',
            "multipart_truncated",
        ),
        (b"", "multipart_truncated"),
    ],
)
def test_broken_multipart(api: httpx.Client, body: bytes, code: str) -> None:
    answer = api.post(
        "/v1/datasets", content=body, headers={"content-type": "multipart/form-data; boundary=edge"}
    )
    refused(answer, 422, "", code)


def test_sender_that_hangs_up_leaves_nothing(api: httpx.Client, settings: Settings) -> None:
    head = (
        "POST /v1/datasets HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2000000\r\n"
        "content-type: multipart/form-data; boundary=edge\r\n\r\n"
    )
    with socket.create_connection((api.base_url.host, api.base_url.port or 0)) as connection:
        connection.sendall(head.encode() + HEAD + b"1" * 1_500_000)
    assert api.get("/v1/datasets").json()["items"] == []


def test_data_set_in_use_names_the_jobs(api: httpx.Client, valkey: ValkeyServer) -> None:
    created = upload(api, ("t.csv", CSV)).json()
    with valkey.client() as client:
        client.sadd(f"cj:dataset:{created['id']}:live", "job_1", "job_2")
        answer = api.delete(f"/v1/datasets/{created['id']}")
        assert answer.status_code == 409
        assert answer.json()["jobs"] == ["job_1", "job_2"]
        client.delete(f"cj:dataset:{created['id']}:live")
    assert api.delete(f"/v1/datasets/{created['id']}").status_code == 204
