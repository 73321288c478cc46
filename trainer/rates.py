"""Learning rates of parts of a network, as multiples of the learner's."""

from collections import OrderedDict


def is_bias(name):
    """Whether a parameter, by its full name ("conv.b", "base.conv1_b"), is added and not multiplied."""
    own = name.rpartition(".")[2]
    return own in ("b", "bias") or own.endswith(("_b", "_bias"))


def factor_of(name, training):
    """What the learner's rate is multiplied by for the parameter of this full name."""
    factors = training.get("rate_factors") or {}
    factor = factors.get(name.partition(".")[0], 1.0)
    if is_bias(name):
        factor = factor * (training.get("bias_rate_factor") or 1.0)
    return factor


def by_factor(parameters, training):
    """{factor: [parameters]} of parameters by full name; both in graph order."""
    groups = OrderedDict()
    for name, parameter in parameters.items():
        groups.setdefault(factor_of(name, training), []).append(parameter)
    return groups
