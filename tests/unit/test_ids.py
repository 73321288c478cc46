from __future__ import annotations

import os
import threading
import time

import pytest

from jobs import ids


def test_ids_of_a_process_rise() -> None:
    made = [ids.new_job_id() for _ in range(5000)]
    assert made == sorted(set(made))


def test_ids_rise_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source = ids.UlidSource()
    first = source.next()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert source.next() > first


def test_threads_never_share_an_id() -> None:
    made: list[str] = []
    threads = [
        threading.Thread(target=lambda: made.extend([ids.new_id("x") for _ in range(500)])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 4000


def test_a_forked_process_makes_other_ids() -> None:
    ids.new_id("x")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, ids.new_id("x").encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100).decode() != ids.new_id("x")
    os.close(read)
    os.close(write)


def test_an_id_tells_when_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    made = ids.made_at_ms(ids.new_job_id())
    assert before <= made <= time.time_ns() // 1_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job_",
        "job_../../etc",
        "ds_01J8Z0000000000000000000AA",
        "job_01J8Z0000000000000000000A",
        "job_" + "I" * 26,
    ],
)
def test_what_is_no_job_id(text: str) -> None:
    assert not ids.is_job_id(text)


def test_what_is_a_job_id() -> None:
    assert ids.is_job_id(ids.new_job_id())
