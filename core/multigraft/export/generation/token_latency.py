"""How long one token takes in each form of a model that writes, measured on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from multigraft.contracts.generation import Generating, NewTokens, empty_state
from multigraft.contracts.types import Arrays
from multigraft.evaluation.generation.torch_writer import remembered
from multigraft.export.acceptance import latency
from multigraft.export.generation.decoder_graph import open_writer
from multigraft.runs.run import Run

WRITTEN = 16
"""Tokens written in one go."""


def token_times(
    run: Run,
    generating: Generating,
    graphs: Mapping[str, Mapping[str, Path]],
    source: Arrays,
) -> dict[str, dict[int, float]]:
    """Median milliseconds a token, greedy after a prompt of one, for one row: torch and graphs.

    What an encoder takes for the ``source``, a batch of one, is spread over the tokens.
    """
    threads = torch.get_num_threads()
    steps = min(WRITTEN, generating.writing.max_length)
    contenders: dict[str, latency.Opener] = {"torch": lambda: _torch(run, generating, steps)}
    for name, paths in graphs.items():
        contenders[name] = _opener(run, generating, paths, steps, threads)
    timed = latency.Timed(1, 1, source)
    times = latency.medians(contenders, [timed, timed])
    return {name: {1: round(found[1] / steps, 4)} for name, found in times.items()}


def _first(generating: Generating) -> int:
    return (generating.writing.start or (generating.writing.pad,))[0]


def _opener(
    run: Run, generating: Generating, paths: Mapping[str, Path], steps: int, threads: int
) -> latency.Opener:
    def open_graphs() -> latency.Answer:
        writer = open_writer(generating, paths, run.reader, threads=threads)

        def answer(arrays: Arrays) -> None:
            decoding = writer.begin(arrays, 1)
            tokens = torch.tensor([[_first(generating)]]).numpy()
            for _ in range(steps):
                tokens = decoding.advance(tokens).argmax(axis=-1)[:, None]

        return answer

    return open_graphs


def _torch(run: Run, generating: Generating, steps: int) -> latency.Answer:
    writing, decoder = generating.writing, generating.decoder

    def answer(arrays: Arrays) -> None:
        batch = {name: torch.from_numpy(array) for name, array in arrays.items()}
        tokens, past = torch.tensor([[_first(generating)]]), empty_state(writing, 1)
        with torch.inference_mode():
            memory = remembered(run.graft, decoder, batch) if writing.memory else {}
            for step in range(steps):
                mask, place = torch.ones(1, step + 1, dtype=torch.int64), torch.tensor([[step]])
                new = NewTokens(tokens, mask, place, torch.tensor([0]))
                logits, past = decoder.step(new, past, memory)
                tokens = logits.argmax(dim=-1)

    return answer
