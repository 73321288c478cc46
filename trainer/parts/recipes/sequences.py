"""Recipes for sequences of tokens: one answer a row, one a token, both, or two texts against each other."""

from typing import Dict, List, Optional, Union

from trainer.parts.recipes.registry import RecipeError, Stack, adam, recipes
from trainer.parts.recipes.tables import CLASS_WEIGHTS, EXAMPLE_WEIGHT, L2
from trainer.parts.registry import Param

RECURRENT = ("lstm", "gru", "rnn")
EMBEDDING = Param(100, ge=1, documentation="numbers a token")
UNITS = Param(100, ge=1, documentation="units of the recurrence, of each direction")
BOTH_WAYS = {"documentation": "a second recurrence from the last token to the first, beside the other"}
SUMMARY = {
    "choices": ("ends", "attention"),
    "documentation": "what becomes of a recurrence's steps: where each direction has met every token, or"
    " their mean by weights that are learned",
}
DROPOUT = Param(
    0.0, ge=0, lt=1, documentation="share of embeddings and encodings that is left out in training"
)
BAGS = ("bag_of_words", "weighted_bag_of_words")
ENCODER = {
    "choices": RECURRENT + BAGS,
    "documentation": "a recurrence; or the mean of a row's embeddings, or their sum by learned weights of the"
    " tokens, whose order then does not count",
}
SCALE = Param(0.5, gt=0, documentation="standard deviation that the embeddings begin with")
TOKENS = {"field": "tokens", "documentation": "field of token sequences"}


class Reader:
    """What reads a sequence of tokens. Names of nodes begin with ``prefix``.

    In the roles that ``share`` names, its layers use the parameters of another reader, ``like``.
    """

    def __init__(self, stack, field, size, scale, dropout, prefix="", like=None, share=()):
        self.stack = stack
        self.prefix = prefix
        self.like = like
        self.share = share
        self.dropout = dropout
        self.layers = {}
        self.source = stack.input(field)
        init = {"type": "normal", "scale": scale}
        made = self.put("embedding", "embedding", self.source, units=size, init=init)
        self.embedded = self.dropped("embedding", made)
        self.directions = []
        self.both = None

    def put(self, role, kind, of, **settings):
        """A layer for a role, which is also its name; the same role of ``like`` may share its parameters."""
        if role in self.share:
            settings["share"] = self.like.layers[role]
        self.layers[role] = self.stack.put(self.prefix + role, kind, of, **settings)
        return self.layers[role]

    def dropped(self, role, node):
        if not self.dropout:
            return node
        return self.stack.put(self.prefix + role + "_dropped", "dropout", node, rate=self.dropout)

    def open(self, kind, units, bidirectional):
        self.directions = [self.put("forward", kind, self.embedded, units=units)]
        if bidirectional:
            self.directions.append(self.put("backward", kind, self.embedded, units=units, reverse=True))

    def run(self, kind, units, bidirectional):
        """Recurrences over the embeddings; one node with a vector a token."""
        self.open(kind, units, bidirectional)
        return self.dropped("steps", self.steps())

    def steps(self):
        """All directions side by side, one node with a vector a token."""
        if len(self.directions) == 1:
            return self.directions[0]
        if self.both is None:
            self.both = self.stack.put(self.prefix + "steps", "splice", list(self.directions))
        return self.both

    def end(self):
        """One vector a row, from where each direction has met every token."""
        ends = [self.stack.put(self.prefix + "forward_end", "last", self.directions[0])]
        if len(self.directions) > 1:
            ends.append(self.stack.put(self.prefix + "backward_end", "first", self.directions[1]))
        whole = self.stack.put(self.prefix + "encoded", "splice", ends) if len(ends) > 1 else ends[0]
        return self.dropped("encoded", whole)

    def attend(self):
        """One vector a row: the mean of the steps by weights that a dense layer gives them."""
        steps = self.steps()
        number = self.put("attention", "dense", steps, units=1)
        share = self.stack.put(self.prefix + "attention_share", "sequence_softmax", number)
        taken = self.stack.put(self.prefix + "attention_taken", "product", [steps, share])
        return self.dropped("encoded", self.stack.put(self.prefix + "encoded", "sequence_sum", taken))

    def summarised(self, summary):
        """One vector a row, behind a recurrence."""
        return self.attend() if summary == "attention" else self.end()

    def encode(self, encoder, units, bidirectional, summary="ends"):
        """One vector a row."""
        if encoder in BAGS and bidirectional:
            raise RecipeError("bidirectional", "a bag of words has no direction; leave this out")
        if encoder in BAGS and summary != "ends":
            raise RecipeError("summary", "a bag of words is its own summary; leave this out")
        if encoder == "bag_of_words":
            return self.stack.put(self.prefix + "encoded", "sequence_mean", self.embedded)
        if encoder == "weighted_bag_of_words":
            return self.stack.put(self.prefix + "encoded", "sequence_sum", self.weighted())
        self.open(encoder, units, bidirectional)
        return self.summarised(summary)

    def weighted(self):
        """The embeddings times a weight of each token, softplus of a number that is learned from 0 on."""
        zero = {"type": "constant", "value": 0.0}
        number = self.put("importance", "embedding", self.source, units=1, init=zero)
        weight = self.stack.put(self.prefix + "weight", "activation", number, function="softplus")
        return self.stack.put(self.prefix + "weighted", "product", [self.embedded, weight])


