"""Names of languages, places, scripts and currencies, labelled with the language they are in."""

from __future__ import annotations

import gettext
import unicodedata
from collections import Counter
from pathlib import Path

import numpy as np

from multigraft.cli.demo.sets import DemoSet, write_csv

SEED = 5
LANGUAGES = {
    "de": "German",
    "nl": "Dutch",
    "sv": "Swedish",
    "da": "Danish",
    "fr": "French",
    "it": "Italian",
    "ro": "Romanian",
    "pl": "Polish",
    "lt": "Lithuanian",
    "tr": "Turkish",
}
DOMAINS = ("iso3166-1", "iso3166-2", "iso3166-3", "iso4217", "iso639-3", "iso639-5", "iso15924")
PER_CLASS = {"train": 5, "validation": 10, "test": 60}
UNLABELLED = 2500
"""Of each language, so that frequent ones do not drown the others."""


def build(folder: Path) -> DemoSet:
    """Write one CSV file a split, cut so that no name, in any language, is in two splits."""
    rng = np.random.default_rng(SEED)
    splits: dict[str, list[tuple[str, ...]]] = {split: [] for split in (*PER_CLASS, "unlabelled")}
    concepts = {language: _distinct(_names(language)) for language in LANGUAGES}
    shared = Counter(name.casefold() for names in concepts.values() for name in names.values())
    held = _held_out(sorted({concept for names in concepts.values() for concept in names}), rng)
    for language, names in concepts.items():
        own = {c: name for c, name in names.items() if shared[name.casefold()] == 1}
        apart = [name for concept, name in sorted(own.items()) if concept in held]
        rest = [name for concept, name in sorted(own.items()) if concept not in held]
        apart, rest = ([names[i] for i in rng.permutation(len(names))] for names in (apart, rest))
        test, validation = PER_CLASS["test"], PER_CLASS["validation"]
        splits["test"] += [(name, LANGUAGES[language]) for name in apart[:test]]
        splits["validation"] += [
            (name, LANGUAGES[language]) for name in apart[test : test + validation]
        ]
        splits["train"] += [(name, LANGUAGES[language]) for name in rest[: PER_CLASS["train"]]]
        splits["unlabelled"] += [(name,) for name in rest[PER_CLASS["train"] :][:UNLABELLED]]
    for split, rows in splits.items():
        write_csv(
            folder / f"{split}.csv", ("text", "label") if split in PER_CLASS else ("text",), rows
        )
    return DemoSet(
        modality="text",
        unlabelled=folder / "unlabelled.csv",
        train=folder / "train.csv",
        validation=folder / "validation.csv",
        test=folder / "test.csv",
        rows={split: len(rows) for split, rows in splits.items()},
        facts={
            "what": f"which of {len(LANGUAGES)} languages a name is written in",
            "from": "the translations that come with pycountry (Debian's iso-codes)",
            "cut": "by what is named: no country or language is in two splits; names that two "
            "languages share are left out",
            "licence": "pycountry LGPL-2.1; read here and not handed on",
        },
    )


def _names(language: str) -> dict[str, str]:
    """English name -> the name in ``language``, where it has one of its own."""
    import pycountry

    names: dict[str, str] = {}
    for domain in DOMAINS:
        path = Path(pycountry.LOCALES_DIR) / language / "LC_MESSAGES" / f"{domain}.mo"
        if path.exists():
            names |= _translations(path)
    return names


def _translations(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        catalog = gettext.GNUTranslations(file)
    pairs = {}
    for key in vars(catalog)["_catalog"]:  # gettext has no public way to list what it holds
        english = key[0] if isinstance(key, tuple) else key
        name = unicodedata.normalize("NFC", catalog.gettext(english).strip())
        if english and 4 <= len(name) <= 40 and name.casefold() != english.casefold():
            pairs[english.split("\x04")[-1].casefold()] = name
    return pairs


def _distinct(names: dict[str, str]) -> dict[str, str]:
    """The first of equal names."""
    seen: set[str] = set()
    kept = {}
    for concept, name in sorted(names.items()):
        if name.casefold() not in seen:
            seen.add(name.casefold())
            kept[concept] = name
    return kept


def _held_out(concepts: list[str], rng: np.random.Generator) -> set[str]:
    """What is named in the held-out rows, in every language."""
    chosen = rng.permutation(len(concepts))[: len(concepts) // 7]
    return {concepts[index] for index in chosen}
