"""Figures of a whole split, from exact counts and sums: what report.json says of a head.

One class a kind of head, each with ``add(output, target)`` for the examples of a minibatch and
``report()`` at the end. Numpy alone; nothing is an average of minibatches.
"""

from trainer.figures.classes import ClassFigures
from trainer.figures.labels import LabelFigures
from trainer.figures.values import ValueFigures

__all__ = ["ClassFigures", "LabelFigures", "ValueFigures"]
