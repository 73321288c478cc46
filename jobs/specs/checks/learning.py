"""The learner, its schedule, and what training looks at: outputs and the watched value."""

from __future__ import annotations

from jobs.specs.checks.draft import Draft
from jobs.specs.shapes import Plan
from jobs.specs.structure import nearest
from trainer.parts import learners, metrics


def outputs(draft: Draft, planned: Plan) -> None:
    """The nodes that make up the finished model; by default all that terms and metrics look at."""
    layers = [layer["name"] for layer in draft.spec["network"]]
    if draft.spec["outputs"] is None:
        items = draft.spec["objective"] + draft.spec["metrics"]
        # A target may be a layer, too: the other tower of a ranking.
        used = {item["output"] for item in items} | {str(item["target"]) for item in items}
        draft.spec["outputs"] = [layer.name for layer in planned.layers if layer.name in used]
    for position, name in enumerate(draft.spec["outputs"]):
        if name not in layers:
            draft.fault(
                f"/outputs/{position}",
                "unknown_node",
                f"no layer is named {name!r}; {nearest(name, layers)}",
            )


def watch(draft: Draft) -> None:
    """Which value says what is best; by default the first metric (or the loss) on held-out data."""
    valid = "valid" in draft.schema.splits
    better = {item["name"]: "lower" for item in draft.spec["objective"]} | {"total": "lower"}
    better |= {item["name"]: metrics[item["type"]].facts["better"] for item in draft.spec["metrics"]}
    given = draft.spec["watch"] or {"metric": None, "split": None, "better": None}
    metric = given["metric"] or (draft.spec["metrics"][0]["name"] if draft.spec["metrics"] else "total")
    split = given["split"] or ("valid" if valid else "train")
    if metric not in better:
        draft.fault(
            "/watch/metric",
            "unknown_metric",
            f"no metric or loss term is named {metric!r}; {nearest(metric, list(better))}",
        )
        return
    if split == "valid" and not valid:
        draft.fault("/watch/split", "unknown_split", f"data set {draft.schema.id} has no validation split")
    if given["better"] not in (None, better[metric]):
        draft.fault(
            "/watch/better", "contradiction", f"of {metric}, {better[metric]} is better; leave this out"
        )
    draft.spec["watch"] = {"metric": metric, "split": split, "better": better[metric]}


def schedules(draft: Draft) -> None:
    """What a schedule's own limits cannot say."""
    key = learners[draft.spec["learner"]["type"]].facts["rate"]
    outer = draft.spec["learner"][key]
    for at, schedule in ((f"/learner/{key}", outer), (f"/learner/{key}/then", outer.get("then"))):
        if schedule is None or schedule["type"] != "piecewise":
            continue
        rates, until = schedule["rates"], schedule["until_epochs"]
        if len(rates) != len(until) + 1:
            draft.fault(
                f"{at}/rates",
                "length",
                f"after {len(until)} in until_epochs {len(until) + 1} rates are needed, "
                f"not {len(rates)}: the last one holds to the end",
            )
        if sorted(set(until)) != until:
            draft.fault(f"{at}/until_epochs", "order", "the epochs must rise from one to the next")


def learner(draft: Draft) -> None:
    chosen = draft.spec["learner"]
    if chosen["clip_norm"] is not None and chosen["clip_value"] is not None:
        draft.fault("/learner/clip_value", "exclusive", "give clip_norm or clip_value, not both")
    if chosen["type"] == "rmsprop" and chosen["max"] <= chosen["min"]:
        draft.fault("/learner/max", "order", f"max must be above min, which is {chosen['min']:g}")


def rates(draft: Draft, planned: Plan) -> None:
    """Factors of the learning rate are of layers that have something to learn."""
    factors = draft.spec["training"]["rate_factors"] or {}
    layers = [layer["name"] for layer in draft.spec["network"]]
    parameters = {layer.name: layer.parameters for layer in planned.layers}
    for name in factors:
        at = f"/training/rate_factors/{name}"
        if name not in layers:
            draft.fault(at, "unknown_node", f"no layer is named {name!r}; {nearest(name, layers)}")
        elif not parameters.get(name, 1):
            able = ", ".join(other for other, count in parameters.items() if count) or "none"
            detail = f"{name!r} has no parameters of its own to learn; these layers have: {able}"
            draft.fault(at, "nothing_to_learn", detail)
