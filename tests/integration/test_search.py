"""Searches against a real server: every filter, every order, and pages while jobs come and change."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs import ids
from jobs.connection import connect
from jobs.errors import Fault, InvalidInput
from jobs.queries import search
from jobs.queries.measures import COLUMNS, Comparison, Measure, comparison_of, known_names, measure_of
from jobs.queries.search import Filters, Order
from jobs.record import PRIORITY_SECONDS, Kind, Record, StartedFrom
from jobs.states import Reason, State
from jobs.store import Store
from tests.new_records import queued
from tests.valkey_server import ValkeyServer


@pytest.fixture
def store(valkey: ValkeyServer) -> Store:
    return Store(connect(valkey.url))


def create(store: Store, **fields: Any) -> str:
    known = {"name": "n", "dataset": "ds_1", "fingerprint": "f"} | fields
    record = Record(id=ids.new_job_id(), state=State.QUEUED, reason=Reason.SUBMITTED, **known)
    return queued(store, record).id


def run(store: Store, job_id: str, **fields: Any) -> Record:
    claimed = store.claim(job_id, worker="w", lease_seconds=60)
    assert claimed is not None
    return store.report(job_id, claimed.attempt, fields=fields, training=True)


def end(store: Store, job_id: str) -> None:
    store.transition(store.get(job_id), State.SUCCEEDED, Reason.COMPLETED)


def pages(store: Store, filters: Filters, order: Order, limit: int) -> list[list[str]]:
    found, token = [], None
    while True:
        page = search.search(store, filters, order, token=token, limit=limit)
        found.append([record.id for record in page.records])
        token = page.next_after
        if token is None:
            return found


def listed(store: Store, order: Order = search.NEWEST_FIRST, limit: int = 100, **filters: Any) -> list[str]:
    return list(itertools.chain.from_iterable(pages(store, Filters(**filters), order, limit)))


def where(store: Store, *texts: str) -> list[Comparison]:
    found = [comparison_of(text, known_names(store), "/where") for text in texts]
    assert all(isinstance(one, Comparison) for one in found), found
    return [one for one in found if isinstance(one, Comparison)]


def by(store: Store, text: str) -> Order:
    name = text.removeprefix("-")
    measure = COLUMNS.get(name) or measure_of(name, known_names(store), "/order_by")
    assert isinstance(measure, Measure)
    return Order(text, text.startswith("-"), measure)


@pytest.mark.parametrize("stretch", [1, 2, 1000])
def test_every_filter(store: Store, stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "STRETCH", stretch)
    a = create(store, name="Digits wide", tags=["x", "y"], recipe="classifier")
    b = create(store, name="digits", tags=["x"], dataset="ds_2")
    evaluated = StartedFrom(job=a, checkpoint=f"{a}@10", mode="evaluate", step=1, samples=10, epoch=1)
    c = create(store, name="other", kind=Kind.EVALUATION, tags=["xy"], resumed_from=evaluated, forked_from=b)
    run(
        store,
        a,
        losses={"train": {"total": 0.5}},
        metrics={"valid": {"accuracy": 0.9}},
        progress={"epoch": 3},
    )
    run(
        store,
        b,
        losses={"train": {"total": 0.7}},
        metrics={"train": {"accuracy": 1}, "test": {"accuracy": 0.8}},
    )
    end(store, b)
    everything: list[tuple[list[str], dict[str, Any]]] = [
        ([c, b, a], {}),
        ([a], {"statuses": [State.RUNNING]}),
        ([c, b], {"statuses": [State.SUCCEEDED, State.QUEUED]}),
        ([c, b], {"statuses": [State.SUCCEEDED, State.QUEUED, State.FAILED], "name": "i"} | {"name": ""}),
        ([b, a], {"kind": Kind.TRAINING}),
        ([c], {"kind": Kind.EVALUATION, "statuses": [State.QUEUED]}),
        ([], {"kind": Kind.EVALUATION, "statuses": [State.RUNNING]}),
        ([b, a], {"tags": ["x"]}),
        ([a], {"tags": ["y", "x"]}),
        ([], {"tags": ["x", "xy"]}),
        ([b], {"dataset": "ds_2"}),
        ([a], {"recipe": "classifier", "kind": Kind.TRAINING, "tags": ["x"]}),
        ([], {"recipe": "detector"}),
        ([], {"owner": "nobody"}),
        ([c], {"parent": a}),
        ([c], {"parent": b, "tags": ["xy"], "kind": Kind.EVALUATION}),
        ([], {"parent": b, "kind": Kind.TRAINING}),
        ([], {"parent": c}),
        ([b, a], {"name": "dIGITS"}),
        ([a], {"name": "ts w", "dataset": "ds_1"}),
        ([a], {"where": where(store, "metrics.accuracy>0.8")}),
        ([b, a], {"where": where(store, "metrics.accuracy >= 0.8")}),
        ([b], {"where": where(store, "metrics.train.accuracy=1")}),
        ([b], {"where": where(store, "metrics.test.accuracy<0.81", "losses.total!=0.5")}),
        ([a], {"where": where(store, "progress.epoch<=3")}),
        ([], {"where": where(store, "progress.epoch<=3", "losses.total>0.6")}),
    ]
    for wanted, filters in everything:
        for limit in (1, 100):
            assert listed(store, limit=limit, **filters) == wanted, filters
            assert listed(store, Order("created_at", False), limit, **filters) == wanted[::-1], filters
        assert list(search.every(store, Filters(**filters))) == wanted


def test_times_of_submission(store: Store) -> None:
    a, b, c = (create(store) for _ in range(3))
    for job_id, ms in ((a, 1000), (b, 2000), (c, 3000)):
        # Redis' clock may be far from that of whoever made the id.
        store.client.hset(f"cj:job:{job_id}", "created_at", ids.made_at_ms(a) + ms)
    start = ids.made_at_ms(a)
    assert listed(store, created_after=start + 1000) == [c, b]
    assert listed(store, created_before=start + 3000) == [b, a]
    assert listed(store, created_after=start + 1000, created_before=start + 3000) == [b]
    assert listed(store, created_after=start + 10**12) == []
    assert listed(store, created_before=0) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("stretch", [1, 3, 1000])
def test_every_order(store: Store, stretch: int, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "STRETCH", stretch)
    names = ["b", "", "é", "B", "b", "a" * 200]
    jobs = [
        create(store, name=name, ahead_ms=place % 3 * PRIORITY_SECONDS * 1000)
        for place, name in enumerate(names)
    ]
    for job, accuracy in zip(jobs[:4], (0.25, 1 / 3, 0.25, -7e300), strict=True):
        run(store, job, metrics={"valid": {"accuracy": accuracy}})
    for job in jobs[:2]:
        end(store, job)

    def ordered(value: Callable[[Record], Any], job_ids: Sequence[str], down: bool) -> list[str]:
        return sorted(job_ids, key=lambda job: (value(store.get(job)), job), reverse=down)

    expected: dict[str, Callable[[bool], list[str]]] = {
        "name": lambda down: ordered(lambda record: record.name, jobs, down),
        "priority": lambda down: ordered(lambda record: record.priority, jobs, down),
        "updated_at": lambda down: ordered(lambda record: record.updated_at, jobs, down),
        "finished_at": lambda down: [
            *ordered(lambda record: record.finished_at, jobs[:2], down),
            *sorted(jobs[2:], reverse=down),
        ],
        "metrics.accuracy": lambda down: [
            *ordered(lambda record: record.metrics["valid"]["accuracy"], jobs[:4], down),
            *sorted(jobs[4:], reverse=down),
        ],
    }
    for name, wanted in expected.items():
        for down in (False, True):
            text = f"-{name}" if down else name
            found = pages(store, Filters(), by(store, text), limit)
            assert [job for page in found for job in page] == wanted(down), text
            assert all(len(page) == limit for page in found[:-1])


def test_a_long_search_answers_what_it_has(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "STRETCH", 2)
    monkeypatch.setattr(search, "STRETCHES", 2)
    wanted = create(store, name="wanted")
    for _ in range(9):
        create(store)
    assert pages(store, Filters(name="wanted"), search.NEWEST_FIRST, 5) == [[], [], [wanted]]


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("metrics.acuracy>1", "unknown_measure", "did you mean 'accuracy'?"),
        ("metrics.test.acuracy>1", "unknown_measure", "did you mean 'accuracy'?"),
        ("losses.accuracy>1", "unknown_measure", "no job has reported 'accuracy' among its losses; known: "),
        ("progress.epoc>1", "unknown_measure", "did you mean 'epoch'?"),
        ("accuracy>1", "unknown_measure", "metrics.<name>"),
        ("metrics.accuracy", "no_comparison", "metrics.accuracy>0.9"),
        ("metrics.accuracy>high", "no_number", "'high'"),
        ("metrics.accuracy>nan", "no_number", "'nan'"),
        ("metrics.accuracy=>1", "no_number", "'>1'"),
        ("", "no_comparison", "metrics.accuracy>0.9"),
    ],
)
def test_comparisons_that_are_none(store: Store, text: str, code: str, said: str) -> None:
    run(store, create(store), metrics={"valid": {"accuracy": 0.9}})
    found = comparison_of(text, known_names(store), "/where/0")
    assert isinstance(found, Fault)
    assert (found.pointer, found.code) == ("/where/0", code)
    assert said in found.detail


@pytest.mark.parametrize("token", ["", "job_1", "AAAA", "WyJuYW1lIiwxLCJqb2JfMSJd", "é", "bnVsbA", "W10"])
def test_tokens_that_are_none(store: Store, token: str) -> None:
    for order in (search.NEWEST_FIRST, by(store, "name"), by(store, "-updated_at")):
        with pytest.raises(InvalidInput) as caught:
            search.search(store, Filters(), order, token=token)
        assert caught.value.faults[0].pointer == "/query/page_token"


def test_a_token_belongs_to_its_order(store: Store) -> None:
    for _ in range(2):
        create(store)
    token = search.search(store, Filters(), by(store, "name"), limit=1).next_after
    with pytest.raises(InvalidInput):
        search.search(store, Filters(), by(store, "-name"), token=token)


STEPS = st.lists(st.sampled_from(["create", "claim", "report", "end", "edit", "page"]), max_size=30)


@given(
    steps=STEPS,
    limit=st.integers(1, 4),
    stretch=st.integers(1, 5),
    order=st.sampled_from(["-created_at", "created_at", "name", "-name"]),
    tagged=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_while_jobs_come_and_change(
    store: Store, steps: list[str], limit: int, stretch: int, order: str, tagged: bool
) -> None:
    """No job twice; none missing that was there at the beginning and kept what it was looked for by."""
    store.client.flushall()
    search_stretch, search.STRETCH = search.STRETCH, stretch
    try:
        filters = Filters(tags=["x"]) if tagged else Filters()
        wanted = Order(order, order.startswith("-"), COLUMNS.get(order.removeprefix("-")))
        names = itertools.cycle("cabbage")
        jobs = [create(store, name=next(names), tags=["x"]) for _ in range(7)]
        before, edited = set(jobs), set[str]()
        seen: list[str] = []
        token, finished = None, False
        for number, step in enumerate([*steps, *["page"] * 40]):
            if step == "page" and not finished:
                page = search.search(store, filters, wanted, token=token, limit=limit)
                seen += [record.id for record in page.records]
                token, finished = page.next_after, page.next_after is None
                continue
            job = jobs[number % len(jobs)]
            state = store.get(job).state
            if step == "create":
                jobs.append(create(store, name=next(names), tags=["x"]))
            elif step == "claim" and state is State.QUEUED:
                store.claim(job, worker="w", lease_seconds=60)
            elif step == "report" and state is State.RUNNING:
                store.report(job, 1, fields={"progress": {"epoch": 1}})
            elif step == "end" and state is State.RUNNING:
                end(store, job)
            elif step == "edit" and tagged:
                store.edit(job, [{"field": "tags", "value": "[]", "said": '"tags": []'}], [], None)
                edited.add(job)
        assert finished
        assert len(seen) == len(set(seen))
        assert before - edited <= set(seen)
        assert set(seen) <= set(jobs)
    finally:
        search.STRETCH = search_stretch
