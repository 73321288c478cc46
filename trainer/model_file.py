"""What is in a CNTK model file, judged and rewritten without CNTK: user-defined functions, blocks, names."""

from collections import Counter, OrderedDict
from typing import Any, Dict

from trainer import dictionary
from trainer.dictionary import Malformed

TYPES = frozenset(["CompositeFunction", "PrimitiveFunction", "Variable"])
FUNCTIONS = "primitive_functions"
CODE_KEYS = frozenset(
    ["user_defined_state", "native", "module", "class", "op_name", "deserialize_method", "deserialize"]
)
"""Entries that only user-defined functions have. CNTK runs ``from <module> import <class>`` as Python,
or loads the shared library that ``module`` names, while it reads the file."""
BATCH_NORM_INPUTS = ("", "scale", "bias", "mean", "variance", "count")
_ARGUMENTS = {
    "BatchNormalization": BATCH_NORM_INPUTS,
    "Convolution": ("W", ""),
    "Times": ("W", "W"),
    "TransposeTimes": ("W", "W"),
    "Plus": ("b", "b"),
    "ElementTimes": ("scale", "scale"),
}
"""What the inputs of an operation are called where a parameter has no name of its own."""


class RefusedModel(ValueError):
    """The model cannot be taken; the message says why, for the one who brought it."""


def checked(data: Any) -> Dict[str, Any]:
    """The Dictionary in ``data``, if it is a network of CNTK's own operations alone; else RefusedModel."""
    if bytes(data[: len(dictionary.LEGACY)]) == dictionary.LEGACY:
        raise RefusedModel(
            "the file is in the format of CNTK 1, which cannot be checked for code; load it with CNTK 2 "
            "and save it again, then upload that"
        )
    try:
        model = dictionary.read(data)
    except Malformed as error:
        raise RefusedModel("the file is no whole CNTK model: %s" % error) from None
    found = sorted(set(_code(model)))
    if found:
        raise RefusedModel(
            "the model holds a user-defined function (%s): loading it would run code of whoever made the "
            "file; models of CNTK's own operations alone are taken" % ", ".join(found)
        )
    if model.get("type") != "CompositeFunction" or not isinstance(model.get(FUNCTIONS), list):
        raise RefusedModel("the file holds no network: save the model itself, not a trainer's checkpoint")
    return model


def _code(value, key=None):
    """What in a value makes CNTK run code of others', in words."""
    if isinstance(value, dict):
        for inner, item in value.items():
            if inner in CODE_KEYS:
                yield "entry %r" % inner
            for found in _code(item, inner):
                yield found
    elif isinstance(value, list):
        for item in value:
            for found in _code(item):
                yield found
    elif key == "type" and value not in TYPES:
        yield "type %s" % (repr(value)[:60])


def dissolved(model, operations):
    """The same model without blocks: each block's operations stand where it stood.

    The operation whose value is the block's own gets the block's name; the others are named
    ``<block>.<name>`` where they have one. ``operations``: {uid: operation} of every function in the file.
    """
    functions = model[FUNCTIONS]
    by_uid = {function["uid"]: function for function in functions}
    same = {}
    parents = {}
    for block in functions:
        if "block_function_composite" not in block:
            continue
        keys = block["block_function_composite_arguments_map_keys"]
        values = block["block_function_composite_arguments_map_values"]
        same.update(zip(keys, values))
        root = block["block_function_composite"]["root"]
        outputs = by_uid[root]["inputs"] if operations[root] == "Combine" else [output(root, 0)]
        same.update((output(block["uid"], place), uid) for place, uid in enumerate(outputs))
        same[block["uid"]] = root
        for inner in _reached(root, by_uid, set(keys)):
            parents[inner] = block["uid"]
    kept = [function for function in functions if "block_function_composite" not in function]
    for function in kept:
        function["inputs"] = [_followed(uid, same) for uid in function["inputs"]]
    _carry_names(functions, kept, same, parents, by_uid, operations)
    model["root"] = _followed(model["root"], same)
    model[FUNCTIONS] = kept
    return model