def classes_term(output, target, **settings):
    term = {"type": "cross_entropy_with_softmax", "output": output, "target": target}
    term.update((key, value) for key, value in settings.items() if value is not None)
    return term


def error_of(output, target):
    return {"type": "classification_error", "output": output, "target": target}


@recipes.part("sequence_classifier")
def sequence_classifier(
    fields,
    *,
    input: str = Param(**TOKENS),
    target: str = Param(field="classes"),
    embedding: int = EMBEDDING,
    embedding_scale: float = SCALE,
    encoder: str = Param("lstm", **ENCODER),
    units: int = UNITS,
    bidirectional: bool = Param(False, **BOTH_WAYS),
    summary: str = Param("ends", **SUMMARY),
    dropout: float = DROPOUT,
    class_weights: Optional[Union[Dict[str, float], List[float], str]] = CLASS_WEIGHTS,
    example_weight: Optional[str] = EXAMPLE_WEIGHT,
    l2: float = L2,
):
    """One class for a whole sequence of tokens."""
    stack = Stack(fields)
    reader = Reader(stack, input, embedding, embedding_scale, dropout)
    encoded = reader.encode(encoder, units, bidirectional, summary)
    scores = stack.put("scores", "dense", encoded, units=len(fields[target].classes))
    fragment = {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": [classes_term(scores, target, class_weights=class_weights)],
        "metrics": [error_of(scores, target)],
        "learner": adam(l2),
    }
    if example_weight is not None:
        fragment["example_weight"] = example_weight
    return fragment


@recipes.part("sequence_tagger")
def sequence_tagger(
    fields,
    *,
    input: str = Param(**TOKENS),
    target: str = Param(field="tokens", documentation="field of one class a token"),
    embedding: int = EMBEDDING,
    embedding_scale: float = SCALE,
    encoder: str = Param("lstm", choices=RECURRENT),
    units: int = UNITS,
    bidirectional: bool = Param(True, **BOTH_WAYS),
    dropout: float = DROPOUT,
    class_weights: Optional[Union[Dict[str, float], List[float], str]] = CLASS_WEIGHTS,
    l2: float = L2,
):
    """One class for each token of a sequence."""
    stack = Stack(fields)
    steps = Reader(stack, input, embedding, embedding_scale, dropout).run(encoder, units, bidirectional)
    scores = stack.put("scores", "dense", steps, units=len(fields[target].classes))
    return {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": [classes_term(scores, target, class_weights=class_weights)],
        "metrics": [error_of(scores, target)],
        "learner": adam(l2),
    }


@recipes.part("slot_and_intent")
def slot_and_intent(
    fields,
    *,
    input: str = Param(**TOKENS),
    slots: str = Param(field="tokens", documentation="field of one class a token"),
    intent: str = Param(field="classes", documentation="field of one class a row"),
    embedding: int = EMBEDDING,
    embedding_scale: float = SCALE,
    encoder: str = Param("lstm", choices=RECURRENT),
    units: int = UNITS,
    bidirectional: bool = Param(True, **BOTH_WAYS),
    summary: str = Param("attention", **SUMMARY),
    dropout: float = DROPOUT,
    intent_weight: float = Param(1.0, gt=0, documentation="weight of the intent's term beside the slots'"),
    l2: float = L2,
):
    """A class for each token and one for the whole sequence, from one encoder."""
    stack = Stack(fields)
    reader = Reader(stack, input, embedding, embedding_scale, dropout)
    steps = reader.run(encoder, units, bidirectional)
    slot_scores = stack.put("slot_scores", "dense", steps, units=len(fields[slots].classes))
    told = reader.summarised(summary)
    intent_scores = stack.put("intent_scores", "dense", told, units=len(fields[intent].classes))
    return {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": [
            classes_term(slot_scores, slots, name="slots"),
            classes_term(intent_scores, intent, name="intent", weight=intent_weight),
        ],
        "metrics": [
            dict(error_of(slot_scores, slots), name="slot_error"),
            dict(error_of(intent_scores, intent), name="intent_error"),
        ],
        "learner": adam(l2),
    }


