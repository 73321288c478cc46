"""What a part of a base model will be in a network, told from the model's record alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from jobs.base_models.operations import shape_of
from jobs.base_models.records import ModelNode, ModelRecord
from trainer.parts import PlanError
from trainer.parts.pretrained import between, frozen

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Operation:
    """A node of a base model as it will be in a network."""

    op: str
    takes: Sequence[Shape]
    made: Shape
    strides: Sequence[int]
    """Of a window, channels first; none where it has none."""
    frozen: bool
    parameters: int
    of_learned: bool
    """Whether something that it takes in comes of something learned, and wants a gradient."""


@dataclass(frozen=True)
class Base:
    """A base model that can be used, by its record."""

    record: ModelRecord

    @cached_property
    def nodes(self) -> Mapping[str, ModelNode]:
        return {node.name: node for node in self.record.nodes}

    @cached_property
    def inputs(self) -> Mapping[str, Shape]:
        return {found.name: found.shape for found in self.record.inputs}

    @cached_property
    def sources(self) -> Mapping[str, Sequence[str]]:
        """The nodes that each node takes in."""
        return {node.name: [name for name in node.inputs if name in self.nodes] for node in self.record.nodes}

    def between(self, first: str | None, last: str) -> list[ModelNode]:
        return [self.nodes[name] for name in between(self.sources, first, last)]

    def fed(self, first: str | None, last: str) -> list[str]:
        """The model's inputs that ``last`` still depends on where ``first`` is given."""
        taken = {name for node in self.between(first, last) for name in node.inputs}
        return [name for name in self.inputs if name in taken]

    def taken(self, first: str | None, last: str) -> Shape:
        """The shape that the model itself has where a layer of this cut takes its input in."""
        return self.shape_in_model(self.fed(None, last)[0] if first is None else first)

    def shape_in_model(self, name: str) -> Shape:
        return self.nodes[name].shape if name in self.nodes else self.inputs[name]

    def shape(self, x: Shape, first: str | None, last: str) -> Shape:
        """The shape of ``last`` for an input of the shape ``x``; PlanError where that does not fit."""
        own = self.taken(first, last)
        if fits(x, own) and min(self.nodes[last].shape, default=1) > 0:
            return self.nodes[last].shape
        if len(x) != len(own) or not fits(x[:1], own[:1]):
            raise PlanError(
                f"{first or 'the model'} of {self.record.id} is {by(own)}, but the input is {by(x)}; "
                "there must be as many channels"
            )
        return self._shapes(x, first, last)[last]

    def _shapes(self, x: Shape, first: str | None, last: str) -> dict[str, Shape]:
        """The shape of each node that ``last`` depends on, and of what it begins with; PlanError."""
        own = self.taken(first, last)
        shapes = dict.fromkeys([first] if first is not None else self.fed(None, last), x)
        for node in self.between(first, last):
            try:
                own_shapes = [self.shape_in_model(name) for name in node.inputs]
                shapes[node.name] = shape_of(node, [shapes[name] for name in node.inputs], own_shapes)
            except PlanError as error:
                raise PlanError(
                    f"for an input of {by(x)} in the place of {by(own)}, {node.name!r} ({node.op}) of "
                    f"{self.record.id} does not fit: {error}"
                ) from None
        return shapes

    def operations(
        self, x: Shape, first: str | None, last: str, freeze: str, of_learned: bool
    ) -> list[Operation]:
        """What is computed from an input of the shape ``x``, which comes of something learned or not.

        None where the shapes between first and last cannot be told.
        """
        try:
            shapes = self._shapes(x, first, last)
        except PlanError:
            return []
        still = frozen(self.sources, first, last, freeze)
        learned = {first, *self.inputs} if of_learned else set()
        found = []
        for node in self.between(first, last):
            passes_on = not learned.isdisjoint(node.inputs)
            takes = [shapes[name] for name in node.inputs]
            is_frozen = node.name in still
            strides = node.attributes.get("strides", ())
            made = shapes[node.name]
            found.append(Operation(node.op, takes, made, strides, is_frozen, node.parameters, passes_on))
            if passes_on or (node.parameters and not is_frozen):
                learned.add(node.name)
        return found

    def multiplications(self, x: Shape, first: str | None, last: str, freeze: str) -> tuple[int, int]:
        """Those of convolutions for an input of the shape ``x``: of frozen ones, and of those that learn.

        Of other nodes the record does not tell. 0 where the shapes between first and last cannot be told.
        """
        try:
            shapes = self._shapes(x, first, last)
        except PlanError:
            return 0, 0
        still = frozen(self.sources, first, last, freeze)
        found = {True: 0, False: 0}
        for node in self.between(first, last):
            if node.op == "Convolution" and not node.attributes.get("transpose"):
                found[node.name in still] += prod(shapes[node.name]) * prod(node.attributes["kernel_shape"])
        return found[True], found[False]

    def learned(self, first: str | None, last: str, freeze: str) -> dict[str, tuple[int, ...]]:
        """How many numbers a layer learns, by the nodes that use them: the record knows no more."""
        still = frozen(self.sources, first, last, freeze)
        nodes = [node for node in self.between(first, last) if node.name not in still]
        return {node.name: (node.parameters,) for node in nodes if node.parameters}


def fits(x: Shape, own: Shape) -> bool:
    """Whether a shape is the model's own, which says -1 where any size fits."""
    return len(x) == len(own) and all(b in (a, -1) for a, b in zip(x, own, strict=True))


def by(shape: Shape) -> str:
    return " x ".join(map(str, shape))
