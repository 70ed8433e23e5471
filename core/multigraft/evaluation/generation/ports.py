"""The inputs and outputs of a decoder's step by name, as graphs have them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from multigraft.contracts.generation import ALIGNMENT, Generating, Writing
from multigraft.errors import ExportError
from multigraft.runtime.bundle import CachePort, Generation, Speech

TOKENS, MASK, POSITIONS, KEPT = "input_ids", "attention_mask", "position_ids", "kept"
LOGITS, PAST, PRESENT, MEMORY = "logits", "past", "present", "memory"
NEW = (TOKENS, MASK, POSITIONS, KEPT)


def ports_of(generating: Generating, inputs: Iterable[str]) -> Generation:
    """What the manifest says of a decoder graph that has these inputs. Raises ExportError."""
    held, writing = set(inputs), generating.writing
    if unread := [name for name in writing.state if f"{PAST}.{name}" not in held]:
        raise ExportError(
            f"the decoder's step does not read past[{unread[0]!r}], which writing.state names; "
            "leave it out, or read it"
        )
    return Generation(
        tokens=TOKENS,
        mask=MASK if MASK in held else None,
        positions=POSITIONS if POSITIONS in held else None,
        kept=KEPT if KEPT in held else None,
        logits=LOGITS,
        cache=tuple(
            CachePort(
                past=f"{PAST}.{name}",
                present=f"{PRESENT}.{name}",
                dtype="float32",
                shape=("batch", *axes),
            )
            for name, axes in writing.state.items()
        ),
        memory=tuple(name for name in named(MEMORY, writing.memory) if name in held),
        start=writing.start,
        stop=writing.stop,
        suppress=writing.suppress,
        suppress_first=writing.suppress_first,
        speech=None if writing.speech is None else Speech(**asdict(writing.speech)),
        pad=writing.pad,
        alignment=ALIGNMENT if writing.alignment else None,
        vocabulary=writing.vocabulary,
        max_length=writing.max_length,
        defaults=dict(generating.asked),
        whole=generating.whole,
    )


def outputs_of(writing: Writing) -> list[str]:
    """The outputs of a step: logits, the state, and where it has one the alignment."""
    told = [ALIGNMENT] if writing.alignment else []
    return [LOGITS, *named(PRESENT, writing.state), *told]


def named(kind: str, names: Iterable[str]) -> list[str]:
    """The names of tensors of a kind, as ``past.0.key``."""
    return [f"{kind}.{name}" for name in names]
