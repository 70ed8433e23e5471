"""Checks of a task whose model writes: what it reads in steps is what it reads at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from multigraft.contracts.features import Batch
from multigraft.contracts.generation import (
    PAST,
    Generating,
    NewTokens,
    Tensors,
    empty_state,
    read_through,
)
from multigraft.evaluation.generation.torch_writer import remembered
from multigraft.export.generation.encoder_graph import misshapen
from multigraft.models.modes import evaluating
from multigraft.runs.run import Run
from multigraft.testing.check_learning import batch_of
from multigraft.testing.check_task import untrained
from multigraft.testing.checks import Skipped
from multigraft.testing.untrained import distance
from multigraft.testing.workbench import Subject

STEPS = 6
"""Tokens of a row that are read one by one."""


@dataclass(frozen=True)
class _Text:
    """One row of a batch, as its decoder reads it."""

    generating: Generating
    tokens: Tensor
    """[1, T], all of them real."""
    memory: Tensors

    def read(self, cuts: list[int], *, padding: int = 0) -> tuple[Tensor, Tensors]:
        """The logits of all tokens, [1, T, V], read in steps that end at ``cuts``; the state behind
        them."""
        writing, found = self.generating.writing, []
        tokens = torch.nn.functional.pad(self.tokens, (padding, 0), value=writing.pad)
        mask = (torch.arange(tokens.shape[1])[None] >= padding).long()
        places, state, start = (mask.cumsum(1) - 1).clamp(min=0), empty_state(writing, 1), 0
        for end in (cut + padding for cut in cuts):
            kept = torch.arange(end - start)
            new = NewTokens(tokens[:, start:end], mask[:, :end], places[:, start:end], kept)
            logits, state = self.generating.decoder.step(new, state, self.memory)
            found.append(logits)
            start = end
        return torch.cat(found, 1)[:, padding:], state


def writes(subject: Subject) -> Iterator[str]:
    """A text read token by token, and behind padding, gives the logits of reading it at once."""
    yield from in_steps(untrained(subject))


def in_steps(run: Run) -> Iterator[str]:
    """The same of a run. Raises Skipped where its model does not write."""
    generating = run.objective.generating(run.graft.head)
    if generating is None:
        raise Skipped("its model does not write")
    with evaluating(run.graft), evaluating(generating.decoder), torch.inference_mode():
        yield from _read(run, generating, batch_of(run))


def _read(run: Run, generating: Generating, batch: Batch) -> Iterator[str]:
    writing, memory = generating.writing, {}
    if writing.memory:
        memory = dict(remembered(run.graft, generating.decoder, batch))
        yield from misshapen(writing.memory, memory, "remember", "memory")
    tokens, real = generating.feed(batch)
    logits = read_through(generating.decoder, writing, tokens, real, memory)
    wanted, found = run.graft(batch), generating.outputs(logits, batch)
    for name, expected in wanted.items():
        if far := distance(expected, found[name]):
            yield f"outputs gives a {name!r} that lies {far:.2g} (relative) from the head's"
    for row, length in enumerate(real.sum(1).clamp(max=STEPS).tolist()):
        kept = {name: each[row : row + 1] for name, each in memory.items()}
        text = _Text(generating, tokens[row : row + 1, :length], kept)
        if problem := next(_stepped(text, logits[row : row + 1, :length]), None):
            yield f"row {row}: {problem}"
            return


def _stepped(text: _Text, wanted: Tensor) -> Iterator[str]:
    writing, length = text.generating.writing, wanted.shape[1]
    _, state = text.read([1])
    sizes = {
        name: [1 if size == PAST else size for size in axes] for name, axes in writing.state.items()
    }
    yield from misshapen(sizes, state, "step", "state")
    found, _ = text.read([*range(1, length + 1)])
    if far := distance(wanted, found):
        yield f"read token by token its logits lie {far:.2g} (relative) from reading it at once"
    if not writing.memory:
        padded, _ = text.read([1, length], padding=2)
        if far := distance(wanted, padded):
            yield f"behind padding its logits lie {far:.2g} (relative) from those without"
