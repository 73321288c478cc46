"""The table of transitions, and the page that explains it."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from jobs.states import TERMINAL, TRANSITIONS, Reason, State, allowed

PAGE = (Path(__file__).parents[2] / "docs" / "job-states.md").read_text(encoding="utf-8")
BEGINNING = "(submission)"


def test_only_a_retry_leaves_a_terminal_state() -> None:
    [row] = [row for row in TRANSITIONS if row.source in TERMINAL]
    assert (row.source, row.target, row.reasons) == (State.FAILED, State.QUEUED, (Reason.RETRIED,))


def test_every_state_can_be_reached_and_every_other_left() -> None:
    assert {row.target for row in TRANSITIONS} == set(State)
    assert {row.source for row in TRANSITIONS} >= {None, *(set(State) - TERMINAL)}


@pytest.mark.parametrize(("source", "target"), list(product([None, *State], State)))
def test_only_what_the_table_lists_is_allowed(source: State | None, target: State) -> None:
    listed = {
        reason
        for row in TRANSITIONS
        if (row.source, row.target) == (source, target)
        for reason in row.reasons
    }
    assert {reason for reason in Reason if allowed(source, target, reason)} == listed


def test_every_reason_but_one_comes_with_a_transition() -> None:
    # A running job's reason turns from starting to training without a change of state.
    assert set(Reason) - {reason for row in TRANSITIONS for reason in row.reasons} == {Reason.TRAINING}


def test_the_page_has_the_table() -> None:
    rows = re.findall(r"^\| (\S+) \| (\S+) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)
    assert [row for row in rows if row[0] in {BEGINNING, *State}] == [
        (row.source or BEGINNING, row.target, ", ".join(f"`{reason}`" for reason in row.reasons), row.when)
        for row in TRANSITIONS
    ]


def test_the_page_s_diagram_has_every_arrow() -> None:
    diagram = PAGE.partition("```mermaid")[2].partition("```")[0]
    arrows = set(re.findall(r"^\s*(\S+) --> (\w+)", diagram, re.MULTILINE))
    ends = {(state, "[*]") for state in TERMINAL}
    assert {(a, b) for a, b in arrows if b != "[*]"} == {
        (row.source or "[*]", row.target) for row in TRANSITIONS
    }
    assert set(re.findall(r"^\s*(\w+) --> (\[\*\])", diagram, re.MULTILINE)) == ends


@pytest.mark.parametrize("reason", list(Reason))
def test_the_page_explains_every_reason(reason: Reason) -> None:
    assert re.search(rf"^\| `{reason}` \| .+ \|$", PAGE, re.MULTILINE)
