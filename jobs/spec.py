"""From the spec that a client posts to the one that a trainer runs: checked, resolved, complete."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from jobs.dataset import DatasetSchema, FieldSchema, load_schema
from jobs.errors import Fault, InvalidInput
from jobs.settings import Settings
from jobs.shapes import Plan, estimate, plan, sources
from jobs.spec_models import nearest, parse
from trainer.layout import Volume
from trainer.parts import layers, learners, losses, metrics

BUDGET = ("name", "start_from", "checkpoints", "fingerprint")
"""Top-level keys that may differ between a job and the one it continues exactly."""
TRAINING_BUDGET = ("epochs", "early_stopping")


@dataclass(frozen=True)
class NormalisedSpec:
    """A spec with every default filled in and every name resolved, as spec.json holds it."""

    document: dict[str, Any]
    estimate: dict[str, Any]

    @property
    def fingerprint(self) -> str:
        return str(self.document["fingerprint"])

    @property
    def dataset(self) -> str:
        return str(self.document["dataset"])


def normalise(document: Mapping[str, Any], volume: Volume, settings: Settings) -> NormalisedSpec:
    """The complete spec; InvalidInput with every fault at once, NotFound without its data set.

    Structural faults (types, unknown keys) come first: meaning is only looked for in a whole spec.
    """
    spec = parse(document).model_dump()
    schema = load_schema(volume, spec["dataset"])
    check = _Check(spec, schema)
    planned = check.run()
    if check.faults:
        raise InvalidInput.of(check.faults)
    spec["network"] = [spec["network"][position] for position in planned.order]
    if spec["training"]["threads"] is None:
        spec["training"]["threads"] = settings.threads
    spec["fingerprint"] = fingerprint(spec)
    return NormalisedSpec(spec, estimate(spec, planned, schema))


def comparable(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What an exact continuation has in common with the job it continues: all but the budget."""
    kept = {key: value for key, value in spec.items() if key not in BUDGET}
    kept["training"] = {k: v for k, v in spec["training"].items() if k not in TRAINING_BUDGET}
    return kept


