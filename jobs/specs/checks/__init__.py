"""What a well-formed spec must mean: every check adds its faults, none stops at the first.

``check`` resolves names and defaults in place as it goes, so the order of its steps counts.
"""

from __future__ import annotations

from typing import Any

from jobs.base_models.in_jobs import Lookup
from jobs.dataset import DatasetSchema
from jobs.errors import Fault
from jobs.specs.checks import bases, comparisons, decisions, features, keeping, learning, nodes, regions
from jobs.specs.checks.draft import Draft
from jobs.specs.shapes import Plan, plan
from trainer.parts import losses, metrics

__all__ = ["check"]


def check(spec: dict[str, Any], schema: DatasetSchema, models: Lookup) -> tuple[Plan, list[Fault]]:
    """The plan of a parsed spec's network, and all that is wrong with the spec.

    ``models`` finds the records of base models.
    """
    draft = Draft(spec, schema)
    if "train" not in schema.splits:
        draft.fault("/dataset", "no_training_split", f"data set {schema.id} has no training split")
    regions.declared(draft)
    nodes.names(draft)
    found = bases.bases(draft, models)
    planned = plan(nodes.inputs(draft), spec["network"], draft.faults, found)
    for position, term in enumerate(spec["objective"]):
        target = losses[term["type"]].facts["target"]
        comparisons.comparison(draft, f"/objective/{position}", term, target, planned)
        comparisons.class_weights(draft, f"/objective/{position}/class_weights", term)
        comparisons.element_weight(draft, f"/objective/{position}/element_weight", term, planned)
    for position, metric in enumerate(spec["metrics"]):
        target = metrics[metric["type"]].facts["target"]
        comparisons.comparison(draft, f"/metrics/{position}", metric, target, planned)
        comparisons.top_n(draft, f"/metrics/{position}/top_n", metric, planned)
    comparisons.default_names(draft, "objective")
    comparisons.default_names(draft, "metrics")
    comparisons.example_weights(draft, planned)
    comparisons.negatives(draft)
    nodes.trained(draft, planned)
    nodes.normalization(draft, planned)
    decisions.complete(draft)
    learning.outputs(draft, planned)
    keeping.kept(draft, planned)
    features.cached(draft, planned, found)
    learning.watch(draft)
    learning.schedules(draft)
    learning.learner(draft)
    learning.rates(draft, planned)
    nodes.sparse(draft)
    return planned, draft.faults
