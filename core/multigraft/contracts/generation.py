"""Text generation: what a task says where its model writes tokens one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features
from multigraft.errors import PluginError

PAST = "past"
"""The axis of a state that grows."""
ALIGNMENT = "alignment"
"""What `Decoder.step` gives beside the state where it is asked for: `Writing.alignment`."""
Axes = tuple[int | str, ...]
"""The shape of one row's tensor: sizes, and the names of the axes that vary."""
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class SpeechTokens:
    """Special tokens of a decoder of speech (Radford et al. 2022, section 2.3).

    A text begins with `Writing.start`, of which ``no_timestamps`` is the last; without it times are
    written too.
    """

    first_timestamp: int
    """0 seconds; each token behind it is ``step`` later, up to the end of the vocabulary."""
    no_timestamps: int
    no_speech: int
    """Likely where the text begins: nothing is said."""
    previous: int
    """What earlier text begins with, in front of `Writing.start`."""
    step: float = 0.02
    """Seconds."""
    latest_first: int | None = None
    """How many steps into a window the first time lies at most; None: anywhere."""
    languages: Mapping[str, int] = field(default_factory=dict)
    """By code, as ``{"en": 50259}``; empty where there is one language."""
    tasks: Mapping[str, int] = field(default_factory=dict)
    """``transcribe`` and ``translate``, where it knows them."""


@dataclass(frozen=True, kw_only=True)
class Writing:
    """What a decoder keeps from step to step, and its special tokens."""

    state: Mapping[str, Axes]
    """The tensors that a step hands to the next one, as ``{"0.key": (heads, "past", width)}``.

    ``"past"`` is the axis that grows by the tokens read, 0 before the first: a key-value cache.
    Without it a tensor keeps its size and begins as zeros: a recurrence.
    """
    memory: Mapping[str, Axes] = field(default_factory=dict)
    """What `Decoder.remember` gives, as ``{"mask": ("source",)}``; empty where nothing is encoded
    before."""
    vocabulary: int
    max_length: int
    """How many tokens the decoder can hold."""
    pad: int
    start: tuple[int, ...] = ()
    """What a text begins with where there is a memory, or where the prompt is empty."""
    stop: tuple[int, ...] = ()
    """Each of these ends a text."""
    suppress: tuple[int, ...] = ()
    """These are never written."""
    suppress_first: tuple[int, ...] = ()
    """These are not written as the first token."""
    speech: SpeechTokens | None = None
    """The tokens by which a model of speech tells language, task and time; None: it has none."""
    alignment: int = 0
    """How many heads of cross-attention tell where in the source each token is said; 0: none.

    A source position is then `SpeechTokens.step` seconds.
    """


@dataclass(frozen=True)
class NewTokens:
    """What one step reads: T tokens behind P that were read before; P may be 0."""

    ids: Tensor
    """int64 [B, T]."""
    mask: Tensor
    """int64 [B, P + T]: 1 for real tokens, 0 for padding, those read before first."""
    positions: Tensor
    """int64 [B, T]: places without the padding."""
    kept: Tensor
    """int64 [K]: which of the T give logits."""
    aligned: bool = False
    """Whether the weights of the alignment heads are asked for too."""


class Decoder(Protocol):
    """An `nn.Module` with these methods writes; nothing is inherited."""

    def remember(self, features: Features, batch: Batch) -> Tensors:
        """What stays the same for every token of a row, computed once, as the keys and values of
        cross-attention.

        Needed only where `Writing.memory` names something. Floats, or the mask of the source.
        """
        ...

    def step(self, new: NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        """The logits of the kept tokens, [B, K, V], and the state behind the last one.

        ``past`` is the state in front of the first, under the names of `Writing.state`, as is what
        is given back. Where ``new.aligned``, `ALIGNMENT` stands beside it: the cross-attention
        weights of the alignment heads for the kept tokens, [B, heads, K, source], where a row looks
        for the token behind its own. Prompts of unequal length are padded on the left: attention
        leaves out what the mask does, a recurrence passes over ``mask[:, -T:] == 0`` and stays as
        it was. Where there is a memory every row begins with the same tokens, and padding stands
        on the right alone.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class WrittenMetric:
    """Which metric of whole texts judges, where the loss of each token does not say what a
    deployer gets."""

    metric: str
    """The key of the `Answers.summarise` of the task that judges a precision in the place of
    `monitor`."""
    greater_is_better: bool


@dataclass(frozen=True, kw_only=True)
class Generating:
    """A model that writes: all that an export needs of it."""

    decoder: nn.Module
    """As `Decoder` describes. What it remembers is made of the backbone's features."""
    writing: Writing
    feed: Callable[[Batch], tuple[Tensor, Tensor]]
    """(evaluation batch) -> the tokens that are read, and which are real: [B, T] each, padded on
    the right."""
    outputs: Callable[[Tensor, Batch], Mapping[str, Tensor]]
    """(logits of all that `feed` gave, [B, T, V], batch) -> what the task's head gives for the
    batch."""
    judged: WrittenMetric | None = None
    """None: by `monitor`, from the logits behind the true tokens. A metric needs answers that are
    scored (`Task.answers`): they are written in evaluation and for the gate."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """How texts are written unless a caller asks otherwise, as ``{"method": "beam"}``: see
    `multigraft.runtime.generation.options.Settings`. Evaluation, gate and bundle write alike."""
    whole: bool = False
    """`Objective.whole`: a value longer than its row was a bad row, and the bundle refuses it."""

    def __new__(cls, **given: Any) -> Generating:
        """Refuse what an earlier version took."""
        if "cache" in given:
            raise PluginError(
                "mg.Generating no longer takes a cache: give writing=mg.Writing(state={name: "
                '(heads, "past", width)}, vocabulary=..., max_length=..., pad=...), and a decoder '
                "with step(new, past, memory), in which new is an mg.NewTokens and past a mapping "
                "by name, in the place of forward (docs/plugins/hooks.md, generating)"
            )
        return object.__new__(cls)


def empty_state(writing: Writing, rows: int) -> dict[str, Tensor]:
    """The state before the first token."""
    return {
        name: torch.zeros(rows, *(0 if size == PAST else int(size) for size in axes))
        for name, axes in writing.state.items()
    }


def read_through(
    decoder: Any, writing: Writing, tokens: Tensor, real: Tensor, memory: Tensors
) -> Tensor:
    """Teacher forcing: the logits of every token from an empty state, [B, T] each -> [B, T, V]."""
    past = empty_state(writing, len(tokens))
    positions = (real.cumsum(1) - 1).clamp(min=0)
    kept = torch.arange(tokens.shape[1], device=tokens.device)
    new = NewTokens(tokens, real, positions, kept)
    there = {name: each.to(tokens.device) for name, each in past.items()}
    logits: Tensor = decoder.step(new, there, memory)[0]
    return logits
