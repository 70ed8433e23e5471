"""The ids of a spec's tokens, without torch."""

from __future__ import annotations

from multigraft import MultigraftError
from multigraft.contracts.types import Spec


def token_ids(spec: Spec) -> dict[str, int]:
    """Every token of the spec's tokenizer with its id."""
    tokenizer = spec.get("tokenizer.json")
    if tokenizer is None:
        raise MultigraftError(
            "the tokenizer is not learned yet: complete the spec with the modality's `fit`"
        )
    vocabulary = tokenizer["model"]["vocab"]
    pairs = (
        vocabulary.items()
        if isinstance(vocabulary, dict)
        else ((piece[0], index) for index, piece in enumerate(vocabulary))
    )
    return dict(pairs) | {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
