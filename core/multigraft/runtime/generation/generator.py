"""Text from a bundle that generates: prompts in, answers out, or one text piece by piece."""

from __future__ import annotations

import logging
from collections import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Unpack, cast

import numpy as np

from multigraft.contracts.reader import PromptReader, Reader
from multigraft.contracts.readers import collate, read_row, row_errors
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import BundleError, GenerationError, RowError, refused_as
from multigraft.runtime.asking import Long, OnError
from multigraft.runtime.bundle import Generation
from multigraft.runtime.describing import check_columns
from multigraft.runtime.generation.beam_search import search
from multigraft.runtime.generation.decoder_cache import Decoding
from multigraft.runtime.generation.methods import Line, Prompt, write
from multigraft.runtime.generation.options import Asked, Settings, completed, settings
from multigraft.runtime.generation.text import Pieces, Stops
from multigraft.runtime.long_values import bounded, usual_written

log = logging.getLogger("multigraft")
DECODER, ENCODER = "decoder", "encoder"
"""The roles of graphs."""
Steps = abc.Generator[str, None, Answer]
"""A text's pieces as they are written; it returns the answer."""


@dataclass(frozen=True)
class Generator:
    """Writes texts with a decoder, after an encoder where there is one. It keeps nothing between
    calls."""

    ports: Generation
    reader: PromptReader
    graphs: Mapping[str, Any]
    """By role: a `StepGraph`, and an encoder with ``run``."""
    columns: Sequence[str] = ()
    """What the training rows had, where it is known."""

    def generate(
        self,
        values: Sequence[Any],
        *,
        on_error: OnError = "raise",
        numbered: bool = True,
        long: Long | None = None,
        **asked: Unpack[Asked],
    ) -> list[Answer]:
        """One answer a value, in order: ``text``, ``tokens``, ``ended``; ``score`` with beams, and
        ``cut`` where a value is longer than the encoder's row and its beginning was read.

        Raises GenerationError, or RowError, before anything is written; with
        ``on_error="return"`` that of a value is its answer, ``{"error": ...}``. Errors of values
        tell which it is of many that are ``numbered``.
        """
        chosen = self.settings(asked)
        read = [
            self._tried(place, raw, long, numbered=numbered, on_error=on_error)
            for place, raw in enumerate(values)
        ]
        written = iter(self.write([each for each in read if isinstance(each, Prompt)], chosen))
        return [next(written) if isinstance(each, Prompt) else each for each in read]

    def settings(self, asked: Asked) -> Settings:
        """What is asked, and where it says nothing how the model writes by default. Raises
        GenerationError."""
        return settings(completed(asked, self.ports.defaults))

    def read(self, raw: Any, long: Long | None = None) -> Prompt:
        """What is written of. Raises RowError or GenerationError where it cannot be continued, and
        where it is too ``long`` (unset: as the bundle was measured)."""
        prompt = self._read(raw)
        self._room(prompt.tokens)
        if ENCODER not in self.graphs:
            return prompt
        usual = usual_written(whole=self.ports.whole)
        excess = bounded(self.reader, raw, prompt.row, long or usual)
        return prompt if excess is None else replace(prompt, cut=(excess.has, excess.takes))

    def write(self, prompts: Sequence[Prompt], chosen: Settings) -> list[Answer]:
        """One answer a prompt, in order. Those of like length are continued together."""
        stops = self._stops(chosen)
        lines = [self._line(prompt, chosen) for prompt in prompts]
        order = sorted(range(len(lines)), key=lambda index: self._length(prompts[index]))
        for start in range(0, len(order), chosen.batch_size):
            batch = order[start : start + chosen.batch_size]
            decoding = self._begin([prompts[index] for index in batch])
            if chosen.method == "beam":
                search(decoding, [lines[index] for index in batch], chosen, stops)
            else:
                for _ in write(decoding, [lines[index] for index in batch], chosen, stops):
                    pass
        both = zip(prompts, lines, strict=True)
        return [self._answer(prompt, line, stops) for prompt, line in both]

    def stream(
        self, raw: Any, *, long: Long | None = None, **asked: Unpack[Asked]
    ) -> Iterator[str]:
        """The same text in pieces, as soon as each is sure. Beam search has none before its end.

        Pieces have no place for ``cut``, which is logged.
        """
        prompt = self.read(raw, long)
        if prompt.cut is not None:
            log.warning(
                "the value is cut off: it has %g (tokens, or seconds), and %g were read",
                *prompt.cut,
            )
        return (piece for piece in self.steps(prompt, self.settings(asked)) if piece)

    def steps(self, prompt: Prompt, chosen: Settings) -> Steps:
        """The text's pieces, one a token, empty where nothing is sure yet, and then its answer.
        Raises GenerationError for beam search."""
        if chosen.method == "beam":
            raise GenerationError(
                "beam search knows its text only at the end; stream with greedy or sample"
            )
        return self._told(prompt, chosen)

    def begin(self, batch: Arrays, rows: int) -> Decoding:
        """Texts of which nothing is written yet, one a row; the encoder, if any, reads
        ``batch``."""
        memory: Arrays = {}
        with refused_as(BundleError, "the bundle's decoder cannot begin a text"):
            if ENCODER in self.graphs:
                given = self.graphs[ENCODER].run(batch)
                memory = {name: given[name] for name in self.ports.memory}
            return Decoding(self.graphs[DECODER], self.ports, rows=rows, memory=memory)

    def _told(self, prompt: Prompt, chosen: Settings) -> Steps:
        stops, line = self._stops(chosen), self._line(prompt, chosen)
        pieces = Pieces(stops)
        for _, token in write(self._begin([prompt]), [line], chosen, stops):
            yield pieces.add(token)
        yield pieces.close()
        return self._answer(prompt, line, stops)

    def _stops(self, chosen: Settings) -> Stops:
        tokens = {stop for stop in chosen.stop if isinstance(stop, int)}
        texts = tuple(stop for stop in chosen.stop if isinstance(stop, str))
        return Stops(frozenset(tokens | set(self.ports.stop)), texts, self.reader.text)

    def _tried(
        self, place: int, raw: Any, long: Long | None, *, numbered: bool, on_error: OnError
    ) -> Prompt | Answer:
        """What is written of, or what is wrong with it."""
        try:
            return replace(self.read(raw, long), place=place)
        except (RowError, GenerationError) as error:
            told = f"item {place}: {error}" if numbered else str(error)
            if on_error == "return":
                return {"error": told}
            raise type(error)(told) from error

    def _line(self, prompt: Prompt, chosen: Settings) -> Line:
        limit = min(chosen.max_new_tokens, self._room(prompt.tokens))
        rng = np.random.default_rng([chosen.seed, prompt.place])
        return Line(prompt.tokens, limit, rng, gone=prompt.gone)

    def _read(self, raw: Any) -> Prompt:
        check_columns(self.columns, raw)
        start = np.array(self.ports.start, dtype=np.int64)
        if ENCODER in self.graphs:
            return Prompt(read_row(self.reader, raw), start)
        with row_errors():
            prompt = self.reader.prompt(raw)
        if not len(prompt) and not len(start):
            raise GenerationError("the prompt is empty, and this model has no token to start from")
        return Prompt({}, prompt if len(prompt) else start)

    def _room(self, prompt: np.ndarray) -> int:
        """How many tokens fit behind a prompt."""
        if int(prompt.max()) >= self.ports.vocabulary:
            raise GenerationError(
                f"the prompt has token {int(prompt.max())}; the model's end at "
                f"{self.ports.vocabulary - 1}"
            )
        room = self.ports.max_length - len(prompt)
        if room < 1:
            raise GenerationError(
                f"the prompt has {len(prompt)} tokens, and the model holds "
                f"{self.ports.max_length}, those it writes included; shorten the prompt to "
                f"{self.ports.max_length - 1} tokens at most"
            )
        return room

    def _length(self, prompt: Prompt) -> int:
        return self.reader.length(prompt.row) if ENCODER in self.graphs else len(prompt.tokens)

    def _begin(self, prompts: Sequence[Prompt]) -> Decoding:
        rows = [prompt.row for prompt in prompts]
        batch = collate(rows, self.reader.fills) if ENCODER in self.graphs else {}
        return self.begin(batch, len(rows))

    def _answer(self, prompt: Prompt, line: Line, stops: Stops) -> Answer:
        text = stops.cut(self.reader.text(line.tokens))
        answer: Answer = {"text": text, "tokens": line.tokens, "ended": line.ended}
        if line.score is not None:
            answer["score"] = line.score
        if prompt.cut is not None:
            answer["cut"] = dict(zip(("has", "takes"), prompt.cut, strict=True))
        return answer


def generator_of(
    ports: Generation | None,
    reader: Reader,
    graphs: Mapping[str, Any],
    columns: Sequence[str] = (),
) -> Generator | None:
    """The generator of a loaded bundle; None where it answers in one step."""
    if ports is None:
        return None
    with refused_as(BundleError, "the bundle does not say how texts are written by default"):
        settings(completed({}, ports.defaults))
    return Generator(ports, cast("PromptReader", reader), graphs, columns)
