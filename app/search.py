"""Which jobs a request means: filters and order, from a query or from a body."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from jobs.errors import Fault, InvalidInput
from jobs.queries.measures import COLUMNS, Comparison, comparison_of, known_names, measure_of
from jobs.queries.search import NEWEST_FIRST, Filters, Order
from jobs.record import Kind
from jobs.specs.structure import nearest
from jobs.states import State
from jobs.store import Store

MOST = 20
"""Tags, states and comparisons that one request may name."""

Texts = Annotated[list[str], Field(max_length=MOST)]


def _one_or_more(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class JobFilter(BaseModel):
    """Which jobs; what is left out is any. Several statuses: one of them; several tags, comparisons: all."""

    model_config = ConfigDict(extra="forbid")

    status: Annotated[list[State], Field(max_length=MOST), BeforeValidator(_one_or_more)] = Field(default=[])
    kind: Kind | None = None
    tag: Annotated[Texts, BeforeValidator(_one_or_more)] = Field(default=[])
    owner: str | None = Field(default=None, description="name of the token that submitted it")
    recipe: str | None = None
    dataset: str | None = None
    parent: str | None = Field(
        default=None, description="id of a job: those that started from its checkpoints, or forked its spec"
    )
    name: str | None = Field(default=None, description="a part of the name; A to Z in either case")
    created_after: AwareDatetime | None = Field(default=None, description="RFC 3339, with its offset")
    created_before: AwareDatetime | None = Field(default=None, description="RFC 3339, with its offset")
    where: Annotated[Texts, BeforeValidator(_one_or_more)] = Field(
        default=[],
        description="compares what a job reports: metrics.accuracy>0.9, losses.test.total<=0.2, "
        "progress.epoch>=3, with one of > >= < <= = !=; without a split the first of valid, test, train "
        "that has it; a job without the value does not match",
    )


def _describe(name: str) -> Any:
    return Query(description=JobFilter.model_fields[name].description)


async def job_filter(
    status: Annotated[list[State], Query(max_length=MOST)] = [],  # noqa: B006  # FastAPI copies it
    kind: Kind | None = None,
    tag: Annotated[list[str], Query(max_length=MOST, description="several: all of them")] = [],  # noqa: B006
    owner: Annotated[str | None, _describe("owner")] = None,
    recipe: str | None = None,
    dataset: str | None = None,
    parent: Annotated[str | None, _describe("parent")] = None,
    name: Annotated[str | None, _describe("name")] = None,
    created_after: Annotated[AwareDatetime | None, _describe("created_after")] = None,
    created_before: Annotated[AwareDatetime | None, _describe("created_before")] = None,
    where: Annotated[
        list[str], Query(max_length=MOST, description=JobFilter.model_fields["where"].description)
    ] = [],  # noqa: B006
) -> JobFilter:
    """The filters of a query."""
    return JobFilter.model_construct(**locals())


FilterQuery = Annotated[JobFilter, Depends(job_filter)]


def filters_of(asked: JobFilter, store: Store, place: str) -> Filters:
    """The filters as the search wants them; InvalidInput with every fault, below the pointer ``place``."""
    comparisons: list[Comparison] = []
    faults: list[Fault] = []
    names = known_names(store) if asked.where else {}
    for index, text in enumerate(asked.where):
        found = comparison_of(text, names, f"{place}/where/{index}")
        if isinstance(found, Fault):
            faults.append(found)
        else:
            comparisons.append(found)
    if faults:
        raise InvalidInput.of(faults)
    return Filters(
        statuses=list(dict.fromkeys(asked.status)),
        kind=asked.kind,
        tags=list(dict.fromkeys(asked.tag)),
        owner=asked.owner,
        recipe=asked.recipe,
        dataset=asked.dataset,
        parent=asked.parent,
        name=asked.name,
        created_after=_ms(asked.created_after),
        created_before=_ms(asked.created_before),
        where=comparisons,
    )


def order_of(text: str | None, store: Store) -> Order:
    """The order that ``order_by`` names; InvalidInput where there is none such."""
    if text is None or text == NEWEST_FIRST.name:
        return NEWEST_FIRST
    name = text.removeprefix("-")
    descending = text.startswith("-")
    if name == "created_at":
        return Order(text, descending)
    if name in COLUMNS:
        return Order(text, descending, COLUMNS[name])
    if name.partition(".")[0] in ("metrics", "losses", "progress"):
        found = measure_of(name, known_names(store), "/query/order_by")
    else:
        columns = ["created_at", *COLUMNS]
        detail = f"jobs have no order by {name!r}; {nearest(name, columns)}, or metrics.<name>, losses.<name>"
        found = Fault("/query/order_by", "unknown_order", detail)
    if isinstance(found, Fault):
        raise InvalidInput.of([found])
    return Order(text, descending, found)


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1000)
