"""``python -m trainer.importing SOURCE FORMAT FOLDER [OUTPUT ...]``: open a model that somebody brought.

Leaves in FOLDER the network as this service keeps it, model.dnn (no blocks, a name of its own for every
operation and weight), and what is known of it, found.json; or else refused.json, which says why not.
It is run in a sandbox: whatever the file does, it does there.
"""

import argparse
import mmap
import os
import re
import sys
from pathlib import Path

import numpy as np

from trainer import dictionary, model_file
from trainer.engine import C, take_a_first_step, use_threads
from trainer.files import write_json
from trainer.model_file import RefusedModel
from trainer.onnx import file as onnx_file

TOLERANCE = 1e-5
"""How far the outputs of the kept network may be from those of the one that was brought, by their size."""
LEFT_OUT = frozenset(["maxTempMemSizeInSamples", "useCuDNNEngine", "sharing", "sequential", "rngOffset"])
"""Attributes of operations that say nothing of what they compute."""


def main():
    parser = argparse.ArgumentParser(prog="trainer.importing", description="Open a model and list its nodes.")
    parser.add_argument("source", type=Path)
    parser.add_argument("format", choices=["cntk", "onnx"])
    parser.add_argument("folder", type=Path, help="where model.dnn and found.json go")
    parser.add_argument("outputs", nargs="*", help="nodes to keep, with what they need (default: all)")
    arguments = parser.parse_args()
    C.logging.set_trace_level(C.logging.TraceLevel.Error)
    use_threads(1)
    take_a_first_step()
    try:
        write_json(arguments.folder / "found.json", take(**vars(arguments)))
    except RefusedModel as error:
        write_json(arguments.folder / "refused.json", {"detail": str(error)})
    return 0


def take(source, format, folder, outputs=()):
    """Write model.dnn into ``folder``; what is known of it, as it goes into the record. RefusedModel."""
    data = mapped(source)
    if format == "onnx":
        network, names = opened(lambda: onnx(data))
    else:
        model_file.checked(data)
        network, names = opened(lambda: C.load_model(str(source))), {}
    if outputs:
        network = C.combine([network.find_by_name(name) for name in outputs])
    kept = rewritten(network, names, folder)
    compare(network, kept)
    kept.save(str(folder / "model.dnn"))
    saved = model_file.checked((folder / "model.dnn").read_bytes())
    return described(kept, model_file.sorted_(saved)[model_file.FUNCTIONS])


def mapped(source):
    """The bytes of a file, which stay on the disk until they are looked at."""
    if os.path.getsize(str(source)) == 0:
        raise RefusedModel("the file is empty")
    with source.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def onnx(data):
    outputs, names = onnx_build(onnx_file.read(memoryview(data)))
    return C.combine(outputs), names


def onnx_build(graph):
    # It is of CNTK's operations, so it is loaded where there is CNTK.
    from trainer.onnx.network import build

    return build(graph)


def opened(open_):
    """What ``open_`` makes; CNTK's errors, cut where its own frames begin, are the file's fault."""
    try:
        return open_()
    except RefusedModel:
        raise
    except (RuntimeError, ValueError) as error:
        words = str(error).split("[CALL STACK]")[0].strip()
        raise RefusedModel("CNTK cannot read it: %s" % " ".join(words.split())[:500]) from None


def operations(network):
    """{uid: function} of every operation, within blocks too."""
    found = C.logging.graph.depth_first_search(network, lambda x: isinstance(x, C.Function), depth=-1)
    return {function.uid: function for function in found}


def rewritten(network, names, folder):
    """The same network without blocks, every operation and weight under a name of its own."""
    aside = folder / "aside.dnn"
    network.save(str(aside))
    model = model_file.checked(aside.read_bytes())
    ops = {uid: function.op_name for uid, function in operations(network).items()}
    for function in model[model_file.FUNCTIONS]:
        ops.setdefault(function["uid"], function["uid"].rstrip("0123456789"))
        if names.get(function["uid"]):
            function["name"] = re.sub(r"[^ -~]", "_", names[function["uid"]])
    model = model_file.named(model_file.sorted_(model_file.dissolved(model, ops)), ops)
    aside.write_bytes(dictionary.write(model))
    kept = C.load_model(str(aside))
    aside.unlink()
    return kept


