"""A decoder called step by step, its state handed from each call to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.runtime.bundle import CachePort, Generation

PROCESSOR = 1
"""DLPack's number of it, `kDLCPU`."""


class StepGraph(Protocol):
    """A decoder's step: a session of its graph, or the model itself."""

    def value(self, array: np.ndarray) -> Any:
        """An array as `chain` takes and gives it: what has ``numpy()``."""
        ...

    def chain(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Compute a step."""
        ...


class Decoding:
    """A batch of texts half written.

    What a step gives as ``present`` is the next step's ``past`` as it is, without a copy in Python.
    Rows are padded on the left, so that all end together; places are counted without the padding.
    A state is a cache that grows, or a recurrence of one size.
    """

    def __init__(
        self, session: StepGraph, ports: Generation, *, rows: int, memory: Arrays | None = None
    ) -> None:
        """Begin with ``rows`` empty texts; ``memory`` is what an encoder gave for them."""
        self.session = session
        self.ports = ports
        self.mask = np.zeros((rows, 0), dtype=np.int64)
        self._cache = {port.past: session.value(_empty(port, rows)) for port in ports.cache}
        self._memory = {name: session.value(array) for name, array in (memory or {}).items()}
        self._alignment: Any = None
        """What the last step told of it."""
        self._sources = np.arange(rows)
        """Which row of the memory that was given each row reads."""

    def again(self) -> Decoding:
        """Begin other texts about the same rows."""
        made = Decoding(self.session, self.ports, rows=len(self.mask))
        made._memory = self._memory
        return made

    def advance(
        self, tokens: np.ndarray, real: np.ndarray | None = None, *, every: bool = False
    ) -> np.ndarray:
        """Read new tokens, [B, T], of which ``real`` [B, T] are no padding: the last one's logits,
        [B, V].

        With ``every`` those of all of them, [B, T, V]; for a graph that can give them.
        """
        ports, new = self.ports, tokens.shape[1]
        mask = np.concatenate([self.mask, np.ones_like(tokens) if real is None else real], axis=1)
        kept = np.arange(new) if every else np.array([new - 1])
        arrays = {ports.tokens: tokens}
        if ports.mask is not None:
            arrays[ports.mask] = mask
        if ports.positions is not None:
            arrays[ports.positions] = np.maximum(mask.cumsum(axis=1) - 1, 0)[:, -new:]
        if ports.kept is not None:
            arrays[ports.kept] = kept
        told = {
            name: self.session.value(array.astype(np.int64, copy=False))
            for name, array in arrays.items()
        }
        found = self.session.chain({**told, **self._cache, **self._memory})
        self.mask = mask
        self._cache = {port.past: found[port.present] for port in ports.cache}
        self._alignment = None if ports.alignment is None else found[ports.alignment]
        logits: np.ndarray = array_of(found[ports.logits])
        return logits if every else logits[:, -1]

    def aligned(self, tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Read new tokens, [B, T]: the logits of each, [B, T, V], and where in the source what
        follows it is said, [B, heads, T, source]; for a graph that tells."""
        logits = self.advance(tokens, every=True)
        weights: np.ndarray = array_of(self._alignment)
        return logits, weights

    def choose(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order; a row may be named twice. Padding of all is
        cut off."""
        if list(rows) == list(range(len(self.mask))):
            return
        self.mask = self.mask[rows]
        spare = int(self.mask.argmax(axis=1).min(initial=self.mask.shape[1]))
        self.mask = self.mask[:, spare:]
        for port in self.ports.cache:
            kept = array_of(self._cache[port.past])
            if port.growing is not None and spare:
                kept = kept[(slice(None),) * port.growing + (slice(spare, None),)]
            self._cache[port.past] = self.session.value(kept[rows])
        self._choose_memory(rows)

    def _choose_memory(self, rows: Sequence[int]) -> None:
        """Copied only where a row reads another source: beams of one prompt change places all the
        time."""
        sources = self._sources[rows]
        if not np.array_equal(sources, self._sources):
            self._memory = {
                name: self.session.value(array_of(each)[rows])
                for name, each in self._memory.items()
            }
        self._sources = sources


def array_of(value: Any) -> np.ndarray:
    """The elements of a value that a step took or gave: to be read, in its own memory where that is
    the processor's."""
    device = getattr(value, "__dlpack_device__", None)
    found: np.ndarray = (
        np.from_dlpack(value) if device and device()[0] == PROCESSOR else value.numpy()
    )
    return found


def left_padded(rows: Sequence[np.ndarray], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of tokens as a batch that ends together, [B, T], and which of it is real.

    >>> left_padded([np.array([1, 2]), np.array([3])], 0)[0].tolist()
    [[1, 2], [0, 3]]
    """
    longest = max(len(row) for row in rows)
    tokens = np.full((len(rows), longest), pad, dtype=np.int64)
    real = np.zeros_like(tokens)
    for index, row in enumerate(rows):
        tokens[index, longest - len(row) :] = row
        real[index, longest - len(row) :] = 1
    return tokens, real


def _empty(port: CachePort, rows: int) -> np.ndarray:
    sizes = {"batch": rows, "past": 0}
    return np.zeros(
        [sizes[size] if isinstance(size, str) else size for size in port.shape], dtype=port.dtype
    )
