"""Decisions: from which probability on a label is said."""

from __future__ import annotations

from jobs.specs.checks.draft import Draft
from jobs.specs.keeping_models import Decision
from jobs.specs.structure import nearest
from trainer.parts import losses


def complete(draft: Draft) -> None:
    """One decision for each output that a term takes as scores of labels; 0.5 where none is given."""
    outputs = {
        term["output"]: Decision(output=term["output"]).model_dump()
        for term in draft.spec["objective"]
        if losses[term["type"]].facts["target"] == "labels"
    }
    decided = set()
    for position, decision in enumerate(draft.spec["decisions"]):
        at, output = f"/decisions/{position}", decision["output"]
        if output not in outputs:
            known = nearest(output, list(outputs)) if outputs else "the objective has no such term"
            draft.fault(
                f"{at}/output",
                "no_labels",
                f"a decision is about the output of a logistic term, and {output!r} is none; {known}",
            )
        elif output in decided:
            draft.fault(f"{at}/output", "duplicate", f"{output!r} is decided on twice; keep one of them")
        if decision["threshold"] == "tuned" and "valid" not in draft.schema.splits:
            draft.fault(
                f"{at}/threshold",
                "no_validation_split",
                f"a threshold is tuned on the validation split, which data set {draft.schema.id} lacks; "
                "give a number, or upload the data with a split named valid",
            )
        decided.add(output)
        outputs[output] = decision
    draft.spec["decisions"] = list(outputs.values())
