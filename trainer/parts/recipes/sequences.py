"""Recipes for sequences of tokens: one answer a row, one a token, both, or two texts against each other."""

from typing import Dict, List, Optional, Union

from trainer.parts.recipes.readers import BAGS, Reader
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
ENCODER = {
    "choices": RECURRENT + BAGS,
    "documentation": "a recurrence; or the mean of a row's embeddings, or their sum by learned weights of the"
    " tokens, whose order then does not count",
}
SCALE = Param(0.5, gt=0, documentation="standard deviation that the embeddings begin with")
TOKENS = {"field": "tokens", "documentation": "field of token sequences"}


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
