"""Text to tokens, and a column of them: sequences of codes in the order in which tokens first came.

Which tokens make the vocabulary is for the training split to say, and which rows that is is known
only behind the last row: ``vocabulary.py`` then puts the codes in order.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import regex

from ingest.arrays import GrowingArray
from ingest.cells import Words
from ingest.columns import Column, Locate
from ingest.faults import FaultList
from ingest.field_options import TokenOptions
from jobs.errors import Fault

WORDS_AND_MARKS = r"\w+|[^\w\s]"
MATCHING_SECONDS = 1.0
"""What one text may take, and each further million characters: some patterns take for ever.
Matching lets other threads run."""
MAX_TOKENS = 2_000_000
"""Different ones in a column, before the vocabulary is chosen."""


class SlowPattern(Exception):
    """A text took longer than MATCHING_SECONDS."""


class Tokenizer:
    """What a token is. ``lists``: rows are lists of tokens already."""

    def __init__(self, options: TokenOptions, *, lists: bool) -> None:
        self.pattern = None if lists else options.pattern or WORDS_AND_MARKS
        self.lowercase = not lists if options.lowercase is None else options.lowercase
        self._compiled = regex.compile(self.pattern or "")

    def split(self, text: str) -> list[str]:
        """The tokens of a text; SlowPattern."""
        try:
            seconds = MATCHING_SECONDS * (1 + len(text) / 1e6)
            found = self._compiled.findall(text.lower() if self.lowercase else text, timeout=seconds)
        except TimeoutError:
            raise SlowPattern from None
        return [token for token in found if token]

    def clean(self, words: Sequence[str]) -> list[str]:
        """The tokens of a row that is a list."""
        return [word.lower() for word in words] if self.lowercase else list(words)


@dataclass
class TokenColumn(Column):
    """Tokens as they were read: ``classes`` are all that there are, in the order of their first row."""

    tokenizer: Tokenizer = field(kw_only=True)
    cut: array[int] = field(kw_only=True)
    """Rows that were longer than max_length."""


class TokenWriter:
    """A column of sequences of tokens."""

    def __init__(
        self, path: Path, options: TokenOptions, tokenizer: Tokenizer, at: str, faults: FaultList
    ) -> None:
        """``at``: where the options of the tokens stand."""
        self.tokenizer = tokenizer
        self._options = options
        self._at = at
        self._faults = faults
        self._codes = GrowingArray(path.with_suffix(".values.npy"), np.int32)
        self._offsets = GrowingArray(path.with_suffix(".offsets.npy"), np.int64)
        self._offsets.append(np.zeros(1))
        self._lookup: dict[str, int] = {}
        self._cut = array("q")
        self._rows = 0
        self._longest = 0
        self._full = False

    def append(self, rows: Sequence[list[str]], locate: Locate) -> None:
        """One list of tokens a row; an empty one is a fault, unless the options tell what it means."""
        codes: list[int] = []
        lengths = []
        for row, tokens in enumerate(rows):
            if not tokens:
                if self._options.empty == "unknown" and self._options.unknown is not None:
                    tokens = [self._options.unknown]
                else:
                    self._faults.extend(1, [self._empty_fault(*locate(row, 0))])
            if self._options.max_length is not None and len(tokens) > self._options.max_length:
                tokens = tokens[: self._options.max_length]
                self._cut.append(self._rows + row)
            lengths.append(len(tokens))
            codes += [self._lookup.setdefault(token, len(self._lookup)) for token in tokens]
        if len(self._lookup) > MAX_TOKENS and not self._full:
            self._full = True
            problem = f"more than {MAX_TOKENS:,} different tokens; is this text? exclude the column"
            self._faults.add(locate(0, 0)[0], "too_many_classes", problem)
        self._rows += len(rows)
        self._offsets.append(self._codes.rows + np.cumsum(np.array(lengths, dtype=np.int64)))
        self._codes.append(np.array(codes, dtype=np.int32))
        self._longest = max(self._longest, max(lengths, default=0))

    def _empty_fault(self, where: str, words: str) -> Fault:
        cure = f'correct it, drop the row, or tell in {self._at} that "empty" is "unknown"'
        return Fault(where, "empty_sequence", f"{words}: there is no token; {cure}")

    def close(self) -> TokenColumn:
        count = self._codes.close()
        self._offsets.close()
        return TokenColumn(
            "categorical",
            (len(self._lookup),),
            {"values": self._codes.path, "offsets": self._offsets.path},
            count,
            dtype="int32",
            classes=list(self._lookup),
            sequence=True,
            max_length=self._longest,
            tokenizer=self.tokenizer,
            cut=self._cut,
        )


def present(words: Words) -> list[str]:
    """The tokens of a list; a missing list has none, a missing token is not expected."""
    return [word for word in words or () if word is not None]
