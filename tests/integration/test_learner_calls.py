"""The call of CNTK that is shown for a learner is the one that trains."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.specs.catalogue import catalogue
from tests.trainer_scripts import complete, in_trainer
from trainer.parts import learners
from trainer.parts.learners import call_of

SHOWN: list[tuple[dict[str, Any], str]] = [
    (
        {"type": "adam"},
        (
            "cntk.adam(parameters, 0.001, momentum=0.9, unit_gain=True, variance_momentum=0.999, "
            "epsilon=1e-08, minibatch_size=IGNORE)"
        ),
    ),
    (
        {"type": "adamax", "beta1": 0.8, "clip_norm": 2.0},
        (
            "cntk.adam(parameters, 0.002, momentum=0.8, unit_gain=True, variance_momentum=0.999, "
            "epsilon=1e-08, adamax=True, gradient_clipping_threshold_per_sample=2.0, "
            "gradient_clipping_with_truncation=False, minibatch_size=IGNORE)"
        ),
    ),
    (
        {"type": "sgd", "learning_rate": 0.5, "l1": 0.01, "l2": 0.1},
        (
            "cntk.sgd(parameters, 0.5, l1_regularization_weight=0.01, l2_regularization_weight=0.1, "
            "minibatch_size=IGNORE)"
        ),
    ),
    (
        {"type": "momentum", "clip_value": 0.3},
        (
            "cntk.momentum_sgd(parameters, 0.01, momentum=0.9, unit_gain=False, "
            "gradient_clipping_threshold_per_sample=0.3, gradient_clipping_with_truncation=True, "
            "minibatch_size=IGNORE)"
        ),
    ),
    (
        {
            "type": "nesterov",
            "learning_rate": {"type": "warm_up", "epochs": 2.0, "then": {"type": "constant", "rate": 0.1}},
        },
        (
            "cntk.nesterov(parameters, rate, momentum=0.9, unit_gain=False, minibatch_size=IGNORE), "
            "rate set before each minibatch: warm_up(epochs=2.0, start_factor=0.01, then=0.1)"
        ),
    ),
    (
        {"type": "adagrad", "learning_rate": {"type": "cosine", "rate": 0.1, "epochs": 4.0}},
        (
            "cntk.adagrad(parameters, rate, need_ave_multiplier=False, minibatch_size=IGNORE), "
            "rate set before each minibatch: cosine(rate=0.1, epochs=4.0, minimum=1e-06)"
        ),
    ),
]


@pytest.mark.parametrize(("document", "text"), SHOWN, ids=[text.partition("(")[0] for _, text in SHOWN])
def test_call_is_shown_as_cntk_takes_it(document: dict[str, Any], text: str) -> None:
    assert call_of(complete("learner", document)) == text


def test_catalogue_shows_each_learner_with_its_defaults() -> None:
    shown = {entry["type"]: entry["cntk_call"] for entry in catalogue()["learners"]}
    assert shown == {part.name: call_of(complete("learner", part.name)) for part in learners}


def test_shown_call_run_as_python_trains_to_the_same_bits(chosen_environment: dict[str, Any]) -> None:
    documents = [document for document, text in SHOWN if "rate set before" not in text]
    documents += [{"type": part.name} for part in learners]
    rows = []
    for document in documents:
        learner = complete("learner", document)
        rate = learner[learners[learner["type"]].facts["rate"]]["rate"]
        rows.append({"learner": learner, "rate": rate, "shown": call_of(learner)})
    for document, (engine, shown) in zip(
        documents, in_trainer(chosen_environment, "calls", rows), strict=True
    ):
        assert engine == shown, document
