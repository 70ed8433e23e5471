"""Random corpora for scores of texts: what a model says, and what was expected."""

from __future__ import annotations

import random

WORDS = [
    *"the cat The CAT sat mat, mat. don't it's 3.14 1,000 9-10 state-of-the-art U.S.".split(),
    *'"quoted" (so) [b] {c} a&b &amp; &quot;x&quot; &lt;p&gt; <skipped> x<skipped>y -'.split(),
    *". .. ... , -- 5. .5 a.b a,b a..1 !? @x #y $5 50% _x_ ~ ` ^ | \\ /".split(),
    *"Straße naïve İstanbul ﬁne 日本語 これ はい हिन्दी жизнь e\u0301 👍 ٣٤".split(),
    "a\u00a0b",
    "👩\u200d👧",
]
ODD = ["", " ", "\n", ".", "a", "日", "the", "-\n", "a-\nb", "a\nb", " a  b ", "x" * 50, "a " * 30]


def random_text(rng: random.Random) -> str:
    """A text: words of prose and odd ones, few or none, or one of the odd whole texts."""
    if rng.random() < 0.1:
        return rng.choice(ODD)
    words = WORDS if rng.random() < 0.5 else WORDS[:8]
    return " ".join(rng.choice(words) for _ in range(rng.choice([1, 2, 3, 5, 12, 30])))


def changed(rng: random.Random, text: str) -> str:
    """A text like this one: words lost, doubled, replaced, moved, at times all or none."""
    found = []
    for word in text.split(" "):
        found += rng.choice([[word]] * 6 + [[], [word, word], [rng.choice(WORDS)]])
    if rng.random() < 0.2:
        rng.shuffle(found)
    return " ".join(found)


def corpora(count: int, references: int = 1) -> list[tuple[list[str], list[list[str]]]]:
    """So many corpora of 1 to 8 rows: the answers, and the references of each."""
    rng = random.Random(count + references)
    found = []
    for _ in range(count):
        rows = [[random_text(rng) for _ in range(references)] for _ in range(rng.randint(1, 8))]
        alike = rng.choice([0.0, 0.5, 1.0])
        said = [
            changed(rng, rng.choice(row)) if rng.random() < alike else random_text(rng)
            for row in rows
        ]
        found.append((said, rows))
    return found