def fingerprint(spec: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON of ``comparable``; the order of the layers counts."""
    text = json.dumps(comparable(spec), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def diff(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where two complete specs differ beyond the budget: pointer and both values."""
    return list(_differences("", comparable(here), comparable(there)))


def _differences(at: str, here: Any, there: Any) -> list[dict[str, Any]]:
    if isinstance(here, dict) and isinstance(there, dict):
        return [
            found
            for key in sorted(here.keys() | there.keys())
            for found in _differences(f"{at}/{key}", here.get(key), there.get(key))
        ]
    if isinstance(here, list) and isinstance(there, list) and len(here) == len(there):
        return [
            found
            for index, pair in enumerate(zip(here, there, strict=True))
            for found in _differences(f"{at}/{index}", *pair)
        ]
    return [] if here == there else [{"pointer": at, "here": here, "there": there}]


class _Check:
    """One pass over a parsed spec: resolves names in place and gathers what is wrong."""

    def __init__(self, spec: dict[str, Any], schema: DatasetSchema) -> None:
        self.spec = spec
        self.schema = schema
        self.faults: list[Fault] = []

    def fault(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(pointer, code, detail))

    def run(self) -> Plan:
        if "train" not in self.schema.splits:
            self.fault("/dataset", "no_training_split", f"data set {self.schema.id} has no training split")
        self.names()
        planned = plan(self.inputs(), self.spec["network"], self.faults)
        for position, term in enumerate(self.spec["objective"]):
            self.comparison(f"/objective/{position}", term, losses[term["type"]].facts["target"], planned)
            self.class_weights(f"/objective/{position}/class_weights", term)
        for position, metric in enumerate(self.spec["metrics"]):
            self.comparison(f"/metrics/{position}", metric, metrics[metric["type"]].facts["target"], planned)
            self.top_n(f"/metrics/{position}/top_n", metric, planned)
        self.default_names("objective")
        self.default_names("metrics")
        self.example_weight()
        self.trained(planned)
        self.normalization(planned)
        self.outputs(planned)
        self.watch()
        self.schedules()
        self.learner()
        self.sparse()
        return planned

    def field(self, pointer: str, name: str) -> FieldSchema | None:
        found = self.schema.fields.get(name)
        if found is None:
            self.fault(
                pointer,
                "unknown_field",
                f"data set {self.schema.id} has no field {name!r}; {nearest(name, list(self.schema.fields))}",
            )
        elif found.sequence:
            self.fault(
                pointer,
                "sequence",
                f"the field {name!r} holds sequences, and no layer of this version takes them",
            )
        return found

    def names(self) -> None:
        """No two nodes may share a name: losses and later jobs find them by it."""
        seen: set[str] = set(self.spec["inputs"])
        for position, layer in enumerate(self.spec["network"]):
            if layer["name"] in seen:
                self.fault(
                    f"/network/{position}/name",
                    "duplicate_name",
                    f"another input or layer is already named {layer['name']!r}",
                )
            seen.add(layer["name"])

    def inputs(self) -> dict[str, tuple[int, ...] | None]:
        """The shape of each input; None where its field is not known."""
        shapes: dict[str, tuple[int, ...] | None] = {}
        for name, document in self.spec["inputs"].items():
            at = f"/inputs/{name}"
            found = self.field(f"{at}/field", document["field"])
            shapes[name] = found.shape if found else None
            if found is None:
                continue
            if document["standardize"] and found.mean is None:
                self.fault(
                    f"{at}/standardize",
                    "not_dense",
                    f"a {found.kind} field has no mean and deviation to standardize by",
                )
            if document["standardize"] and (document["shift"] or document["scale"] != 1):
                self.fault(f"{at}/standardize", "exclusive", "give standardize or shift and scale, not both")
            if found.kind == "sparse" and (document["shift"] or document["scale"] != 1):
                self.fault(f"{at}/scale", "not_dense", "a sparse field cannot be shifted or scaled")
        return shapes

    def comparison(self, at: str, item: dict[str, Any], wants: str, planned: Plan) -> None:
        """A term's or metric's output and target exist, fit each other, and are of its kind."""
        output = planned.shapes.get(item["output"])
        nodes = {layer["name"] for layer in self.spec["network"]} | set(self.spec["inputs"])
        if item["output"] not in nodes:
            self.fault(
                f"{at}/output",
                "unknown_node",
                f"no input or layer is named {item['output']!r}; {nearest(item['output'], list(nodes))}",
            )
        source = self.spec["inputs"].get(item["target"], {}).get("field", item["target"])
        if item["target"] in nodes and item["target"] not in self.spec["inputs"]:
            self.fault(
                f"{at}/target",
                "target_kind",
                f"{item['target']!r} is a layer; a target is an input or a field",
            )
            return
        target = self.field(f"{at}/target", source)
        if target is None:
            return
        distribution = within_unit(target) and len(target.shape) == 1
        if wants == "classes" and not (target.kind == "categorical" or distribution):
            self.fault(
                f"{at}/target",
                "target_kind",
                f"{item['type']} takes a categorical field or a distribution over classes (a vector in 0..1),"
                f" but {source!r} is {described(target)}; upload it with kind categorical",
            )
        if wants == "labels" and not (target.kind == "dense" and within_unit(target)):
            self.fault(
                f"{at}/target",
                "target_kind",
                f"{item['type']} takes a dense field of labels in 0..1, not {source!r}: {described(target)}",
            )
        if wants == "values" and target.kind != "dense":
            self.fault(
                f"{at}/target",
                "target_kind",
                f"{item['type']} takes a dense field of numbers, but {source!r} is {described(target)}",
            )
        if output is not None and output != target.shape:
            self.fault(
                at,
                "shape",
                f"the output {item['output']!r} is {by(output)} but the target {source!r} is "
                f"{by(target.shape)}; the last layer and the target need the same shape",
            )

    def class_weights(self, at: str, term: dict[str, Any]) -> None:
        """Class weights as a list in the order of the field's classes, or None."""
        given = term["class_weights"]
        if given is None:
            return
        source = self.spec["inputs"].get(term["target"], {}).get("field", term["target"])
        target = self.schema.fields.get(source)
        if target is None:
            return
        if target.classes is None or target.histogram is None:
            self.fault(
                at,
                "target_kind",
                f"class weights need a categorical target, but {source!r} is {described(target)}",
            )
            return
        if isinstance(given, list):
            if len(given) != len(target.classes):
                self.fault(at, "length", f"{source!r} has {len(target.classes)} classes, not {len(given)}")
            return
        if given == "balanced":
            rows = sum(target.histogram)
            term["class_weights"] = [
                rows / (len(target.classes) * count) if count else 0.0 for count in target.histogram
            ]
            return
        for name in given:
            if name not in target.classes:
                self.fault(
                    f"{at}/{name}",
                    "unknown_class",
                    f"{source!r} has no class {name!r}; {nearest(name, target.classes)}",
                )
        term["class_weights"] = [given.get(name, 1.0) for name in target.classes]
        if not any(term["class_weights"]):
            self.fault(at, "all_zero", "every class has the weight 0, so nothing would be learned")

    def top_n(self, at: str, metric: dict[str, Any], planned: Plan) -> None:
        shape = planned.shapes.get(metric["output"])
        if "top_n" in metric and shape and metric["top_n"] > prod(shape):
            self.fault(at, "too_large", f"top_n is {metric['top_n']} but there are {prod(shape)} classes")

    def default_names(self, section: str) -> None:
        """A term without a name is called by its type, and by its output too where that is not enough."""
        items = self.spec[section]
        types = Counter(item["type"] for item in items if item["name"] is None)
        taken: set[str] = {"total", "total_unweighted"} if section == "objective" else set()
        for position, item in enumerate(items):
            alone = types[item["type"]] == 1
            name = item["name"] or (item["type"] if alone else f"{item['type']}_{item['output']}")
            if name in taken:
                self.fault(
                    f"/{section}/{position}/name",
                    "duplicate_name",
                    f"the name {name!r} is taken; give this one another 'name'",
                )
            taken.add(name)
            item["name"] = name

    def example_weight(self) -> None:
        name = self.spec["example_weight"]
        if name is None or (found := self.field("/example_weight", name)) is None:
            return
        if found.kind != "dense" or prod(found.shape) != 1:
            self.fault(
                "/example_weight",
                "shape",
                f"a weight is one number an example, but {name!r} is {described(found)}",
            )
        elif found.min is not None and found.min < 0:
            self.fault(
                "/example_weight",
                "negative",
                f"the weights in {name!r} go down to {found.min:g}; they may not be negative",
            )
        elif found.max == 0:
            self.fault(
                "/example_weight", "all_zero", f"every weight in {name!r} is 0, so nothing would be learned"
            )

    def outputs(self, planned: Plan) -> None:
        """The nodes that make up the finished model; by default all that terms and metrics look at."""
        layers = [layer["name"] for layer in self.spec["network"]]
        if self.spec["outputs"] is None:
            used = {item["output"] for item in self.spec["objective"] + self.spec["metrics"]}
            self.spec["outputs"] = [layer.name for layer in planned.layers if layer.name in used]
        for position, name in enumerate(self.spec["outputs"]):
            if name not in layers:
                self.fault(
                    f"/outputs/{position}",
                    "unknown_node",
                    f"no layer is named {name!r}; {nearest(name, layers)}",
                )

    def watch(self) -> None:
        """Which value says what is best; by default the first metric (or the loss) on held-out data."""
        valid = "valid" in self.schema.splits
        better = {item["name"]: "lower" for item in self.spec["objective"]} | {"total": "lower"}
        better |= {item["name"]: metrics[item["type"]].facts["better"] for item in self.spec["metrics"]}
        given = self.spec["watch"] or {"metric": None, "split": None, "better": None}
        metric = given["metric"] or (self.spec["metrics"][0]["name"] if self.spec["metrics"] else "total")
        split = given["split"] or ("valid" if valid else "train")
        if metric not in better:
            self.fault(
                "/watch/metric",
                "unknown_metric",
                f"no metric or loss term is named {metric!r}; {nearest(metric, list(better))}",
            )
            return
        if split == "valid" and not valid:
            self.fault("/watch/split", "unknown_split", f"data set {self.schema.id} has no validation split")
        if given["better"] not in (None, better[metric]):
            self.fault(
                "/watch/better", "contradiction", f"of {metric}, {better[metric]} is better; leave this out"
            )
        self.spec["watch"] = {"metric": metric, "split": split, "better": better[metric]}

    def schedules(self) -> None:
        """What a schedule's own limits cannot say."""
        key = learners[self.spec["learner"]["type"]].facts["rate"]
        outer = self.spec["learner"][key]
        for at, schedule in ((f"/learner/{key}", outer), (f"/learner/{key}/then", outer.get("then"))):
            if schedule is None or schedule["type"] != "piecewise":
                continue
            rates, until = schedule["rates"], schedule["until_epochs"]
            if len(rates) != len(until) + 1:
                self.fault(
                    f"{at}/rates",
                    "length",
                    f"{len(until)} boundaries need {len(until) + 1} rates, "
                    f"not {len(rates)}: the last one holds to the end",
                )
            if sorted(set(until)) != until:
                self.fault(f"{at}/until_epochs", "order", "the epochs must rise from one to the next")

    def learner(self) -> None:
        chosen = self.spec["learner"]
        if chosen["clip_norm"] is not None and chosen["clip_value"] is not None:
            self.fault("/learner/clip_value", "exclusive", "give clip_norm or clip_value, not both")
        if chosen["type"] == "rmsprop" and chosen["max"] <= chosen["min"]:
            self.fault("/learner/max", "order", f"max must be above min, which is {chosen['min']:g}")

    def trained(self, planned: Plan) -> None:
        """Something is learned, and by way of the objective: CNTK fails on parameters beside it."""
        network = {layer["name"]: layer for layer in self.spec["network"]}
        ahead = [term["output"] for term in self.spec["objective"]]
        known = len(network) == len(planned.layers) == len(self.spec["network"])
        if not known or any(name not in planned.shapes for name in ahead):
            return
        reached: set[str] = set()
        while ahead:
            name = ahead.pop()
            if name in network and name not in reached:
                reached.add(name)
                ahead.extend(sources(network[name]))
        if not planned.parameters:
            self.fault("/network", "nothing_to_learn", "no layer has parameters, so nothing would be learned")
        for layer, position in zip(planned.layers, planned.order, strict=True):
            if layer.parameters and layer.name not in reached:
                self.fault(
                    f"/network/{position}",
                    "untrained",
                    f"no term of the objective depends on {layer.name!r}, so it would not be trained",
                )

    def normalization(self, planned: Plan) -> None:
        """Batch normalization never meets a single number: it would remember an infinite deviation."""
        if "train" not in self.schema.splits:
            return
        size, rows = self.spec["training"]["minibatch_size"], self.schema.splits["train"].rows
        if (rows % size or min(size, rows)) > 1:
            return
        normalizing = {la["name"] for la in self.spec["network"] if la["type"] == "batch_normalization"}
        for layer in planned.layers:
            if layer.name in normalizing and layer.parameter_shapes["scale"] == layer.shape:
                self.fault(
                    "/training/minibatch_size",
                    "too_small",
                    f"with {size} of {rows} rows at a time the last minibatch holds one example, but "
                    f"{layer.name!r} needs two to normalize by; choose another size",
                )

    def sparse(self) -> None:
        """Sparse inputs go to the few layers and learners that CNTK has for them."""
        sparse = {
            name
            for name, document in self.spec["inputs"].items()
            if (field := self.schema.fields.get(document["field"])) and field.kind == "sparse"
        }
        if not sparse:
            return
        fit = ", ".join(part.name for part in layers if part.facts.get("sparse"))
        for position, layer in enumerate(self.spec["network"]):
            taken = sparse.intersection(sources(layer))
            if taken and not layers[layer["type"]].facts.get("sparse"):
                self.fault(
                    f"/network/{position}",
                    "sparse_input",
                    f"{layer['type']} cannot take the sparse input {min(taken)!r}; these can: {fit}",
                )
        learner = self.spec["learner"]
        if not learners[learner["type"]].facts.get("sparse"):
            able = ", ".join(part.name for part in learners if part.facts.get("sparse"))
            self.fault(
                "/learner/type",
                "sparse_input",
                f"{learner['type']} cannot train on the sparse input {min(sparse)!r}; these can: {able}",
            )
        if learner["l2"]:
            self.fault(
                "/learner/l2",
                "sparse_input",
                f"CNTK has no l2 for the sparse input {min(sparse)!r}; set it to 0",
            )


def within_unit(field: FieldSchema) -> bool:
    return field.kind == "dense" and field.min is not None and field.min >= 0 and (field.max or 0) <= 1


def described(field: FieldSchema) -> str:
    """ "dense, 8 x 8, 0 to 16"."""
    span = f", {field.min:g} to {field.max:g}" if field.min is not None and field.max is not None else ""
    return f"{field.kind}, {by(field.shape)}{span}"


def by(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
