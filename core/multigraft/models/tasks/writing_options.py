"""Options of tasks that write a text by teacher forcing; importing them imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from multigraft.contracts.records import Option

WRITING: Mapping[str, Option] = {
    "max_target_length": Option(
        default=64, low=2, high=2**16, help="tokens that are written of a text, at most"
    ),
    "label_smoothing": Option(
        default=0.0, low=0, high=0.9, help="probability spread over all tokens (Szegedy 2016)"
    ),
    "beams": Option(
        default=1, low=1, high=64, help="texts that beam search keeps in evaluation; 1: greedy"
    ),
    "length_penalty": Option(
        default=1.0, low=-10, high=10, help="of beam search: above 0 favours long texts"
    ),
    "no_repeat_ngram": Option(
        default=0, low=0, high=64, help="tokens in a row that are not written twice; 0: any"
    ),
}


def asked_by(options: Mapping[str, Any]) -> dict[str, Any]:
    """What `WRITING` asks of a text: greedy search, or with as many beams as the task says."""
    asked: dict[str, Any] = {}
    if options["no_repeat_ngram"]:
        asked["no_repeat_ngram"] = options["no_repeat_ngram"]
    if options["beams"] == 1:
        return asked
    beams = {name: options[name] for name in ("beams", "length_penalty")}
    return {**asked, "method": "beam", **beams}
