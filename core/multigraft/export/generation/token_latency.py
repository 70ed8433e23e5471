"""How long one token takes in each form of a decoder, measured on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from multigraft.contracts.generation import Generating
from multigraft.contracts.records import Arrays
from multigraft.export.acceptance import latency
from multigraft.export.generation.decoder_graph import ports_of
from multigraft.runtime.generation.decoder_cache import Decoding
from multigraft.runtime.session import Session

WRITTEN = 16
"""Tokens written in one go."""
PROMPT = "prompt"


def token_times(generating: Generating, graphs: Mapping[str, Path]) -> dict[str, dict[int, float]]:
    """Median milliseconds a token, greedy after a prompt of one, for one row: torch and graphs."""
    threads = torch.get_num_threads()
    steps = min(WRITTEN, generating.max_length)
    contenders: dict[str, latency.Opener] = {"torch": lambda: _torch(generating, steps)}
    for name, path in graphs.items():
        contenders[name] = _opener(generating, path, steps, threads)
    first = generating.start[:1] or (generating.pad,)
    prompt = latency.Timed(1, 1, {PROMPT: np.array([first], dtype=np.int64)})
    times = latency.medians(contenders, [prompt, prompt])
    return {name: {1: round(found[1] / steps, 4)} for name, found in times.items()}


def _opener(generating: Generating, path: Path, steps: int, threads: int) -> latency.Opener:
    def open_graph() -> latency.Answer:
        session = Session(path, threads=threads)
        ports = ports_of(generating, session.inputs)

        def answer(arrays: Arrays) -> None:
            decoding, tokens = Decoding(session, ports, rows=1), arrays[PROMPT]
            for _ in range(steps):
                tokens = decoding.advance(tokens).argmax(axis=-1)[:, None]

        return answer

    return open_graph


def _torch(generating: Generating, steps: int) -> latency.Answer:
    def answer(arrays: Arrays) -> None:
        tokens = torch.from_numpy(arrays[PROMPT])
        past = [torch.zeros(1, heads, 0, width) for heads, width in generating.cache.values()]
        last = torch.tensor([0])
        with torch.inference_mode():
            for step in range(steps):
                mask, place = torch.ones(1, step + 1, dtype=torch.int64), torch.tensor([[step]])
                logits, past = generating.decoder(tokens, mask, place, last, past)
                tokens = logits.argmax(dim=-1)

    return answer