def sorted_(model):
    """The same model with each operation behind those that it depends on, and nothing that none takes in.

    CNTK writes placeholders where it meets an operation again; in this order none is needed. RefusedModel
    where there is no such order.
    """
    by_uid = {function["uid"]: function for function in model[FUNCTIONS]}
    done, begun = OrderedDict(), set()
    waiting = [function["uid"] for function in reversed(model[FUNCTIONS])]
    while waiting:
        uid = waiting[-1]
        if uid in done:
            waiting.pop()
            continue
        before = [owner(name) for name in by_uid[uid]["inputs"]]
        missing = [name for name in before if name in by_uid and name not in done]
        if not missing:
            done[waiting.pop()] = by_uid[uid]
        elif uid in begun:
            raise RefusedModel("the network is recurrent; base models are feed-forward ones")
        else:
            begun.add(uid)
            waiting.extend(reversed(missing))
    model[FUNCTIONS] = list(done.values())
    used = {uid for function in model[FUNCTIONS] for uid in function["inputs"] if owner(uid) not in by_uid}
    model["inputs"] = [variable for variable in model["inputs"] if variable["uid"] in used]
    if any(kind(variable) == PLACEHOLDER for variable in model["inputs"]):
        raise RefusedModel("the network has a placeholder: it is part of one, not a whole one")
    return model


def _reached(root, by_uid, stop):
    """Uids of the functions that a block's composite is made of."""
    seen, waiting = set(), [root]
    while waiting:
        uid = waiting.pop()
        if uid in seen or uid not in by_uid:
            continue
        seen.add(uid)
        waiting.extend(owner(name) for name in by_uid[uid]["inputs"] if name not in stop)
    return seen


def _carry_names(functions, kept, same, parents, by_uid, operations):
    roots = {}
    for block in functions:
        if "block_function_composite" in block and block.get("name"):
            target = _followed(block["uid"], same)
            # Of blocks within one another the outermost gives the name: it comes later.
            roots[target] = block["name"]
    for function in kept:
        parent = by_uid.get(parents.get(function["uid"]))
        if function["uid"] in roots:
            function["name"] = roots[function["uid"]]
        elif parent is not None and parent.get("name"):
            inner = own_name(function) or operations[function["uid"]]
            function["name"] = "%s.%s" % (parent["name"], inner)


def _followed(uid, same):
    while uid in same:
        uid = same[uid]
    return uid


def output(uid, place):
    """Uid of an output of a function."""
    return "%s_Output_%d" % (uid, place)


def owner(uid):
    """Uid of the function that an output is of; inputs have none."""
    head, middle, place = uid.rpartition("_Output_")
    return head if middle and place.isdigit() else None


def own_name(thing):
    """The name that its maker gave it; CNTK's own, of parts of an operation, begin with _."""
    name = thing.get("name") or ""
    return "" if name.startswith("_") else name


def named(model, operations):
    """The same model with a name for every operation, input, parameter and constant; no two have one.

    Names that are there stay; of several equal ones the first. Others are made of the operation and
    its place, so that the same file has the same names each time.
    """
    taken, counts = set(), Counter()
    functions = model[FUNCTIONS]
    for variable in model["inputs"]:
        if kind(variable) == INPUT:
            _name(variable, own_name(variable) or "input", taken)
    for function in functions:
        if own_name(function):
            _name(function, function["name"], taken)
    for function in functions:
        if not own_name(function):
            operation = operations[function["uid"]]
            counts[operation] += 1
            _name(function, "%s_%d" % (operation, counts[operation]), taken)
    users = _users(model, operations)
    for variable in model["inputs"]:
        if kind(variable) in (PARAMETER, CONSTANT):
            _name(variable, own_name(variable) or users[variable["uid"]], taken)
    return model


def _name(thing, wanted, taken):
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = "%s_%d" % (wanted, number)
    taken.add(name)
    thing["name"] = name


def _users(model, operations):
    """{uid of a parameter: a name after the first operation that takes it in}."""
    names = {}
    for function in model[FUNCTIONS]:
        roles = _ARGUMENTS.get(operations[function["uid"]], ())
        for place, uid in enumerate(function["inputs"]):
            role = roles[place] if place < len(roles) else ""
            names.setdefault(uid, "%s.%s" % (function["name"], role or "constant"))
    return names


INPUT, _OUTPUT, PARAMETER, CONSTANT, PLACEHOLDER = range(5)


def kind(variable):
    """INPUT, PARAMETER, CONSTANT or PLACEHOLDER."""
    return variable["kind"].value
