"""The finished model as others take it: model.dnn, and beside it what is needed to use it."""

import os

from trainer.engine import C
from trainer.feeding import fed_to
from trainer.files import read_json, write_json

FORMAT = 1


def write_bundle(folder, model, heads, described):
    """model.dnn, model.json and preprocessing.json in ``folder``, each whole or not at all.

    ``described`` is what the caller knows of the model: job, fingerprint, runtime, digest.
    """
    folder.mkdir(exist_ok=True)
    aside = folder / ".writing-model.dnn"
    network = model.whole()
    nodes = [network.nodes[name] for name in model.spec["outputs"]]
    C.combine(nodes).save(str(aside))
    os.rename(str(aside), str(folder / "model.dnn"))
    write_json(folder / "preprocessing.json", read_json(network.dataset.fitted_schema), durable=False)
    write_json(
        folder / "model.json",
        dict(described, format=FORMAT, inputs=inputs(network, nodes), outputs=outputs(model, heads)),
        durable=False,
    )


def inputs(network, nodes):
    """The variables of model.dnn, by name: the field that each is fed from, and as what.

    Scaling is in the graph. A categorical field is fed as "codes" or as "one_hot" vectors.
    """
    found = {}
    for variable in fed_to(network.columns, *nodes):
        field = network.fields[variable]
        schema = network.dataset.fitted[field]
        fed_as = "values"
        if schema["kind"] == "categorical":
            fed_as = "one_hot" if variable.shape else "codes"
        found[variable.name] = {
            "field": field,
            "kind": schema["kind"],
            "shape": list(variable.shape),
            "sparse": variable.is_sparse,
            "sequence": schema.get("sequence", False),
            "fed_as": fed_as,
            "classes": schema.get("classes"),
        }
    return found


def outputs(model, heads):
    """The outputs of model.dnn, by name, and what the objective says that each means."""
    found = {}
    for name in model.spec["outputs"]:
        found[name] = {"shape": list(model.network.nodes[name].shape), "meaning": []}
        for head in heads:
            if head.output == name:
                meaning = {"kind": head.kind, "target": head.target}
                if head.kind != "values":
                    meaning[head.kind] = head.names
                if head.thresholds is not None:
                    meaning["thresholds"] = head.thresholds
                found[name]["meaning"].append(meaning)
    return found