def compare(network, kept):
    """RefusedModel unless both give the same for the same input, where one can be made up."""
    theirs, ours = network.arguments, {argument.uid: argument for argument in kept.arguments}
    plain = all(argument.dynamic_axes == (C.Axis.default_batch_axis(),) for argument in theirs)
    if not plain or any(min(argument.shape or (1,)) < 1 for argument in theirs):
        return
    random = np.random.RandomState(1)
    fed = {argument: random.rand(2, *argument.shape).astype(np.float32) for argument in theirs}
    wanted = network.eval(fed)
    found = kept.eval({ours[argument.uid]: values for argument, values in fed.items()})
    pairs = [(wanted, found)]
    if isinstance(wanted, dict):
        order = {output.uid: values for output, values in found.items()}
        pairs = [(values, order[output.uid]) for output, values in wanted.items()]
    for was, now in pairs:
        was, now = np.asarray(was, np.float64), np.asarray(now, np.float64)
        if not np.allclose(was, now, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
            raise RefusedModel(
                "its outputs are not the same once it is saved anew: %s" % abs(was - now).max()
            )


def described(kept, order):
    """What the record says: inputs, outputs, nodes in topological order and numbers of parameters."""
    functions = operations(kept)
    learned = {parameter.uid: int(np.prod(parameter.shape)) for parameter in kept.parameters}
    names = {argument.uid: argument.name for argument in kept.arguments}
    nodes = []
    for written in order:
        function = functions[written["uid"]]
        if function.op_name == "Combine":
            continue
        names.update((output.uid, written["name"]) for output in function.outputs)
        nodes.append(
            {
                "name": written["name"],
                "op": function.op_name,
                "shape": shape(function.outputs[0]),
                "inputs": [names[uid] for uid in written["inputs"] if uid in names],
                "parameters": sum(learned.get(uid, 0) for uid in set(written["inputs"])),
                "attributes": attributes(function),
            }
        )
    return {
        "inputs": [{"name": argument.name, "shape": shape(argument)} for argument in kept.arguments],
        "outputs": [names[output.uid] for output in kept.outputs],
        "nodes": nodes,
        "parameters": sum(learned.values()),
    }


def shape(variable):
    return [int(size) if size >= 0 else -1 for size in variable.shape]


def attributes(function):
    """CNTK's attributes of an operation in snake_case; axes count from the front, that of channels is 0."""
    rank = len(function.inputs[0].shape) if function.inputs else 0
    found = {}
    for name, value in function.attributes.items():
        if name in LEFT_OUT:
            continue
        plain = [axis(item, rank) for item in value] if isinstance(value, (list, tuple)) else value
        if is_axis(value):
            plain = axis(value, rank)
        if name in ("beginAxis", "endAxis"):
            # CNTK counts from the back, so its end is our beginning.
            name = {"beginAxis": "endAxis", "endAxis": "beginAxis"}[name]
            plain = None if plain is None else plain + 1
        found[re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()] = plain
    return {name: value for name, value in found.items() if jsonable(value)}


def is_axis(value):
    return isinstance(value, tuple) and len(value) == 3 and value[0] in ("ordered", "unordered")


def axis(value, rank):
    """The place of a static axis from the front; other values as they are."""
    if not is_axis(value):
        return value
    if value[1] != "static":
        return None
    return -value[2] - 1 if value[2] < 0 else rank - 1 - value[2]


def jsonable(value):
    if isinstance(value, list):
        return all(jsonable(item) for item in value)
    if isinstance(value, float):
        return np.isfinite(value)
    return value is None or isinstance(value, (bool, int, str))


if __name__ == "__main__":
    sys.exit(main())
