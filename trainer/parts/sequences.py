"""Layers over the steps of a sequence: recurrences, and what makes one vector of a row's steps.

A recurrence meets the steps in their order, or with ``reverse`` from the last to the first; two of
them side by side (splice) see both ways. Before its first step a state is zero.
"""

from trainer.engine import C
from trainer.parts.layers import activation_parameters, filled, layers
from trainer.parts.registry import Param, Plan

RUNS, ENDS = "runs", "ends"
WEIGHTS = {"part": "initializer"}


def projected(make, x, units, init):
    """x W + b for all steps at once: only what depends on the step before must wait for it."""
    weights = make.parameter("W", x.shape + (units,), init, output_rank=1)
    whole = C.times(x, weights, output_rank=1, infer_input_rank_to_map=-1)
    return whole + make.parameter("b", (units,), 0.0)


def before(state, reverse):
    """A state as it was one step ago."""
    return C.sequence.future_value(state) if reverse else C.sequence.past_value(state)


def states(*units):
    return [C.placeholder(shape=(size,), name="state") for size in units]


def part_of(gates, number, units):
    return C.slice(gates, -1, number * units, (number + 1) * units)


def plan_recurrence(x, units, gates, init, init_recurrent):
    return Plan(
        (units,),
        {
            "W": filled(init, x + (gates * units,)),
            "b": (gates * units,),
            "H": filled(init_recurrent, (units, gates * units)),
        },
    )


@layers.part("lstm", sequence=RUNS, sparse=True)
def lstm(
    make,
    x,
    *,
    units: int = Param(ge=1),
    reverse: bool = Param(False),
    init=Param("glorot_uniform", **WEIGHTS),
    init_recurrent=Param("glorot_uniform", **WEIGHTS),
):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997), without peepholes.

    i, f, o = sigmoid and g = tanh of four equal parts of x W + h H + b, in this order;
    c = f * c + i * g; h = o * tanh(c). The output is h.
    """
    inputs = projected(make, x, 4 * units, init)
    recurrent = make.parameter("H", (units, 4 * units), init_recurrent, output_rank=1)
    h, c = states(units, units)
    gates = inputs + C.times(before(h, reverse), recurrent)
    i, f, o = (C.sigmoid(part_of(gates, number, units)) for number in range(3))
    cell = f * before(c, reverse) + i * C.tanh(part_of(gates, 3, units))
    output = o * C.tanh(cell)
    return output.replace_placeholders({h: output.output, c: cell.output})


@lstm.planned
def plan_lstm(x, *, units, reverse, init, init_recurrent):
    return plan_recurrence(x, units, 4, init, init_recurrent)


@layers.part("gru", sequence=RUNS, sparse=True)
def gru(
    make,
    x,
    *,
    units: int = Param(ge=1),
    reverse: bool = Param(False),
    init=Param("glorot_uniform", **WEIGHTS),
    init_recurrent=Param("glorot_uniform", **WEIGHTS),
):
    """Gated recurrent unit (Cho et al., 2014) as in CNTK: the reset gate acts before the product.

    z, r = sigmoid of two of three equal parts of x W + b, plus h H; n = tanh of the third plus
    (r * h) H; h = z * h + (1 - z) * n.
    """
    inputs = projected(make, x, 3 * units, init)
    recurrent = make.parameter("H", (units, 3 * units), init_recurrent, output_rank=1)
    (h,) = states(units)
    last = before(h, reverse)
    gates = C.slice(inputs, -1, 0, 2 * units) + C.times(last, C.slice(recurrent, 1, 0, 2 * units))
    z, r = (C.sigmoid(part_of(gates, number, units)) for number in range(2))
    new = C.tanh(part_of(inputs, 2, units) + C.times(r * last, C.slice(recurrent, 1, 2 * units, 3 * units)))
    output = z * last + (1 - z) * new
    return output.replace_placeholders({h: output.output})


@gru.planned
def plan_gru(x, *, units, reverse, init, init_recurrent):
    return plan_recurrence(x, units, 3, init, init_recurrent)


@layers.part("rnn", sequence=RUNS, sparse=True)
def rnn(
    make,
    x,
    *,
    units: int = Param(ge=1),
    activation=Param("tanh", part="activation"),
    reverse: bool = Param(False),
    init=Param("glorot_uniform", **WEIGHTS),
    init_recurrent=Param("glorot_uniform", **WEIGHTS),
):
    """A plain recurrence: h = activation(x W + h H + b)."""
    inputs = projected(make, x, units, init)
    recurrent = make.parameter("H", (units, units), init_recurrent, output_rank=1)
    (h,) = states(units)
    output = make.activation(activation, inputs + C.times(before(h, reverse), recurrent))
    return output.replace_placeholders({h: output.output})


@rnn.planned
def plan_rnn(x, *, units, activation, reverse, init, init_recurrent):
    plan = plan_recurrence(x, units, 1, init, init_recurrent)
    plan.parameters.update(activation_parameters(activation, (units,)))
    return plan


@layers.part("delay", sequence=RUNS)
def delay(make, x, *, steps: int = Param(1)):
    """The value of so many steps ago, of steps ahead where negative; zero beyond the sequence's ends."""
    if not steps:
        return x
    return C.sequence.past_value(x, 0, steps) if steps > 0 else C.sequence.future_value(x, 0, -steps)


@delay.planned
def plan_delay(x, *, steps):
    return Plan(x)


@layers.part("sequence_softmax", sequence=RUNS)
def sequence_softmax(make, x):
    """exp(x) / sum(exp(x)) over the steps, each element by itself: weights of an attention."""
    return C.sequence.softmax(x)


@layers.part("last", sequence=ENDS)
def last(make, x):
    """The value of the last step."""
    return C.sequence.last(x)


@layers.part("first", sequence=ENDS)
def first(make, x):
    """The value of the first step."""
    return C.sequence.first(x)


@layers.part("sequence_sum", sequence=ENDS)
def sequence_sum(make, x):
    """The sum over the steps: behind an embedding, a bag of words."""
    return C.sequence.reduce_sum(x)


@layers.part("sequence_mean", sequence=ENDS)
def sequence_mean(make, x):
    """The mean over the steps."""
    steps = C.sequence.reduce_sum(C.ones_like(C.reduce_sum(x)))
    return C.sequence.reduce_sum(x) / steps


@layers.part("sequence_max", sequence=ENDS)
def sequence_max(make, x):
    """The largest value of each element over the steps."""
    return C.sequence.reduce_max(x)


def unchanged(x):
    return Plan(x)


for part in (sequence_softmax, last, first, sequence_sum, sequence_mean, sequence_max):
    part.planned(unchanged)
