"""Every schedule's rates against a table worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trainer_scripts import complete
from trainer.parts import schedules

TABLE: list[tuple[dict[str, Any], dict[float, float]]] = [
    ({"type": "constant", "rate": 0.3}, {0: 0.3, 0.5: 0.3, 100: 0.3}),
    (
        {"type": "step", "rate": 0.8, "every_epochs": 2.0},
        {0: 0.8, 1.99: 0.8, 2: 0.08, 3.5: 0.08, 4: 0.008, 6: 0.0008},
    ),
    ({"type": "step", "rate": 0.8, "every_epochs": 0.5, "factor": 0.5}, {0.49: 0.8, 0.5: 0.4, 1: 0.2}),
    (
        {"type": "piecewise", "rates": [0.1, 0.02, 0.003], "until_epochs": [1.0, 2.5]},
        {0: 0.1, 0.99: 0.1, 1: 0.02, 2.49: 0.02, 2.5: 0.003, 50: 0.003},
    ),
    ({"type": "exponential", "rate": 0.4, "factor": 0.25}, {0: 0.4, 0.5: 0.2, 1: 0.1, 2: 0.025}),
    (
        {"type": "cosine", "rate": 0.5, "epochs": 10.0, "minimum": 0.1},
        {0: 0.5, 2.5: 0.3 + 0.2 * 0.7071067811865476, 5: 0.3, 10: 0.1, 11: 0.1, 1000: 0.1},
    ),
    ({"type": "cosine", "rate": 0.5, "epochs": 10.0}, {0: 0.5, 10: 1e-6}),
    (
        {"type": "warm_up", "epochs": 4.0, "start_factor": 0.2, "then": 0.5},
        {0: 0.1, 1: 0.2, 2: 0.3, 3: 0.4, 4: 0.5, 99: 0.5},
    ),
    ({"type": "warm_up", "epochs": 1.0, "then": 0.5}, {0: 0.005, 0.5: 0.2525, 1: 0.5}),
    (
        {
            "type": "warm_up",
            "epochs": 2.0,
            "start_factor": 0.5,
            "then": {"type": "exponential", "rate": 0.4, "factor": 0.25},
        },
        {0: 0.2, 1: 0.075, 2: 0.025, 3: 0.00625},
    ),
]


def test_every_schedule_has_a_row() -> None:
    assert {document["type"] for document, _ in TABLE} == {part.name for part in schedules}


@pytest.mark.parametrize(("document", "rates"), TABLE, ids=[str(document) for document, _ in TABLE])
def test_rates_are_those_of_the_table(document: dict[str, Any], rates: dict[float, float]) -> None:
    whole = complete("schedule", document)
    for epoch, rate in rates.items():
        assert schedules.build(whole, epoch) == pytest.approx(rate, rel=1e-12)
