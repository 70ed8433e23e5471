"""Records of the filters of quality: Gopher's rules, each by its own name, and C4's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from multigraft import Filter, Lazy, Option

GOPHER = "Rae et al. 2021 (Gopher), arXiv 2112.11446, "
RULES, TABLE = f"{GOPHER}appendix A.1.1", f"{GOPHER}table A1"
C4 = "Raffel et al. 2020 (C4), JMLR 21(140), section 2.2"
C4_CODE = "the code of C4 in tensorflow_datasets"
PROSE = (
    "The river rises in the hills, and it runs to the sea after a long journey through the plain. "
    "Boats carry grain and timber from the upper valley to the harbour. In spring the water is "
    "high, so that the meadows along its banks have to be left to the birds. Most of the towns "
    "grew where a ford could be held with a small castle. Their bridges came later. Today the "
    "valley lives from fruit, and from those who come to see it."
)
SHOP = "# cheap # shoes # sale # now # shoes # cheap # buy # sale # today # only"
TESTS = str(Path(__file__).with_name("example_tests.jsonl"))
"""A test set whose text is a part of `PROSE`."""
REPEATED = "\n".join(["Buy one and get one free today.", "Only here.", *["Add to basket."] * 6])


def _share(default: float, what: str) -> Option:
    return Option(default=default, low=0, high=1, help=what)


def _gopher(name: str, attribute: str, tells: str, drops: str, **options: Option) -> Filter:
    return Filter(
        name=f"gopher-{name}",
        modality="text",
        help=tells,
        source=RULES,
        judge=Lazy(f"multigraft_text.filters.gopher:{attribute}"),
        options=options,
        groups=("gopher", "gopher-quality"),
        keeps=lambda: PROSE,
        drops=lambda: drops,
    )


def _repetition(name: str, attribute: str, tells: str, drops: str, **options: Option) -> Filter:
    return Filter(
        name=f"gopher-{name}",
        modality="text",
        help=tells,
        source=TABLE,
        judge=Lazy(f"multigraft_text.filters.repetition:{attribute}"),
        options=options,
        groups=("gopher", "gopher-repetition"),
        keeps=lambda: PROSE,
        drops=lambda: drops,
    )


def _c4(name: str, attribute: str, tells: str, drops: str, **more: Any) -> Filter:
    source = more.pop("source", C4)
    return Filter(
        name=f"c4-{name}",
        modality="text",
        help=tells,
        source=source,
        judge=Lazy(f"multigraft_text.filters.c4:{attribute}"),
        options=more,
        groups=("c4",),
        keeps=lambda: PROSE,
        drops=lambda: drops,
    )


SCALE = Option(
    default=1.0,
    low=0,
    high=1e6,
    help="all thresholds times this; more keeps texts that repeat more",
)
QUALITY = (
    _gopher(
        "words",
        "words",
        "Drop texts of fewer than 50 or more than 100,000 words (what blanks part).",
        "Too short to learn from.",
        low=Option(default=50, low=0, help="words at the least"),
        high=Option(default=100_000, low=1, help="words at the most"),
    ),
    _gopher(
        "word-length",
        "word_length",
        "Drop texts whose words have fewer than 3 or more than 10 letters in the mean.",
        "internationalisation/configuration/initialisation.xml org.example.application.Main",
        low=Option(default=3.0, low=0, high=1e6, help="letters in the mean at the least"),
        high=Option(default=10.0, low=1, high=1e6, help="letters in the mean at the most"),
    ),
    _gopher(
        "symbols",
        "symbols",
        "Drop texts with more than one hash sign, or ellipsis, for ten words.",
        SHOP,
        most=Option(default=0.1, low=0, high=1e6, help="of each, by the number of words"),
    ),
    _gopher(
        "bullets",
        "bullets",
        "Drop texts of which more than 90% of lines begin with a bullet.",
        "• apples\n• pears\n• plums",
        most=_share(0.9, "the share of lines"),
    ),
    _gopher(
        "ellipsis-lines",
        "ellipsis_lines",
        "Drop texts of which more than 30% of lines end with an ellipsis.",
        "The river rises in ...\nBoats carry grain and ...\nMost of the towns grew.",
        most=_share(0.3, "the share of lines"),
    ),
    _gopher(
        "alphabetic",
        "alphabetic",
        "Drop texts of which fewer than 80% of words have a letter in them.",
        "17 4 2020 | 3.50 | 12 | 99 apples 4,00 7 12:30",
        least=_share(0.8, "the share of words"),
    ),
    _gopher(
        "stop-words",
        "stop_words",
        "Drop texts with fewer than two of the words the, be, to, of, and, that, have, with.",
        "shoes sale buy cheap shoes online store best price",
        least=Option(default=2, low=0, help="how many different ones at the least"),
        words=Option(
            default=None, types=(list,), help="other words, as for other languages; unset: those"
        ),
    ),
    _repetition(
        "repeated-lines",
        "repeated_lines",
        "Drop texts of which more than 30% of lines stood before, or 20% of characters in such.",
        REPEATED,
        most=_share(0.3, "the share of lines"),
        most_characters=_share(0.2, "the share of characters"),
    ),
    _repetition(
        "repeated-paragraphs",
        "repeated_paragraphs",
        "Drop texts of which more than 30% of paragraphs stood before, or 20% of characters in "
        "such.",
        REPEATED.replace("\n", "\n\n"),
        most=_share(0.3, "the share of paragraphs"),
        most_characters=_share(0.2, "the share of characters"),
    ),
    _repetition(
        "top-ngrams",
        "top_ngrams",
        "Drop texts of which one 2-gram of words makes up more than 20% of characters, a 3-gram "
        "18%, or a 4-gram 16%.",
        "click here now " * 5 + "for the best offers of the year",
        scale=SCALE,
    ),
    _repetition(
        "repeated-ngrams",
        "repeated_ngrams",
        "Drop texts of which more than 15% of characters lie in 5-grams that stood before, and so "
        "on down to 10% in 10-grams.",
        "we ship to all countries of the world and back again for free. " * 3,
        scale=SCALE,
    ),
    _c4(
        "citations",
        "citations",
        "Take out marks of citations, as [12] and [edit].",
        "It was first described in 1841.[3] The valley[edit] has had a bridge since then.",
        source=C4_CODE,
    ),
    _c4(
        "terminal-punctuation",
        "terminal_punctuation",
        "Take out lines that do not end with a full stop, an exclamation or question mark, or a "
        "quote.",
        f"Home | About | Contact\n{PROSE}",
    ),
    _c4(
        "line-words",
        "line_words",
        "Take out lines of fewer than 5 words, or with a word of more than 1,000 letters.",
        f"Share it!\n{PROSE}",
        least=Option(default=5, low=1, help="words of a line at the least"),
        longest_word=Option(default=1000, low=1, help="letters of its longest word at the most"),
        source=f"{C4_CODE}; editions of the paper say 5 and 3",
    ),
    _c4(
        "javascript",
        "javascript",
        "Take out lines with the word Javascript.",
        f"Please enable Javascript to see this page.\n{PROSE}",
    ),
    _c4(
        "policy",
        "policy",
        "Take out lines on cookies, privacy policies and terms of use.",
        f"By reading on you accept the terms of use.\n{PROSE}",
        source=C4_CODE,
    ),
    _c4(
        "lorem-ipsum",
        "lorem_ipsum",
        'Drop texts with the phrase "lorem ipsum".',
        "Lorem ipsum dolor sit amet, consectetur adipiscing elit.",
    ),
    _c4(
        "curly-brackets",
        "curly_brackets",
        "Drop texts with a curly bracket.",
        "function main() { return 0; }",
    ),
    _c4(
        "sentences",
        "sentences",
        "Drop texts of fewer than 3 sentences.",
        "A single sentence is not much.",
        least=Option(default=3, low=0, help="sentences at the least"),
        source=f"{C4_CODE}; editions of the paper say 3 and 5",
    ),
    Filter(
        name="decontaminate",
        modality="text",
        help="Drop texts that have 13 words in a row in common with a text of a test set, or hold "
        "a test of 8 to 12 words whole; case and punctuation do not count, and of Chinese and "
        "Japanese two signs count as a word.",
        source="Brown et al. 2020 (GPT-3), arXiv 2005.14165, appendix C; there what is around the "
        "run is cut out, here the text is dropped",
        judge=Lazy("multigraft_text.filters.decontamination:without_tests"),
        notes=Lazy("multigraft_text.filters.decontamination:left_out"),
        options={
            "against": Option(
                default=None,
                types=(str, list),
                help="the test sets: files, folders or patterns, as a recipe's data",
            ),
            "test_column": Option(default="text", help="the column of their texts"),
            "words": Option(default=13, low=2, high=100, help="words in a row"),
            "shortest": Option(default=8, low=1, help="a test of fewer words is not looked for"),
        },
        keeps=lambda: "The river rises in the hills.",
        drops=lambda: PROSE,
        trial={"against": TESTS},
    ),
)
