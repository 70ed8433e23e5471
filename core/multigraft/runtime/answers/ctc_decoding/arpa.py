"""N-gram language models of words, from ARPA text, with Katz's backing off (1987)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

Words = tuple[str, ...]
FIRST, LAST, UNKNOWN = "<s>", "</s>", "<unk>"
SECTION = re.compile(r"\\(\d+)-grams:")
COUNT = re.compile(r"^ngram[ \t]+(\d+)[ \t]*=[ \t]*(\d+)[ \t]*$", re.MULTILINE)
"""How many n-grams of an order a file says that it holds."""
NEVER = -100 * math.log(10)
"""Of a word that a model without ``<unk>`` does not know: the -99 of ARPA files, and one more."""


@dataclass(frozen=True)
class NGrams:
    """A language model as `WordScores`: ``weight`` times its log-probability, and ``bonus`` a word.

    A state is the last words that matter, at most ``order`` - 1 of them.
    """

    order: int
    chances: Mapping[Words, float]
    """Natural log-probability of each n-gram's last word behind the others."""
    backoffs: Mapping[Words, float]
    """What is added, in log-probability, where no longer n-gram is known."""
    weight: float = 1.0
    bonus: float = 0.0

    def start(self) -> Words:
        """Behind the beginning of a sentence."""
        return (FIRST,)[: self.order - 1]

    def word(self, state: Words, word: str) -> tuple[Words, float]:
        """The state behind a word, and what it gains."""
        known = word if (word,) in self.chances else UNKNOWN
        behind = (*state, known)
        gain = self.weight * self._chance(behind) + self.bonus
        return behind[max(len(behind) - self.order + 1, 0) :], gain

    def end(self, state: Words) -> float:
        """What the end of the sentence gains."""
        return self.weight * self._chance((*state, LAST))

    def _chance(self, words: Words) -> float:
        """log P(last | others), by the longest n-gram that is known."""
        lost = 0.0
        for begin in range(len(words)):
            found = self.chances.get(words[begin:])
            if found is not None:
                return lost + found
            lost += self.backoffs.get(words[begin:-1], 0.0)
        return lost + NEVER


def parse_arpa(text: str, *, weight: float = 1.0, bonus: float = 0.0) -> NGrams:
    """The model that an ARPA file describes. Raises ValueError with the line that does not."""
    chances: dict[Words, float] = {}
    backoffs: dict[Words, float] = {}
    for words, chance, backoff in _n_grams(text.splitlines()):
        chances[words] = chance
        if backoff:
            backoffs[words] = backoff
    order = max(map(len, chances), default=0)
    if not order:
        raise ValueError("there are no n-grams; an ARPA file has them behind \\1-grams:")
    held = Counter(map(len, chances))
    for each, said in COUNT.findall(text.partition("-grams:")[0]):
        if held[int(each)] != int(said):
            raise ValueError(
                f"it says {said} {each}-grams and holds {held[int(each)]}: was it cut off?"
            )
    return NGrams(order, chances, backoffs, weight, bonus)


def _n_grams(lines: Iterable[str]) -> Iterator[tuple[Words, float, float]]:
    """Each n-gram with its natural log-probability and back-off weight."""
    order = 0
    for number, line in enumerate(lines, start=1):
        if section := SECTION.fullmatch(line.strip()):
            order = int(section[1])
        elif line.startswith("\\end\\"):
            return
        elif order and line.strip():
            try:
                yield _n_gram(line.split(), order)
            except ValueError as error:
                raise ValueError(
                    f"line {number}, {line[:80]!r}, is no {order}-gram: a logarithm (-99 of what "
                    f"never comes), {order} words, and a back-off weight or none"
                ) from error


def _n_gram(cells: list[str], order: int) -> tuple[Words, float, float]:
    if not order < len(cells) <= order + 2:
        raise ValueError(len(cells))
    chance, backoff = float(cells[0]), float(cells[order + 1]) if len(cells) > order + 1 else 0.0
    if not math.isfinite(chance) or chance > 0 or not math.isfinite(backoff):
        raise ValueError(chance)
    return tuple(cells[1 : order + 1]), chance * math.log(10), backoff * math.log(10)
