"""What is a bias, and whose rate is multiplied by what."""

from __future__ import annotations

import pytest

from trainer.rates import by_factor, is_bias


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv.b", True),
        ("norm.bias", True),
        ("base.conv1_b", True),
        ("base.fc.bias", True),
        ("conv.W", False),
        ("norm.scale", False),
        ("base.fire2_w", False),
        ("b.W", False),
    ],
)
def test_biases_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_bias(name) is expected


def test_groups_keep_the_order_of_the_graph() -> None:
    parameters = {name: name for name in ("a.W", "a.b", "base.x_w", "base.x_b", "c.W")}
    assert list(by_factor(parameters, {}).items()) == [(1.0, list(parameters))]
    training = {"rate_factors": {"base": 0.5, "c": 2.0}, "bias_rate_factor": 2.0}
    assert list(by_factor(parameters, training).items()) == [
        (1.0, ["a.W", "base.x_b"]),
        (2.0, ["a.b", "c.W"]),
        (0.5, ["base.x_w"]),
    ]
