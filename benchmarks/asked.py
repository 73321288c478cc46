"""What benchmarks are asked on the command line, and how they tell of ratios."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from benchmarks.pytorch.networks import Case


def parser(description: str | None) -> ArgumentParser:
    """One whose help is the benchmark's docstring, as it is written."""
    return ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)


def parser_of_cases(description: str | None) -> ArgumentParser:
    """The same, for a benchmark of several networks, which may be asked for some of them."""
    asking = parser(description)
    asking.add_argument("cases", nargs="*", metavar="CASE", help="such as mlp-64 (default: all)")
    return asking


def parser_of_trainings(description: str | None) -> ArgumentParser:
    """The same, for one that trains each of them beside a peer."""
    asking = parser_of_cases(description)
    asking.add_argument("--rounds", type=int, default=5)
    asking.add_argument("--steps", type=int, help="of each run, where the machine has little time")
    asking.add_argument("--threads", type=int, default=1)
    return asking


def chosen(cases: Sequence[Case], asked: Namespace) -> list[Case]:
    """Those that were asked for, with so many steps as were asked for."""
    found = [case for case in cases if not asked.cases or case.name in asked.cases]
    steps = getattr(asked, "steps", None)
    return [replace(case, steps=steps) for case in found] if steps else found


def spread(ratios: Sequence[float]) -> str:
    """Median, least and greatest."""
    return f"{median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})" if ratios else "-"
