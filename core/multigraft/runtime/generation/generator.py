"""Text from a bundle that generates: prompts in, answers out, or one text piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack, cast

import numpy as np

from multigraft.contracts.reader import PromptReader, Reader
from multigraft.contracts.readers import collate, read_row, row_errors
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import BundleError, GenerationError, RowError, refused_as
from multigraft.runtime.bundle import Generation
from multigraft.runtime.describing import check_columns
from multigraft.runtime.generation.beam_search import search
from multigraft.runtime.generation.decoder_cache import Decoding
from multigraft.runtime.generation.methods import Line, write
from multigraft.runtime.generation.options import Asked, Settings, completed, settings
from multigraft.runtime.generation.text import Pieces, Stops

DECODER, ENCODER = "decoder", "encoder"
"""The roles of graphs."""


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

    def generate(self, prompts: Sequence[Any], **asked: Unpack[Asked]) -> list[Answer]:
        """One answer a prompt, in order: ``text``, ``tokens``, ``ended``; ``score`` with beams.

        Raises GenerationError, or RowError, before anything is written.
        """
        chosen = self._chosen(asked)
        stops = self._stops(chosen)
        lines, rows = self._lines(prompts, chosen)
        order = sorted(lines, key=lambda line: self._length(line, rows))
        for start in range(0, len(order), chosen.batch_size):
            batch = order[start : start + chosen.batch_size]
            decoding = self._begin([rows[line.place] for line in batch])
            if chosen.method == "beam":
                search(decoding, batch, chosen, stops)
            else:
                for _ in write(decoding, batch, chosen, stops):
                    pass
        return [self._answer(line, stops) for line in lines]

    def stream(self, prompt: Any, **asked: Unpack[Asked]) -> Iterator[str]:
        """The same text in pieces, as soon as each is sure. Beam search has none before its end."""
        chosen = self._chosen(asked)
        if chosen.method == "beam":
            raise GenerationError(
                "beam search knows its text only at the end; stream with greedy or sample"
            )
        lines, rows = self._lines([prompt], chosen)
        return self._told(lines, rows, chosen)

    def begin(self, batch: Arrays, rows: int) -> Decoding:
        """Texts of which nothing is written yet, one a row; the encoder, if any, reads
        ``batch``."""
        memory: Arrays = {}
        with refused_as(BundleError, "the bundle's decoder cannot begin a text"):
            if ENCODER in self.graphs:
                given = self.graphs[ENCODER].run(batch)
                memory = {name: given[name] for name in self.ports.memory}
            return Decoding(self.graphs[DECODER], self.ports, rows=rows, memory=memory)

    def read(self, raw: Any) -> tuple[Arrays, np.ndarray]:
        """What the encoder reads of a value, and the tokens to continue.

        Raises RowError or GenerationError where it cannot be continued.
        """
        row, prompt = self._read(raw)
        self._room(prompt)
        return row, prompt

    def _chosen(self, asked: Asked) -> Settings:
        """What is asked, and where it says nothing how the model writes by default."""
        return settings(completed(asked, self.ports.defaults))

    def _told(
        self, lines: Sequence[Line], rows: Sequence[Arrays], chosen: Settings
    ) -> Iterator[str]:
        stops = self._stops(chosen)
        pieces = Pieces(stops)
        for _, token in write(self._begin(rows), lines, chosen, stops):
            if piece := pieces.add(token):
                yield piece
        if rest := pieces.close():
            yield rest

    def _stops(self, chosen: Settings) -> Stops:
        tokens = {stop for stop in chosen.stop if isinstance(stop, int)}
        texts = tuple(stop for stop in chosen.stop if isinstance(stop, str))
        return Stops(frozenset(tokens | set(self.ports.stop)), texts, self.reader.text)

    def _lines(self, prompts: Sequence[Any], chosen: Settings) -> tuple[list[Line], list[Arrays]]:
        """The texts to write, and what the encoder reads for each."""
        lines, rows = list[Line](), list[Arrays]()
        for place, raw in enumerate(prompts):
            try:
                row, prompt = self._read(raw)
                limit = min(chosen.max_new_tokens, self._room(prompt))
            except (RowError, GenerationError) as error:
                if len(prompts) == 1:
                    raise
                raise type(error)(f"item {place}: {error}") from error
            rows.append(row)
            lines.append(Line(place, prompt, limit, np.random.default_rng([chosen.seed, place])))
        return lines, rows

    def _read(self, raw: Any) -> tuple[Arrays, np.ndarray]:
        check_columns(self.columns, raw)
        start = np.array(self.ports.start, dtype=np.int64)
        if ENCODER in self.graphs:
            return read_row(self.reader, raw), start
        with row_errors():
            prompt = self.reader.prompt(raw)
        if not len(prompt) and not len(start):
            raise GenerationError("the prompt is empty, and this model has no token to start from")
        return {}, prompt if len(prompt) else start

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

    def _length(self, line: Line, rows: Sequence[Arrays]) -> int:
        return self.reader.length(rows[line.place]) if ENCODER in self.graphs else len(line.prompt)

    def _begin(self, rows: Sequence[Arrays]) -> Decoding:
        batch = collate(rows, self.reader.fills) if ENCODER in self.graphs else {}
        return self.begin(batch, len(rows))

    def _answer(self, line: Line, stops: Stops) -> Answer:
        text = stops.cut(self.reader.text(line.tokens))
        answer: Answer = {"text": text, "tokens": line.tokens, "ended": line.ended}
        return answer if line.score is None else {**answer, "score": line.score}


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