SHARED = {
    "all": ("embedding", "importance", "forward", "backward"),
    "embedding": ("embedding",),
    "nothing": (),
}


@recipes.part("two_towers")
def two_towers(
    fields,
    *,
    left: str = Param(**TOKENS),
    right: str = Param(**TOKENS),
    target: Optional[str] = Param(
        None, field="judgement", documentation="a number or a class of the pair; without it, pairs are ranked"
    ),
    score: Optional[str] = Param(
        None,
        choices=("cosine", "dot_product", "dense"),
        documentation="how two vectors meet: dense for classes, cosine otherwise",
    ),
    embedding: int = EMBEDDING,
    embedding_scale: float = SCALE,
    encoder: str = Param("bag_of_words", **ENCODER),
    units: int = UNITS,
    bidirectional: bool = Param(False, **BOTH_WAYS),
    share: str = Param("all", choices=tuple(SHARED), documentation="what the towers have in common"),
    hidden: int = Param(64, ge=1, documentation="units between the two vectors and a dense score"),
    scale: float = Param(10.0, gt=0, documentation="what similarities are multiplied by in ranking"),
    dropout: float = DROPOUT,
    l2: float = L2,
):
    """Two sequences against each other: question and answer, two sentences.

    Each becomes one vector. A number is predicted from their score by a line that is learned with them;
    a class from both vectors, their distance and product. Without a target the right partner of a row is
    told from those of the other rows of its minibatch.
    """
    if SHARED[share] and fields[left].classes != fields[right].classes:
        raise RecipeError(
            "share",
            "%r and %r have other tokens than each other; give one of them the other's vocabulary"
            " (tokens.vocabulary_of), or share nothing" % (left, right),
        )
    classes = None if target is None else fields[target].classes
    score = score or ("cosine" if classes is None else "dense")
    if classes is not None and score != "dense":
        raise RecipeError(
            "score", "classes take the score 'dense', not %r: a similarity is one number" % score
        )
    if target is None and score == "dense":
        raise RecipeError("score", "ranking compares vectors by 'cosine' or 'dot_product', not 'dense'")
    stack = Stack(fields)
    one = Reader(stack, left, embedding, embedding_scale, dropout, "left_")
    a = one.encode(encoder, units, bidirectional)
    other = Reader(stack, right, embedding, embedding_scale, dropout, "right_", one, SHARED[share])
    b = other.encode(encoder, units, bidirectional)
    if target is None:
        pair = {"output": a, "target": b, "similarity": score}
        objective = [dict(pair, type="ranking_with_negatives", scale=scale)]
        metrics = [dict(pair, type="ranking_accuracy")]
        outputs = [a, b]
    else:
        met = meeting(stack, a, b, hidden) if score == "dense" else stack.put("similarity", score, [a, b])
        if classes is not None:
            output = stack.put("scores", "dense", met, units=len(classes))
            objective, metrics = [classes_term(output, target)], [error_of(output, target)]
        else:
            output = predicted(stack, met, score, fields[target])
            compared = {"output": output, "target": target}
            objective = [dict(compared, type="squared_error")]
            metrics = [dict(compared, type=metric) for metric in ("pearson", "root_mean_squared_error")]
        outputs = [a, b, output]
    return {
        "inputs": stack.inputs,
        "network": stack.layers,
        "objective": objective,
        "metrics": metrics,
        "outputs": outputs,
        "learner": adam(l2),
    }


def meeting(stack, a, b, hidden):
    """Both vectors, their distance and product, through one dense layer."""
    distance = stack.put("distance", "difference", [a, b], absolute=True)
    product = stack.put("product", "product", [a, b])
    both = stack.put("joined", "splice", [a, b, distance, product])
    return stack.put("hidden", "dense", both, units=hidden, activation="relu")


def predicted(stack, node, score, field):
    """A number in the target's units; a similarity begins with the target's own mean and deviation."""
    settings = {"units": 1, "init_bias": field.mean[0]}
    if score != "dense":
        settings["init"] = {"type": "constant", "value": field.std[0]}
    return stack.put("predicted", "dense", node, **settings)
