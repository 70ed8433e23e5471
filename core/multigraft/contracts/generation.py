"""What a task says where its model writes tokens one after another: all that an export needs of
it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from multigraft.contracts.features import Batch


@dataclass(frozen=True, kw_only=True)
class Generating:
    """A decoder that reads some new tokens after those in its cache.

    ``decoder(tokens, mask, positions, kept, past) -> (logits, present)`` with int64 ``tokens`` [B,
    T], ``mask`` [B, P + T] (1 for real tokens, past ones first), ``positions`` [B, T] (places
    without the padding) and ``kept`` [K] (which of the T give logits, [B, K, V]). ``past`` is a
    list of tensors [B, heads, P, width], as many as ``cache`` names, and ``present`` the same with
    the new tokens' part at its end. P may be 0.
    """

    decoder: nn.Module
    cache: Mapping[str, tuple[int, int]]
    """The names of the cache's tensors, with heads and width."""
    feed: Callable[[Batch], tuple[Tensor, Tensor]]
    """(evaluation batch) -> the tokens that are read, and which are real: [B, T] each."""
    outputs: Callable[[Tensor, Batch], Mapping[str, Tensor]]
    """(logits of all that `feed` gave, [B, T, V], batch) -> what the task's head gives for the
    batch."""
    vocabulary: int
    max_length: int
    """How many tokens the decoder can hold."""
    pad: int
    start: tuple[int, ...] = ()
    """What an empty prompt begins with."""
    stop: tuple[int, ...] = ()
    """Each of these ends a text."""
