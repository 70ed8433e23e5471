"""Language of a text, by its letters' n-grams."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from multigraft import Dropped
from multigraft.errors import DataError, did_you_mean
from multigraft_text.filters.texts import on_texts

LONGEST = 3000
"""Characters, from the beginning, by which a language is told."""
SHORT = "too short to tell its language"


def in_languages(options: Mapping[str, Any]) -> Callable[[Any], Any]:
    """Texts of other languages are dropped (py3langid, after Lui and Baldwin 2012)."""
    asked = options["keep"] if isinstance(options["keep"], list) else [options["keep"]]
    kept = [each.lower() for each in asked]
    if not kept:
        raise DataError("language: keep names no language; give keep: en, or a list")
    identifier = _identifier()
    if unknown := [each for each in kept if each not in identifier.labels]:
        told = (f"{each!r}: {did_you_mean(each, identifier.labels)}" for each in unknown)
        raise DataError(f"language: {'; '.join(told)}")

    def judged(text: str) -> str | Dropped:
        if len(text) < options["shortest"]:
            return text if options["keep_short"] else Dropped(SHORT)
        language, probability = identifier.classify(text[:LONGEST])
        if probability < options["least"]:
            return Dropped("no language is likely enough")
        return text if language in kept else Dropped(f"its language is {language}")

    return on_texts(judged)


@functools.cache
def _identifier() -> Any:
    """The model, once a process; it only ever reads."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
