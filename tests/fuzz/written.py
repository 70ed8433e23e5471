"""Texts that are to be written: rows of translations, targets of every size, and signs that are no
text."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from fuzz import texts
from fuzz.breaking import JUNK, TEXTS
from fuzz.harness import Border, WrongAnswer
from multigraft_text.learning import fit
from multigraft_text.seq2seq.rows import translation_rows
from multigraft_text.seq2seq.targets import TargetReader
from multigraft_text.token_ids import token_ids

ROW = {"source": "a fine film", "target": "um bom filme"}
CELLS = st.one_of(st.text(st.characters(categories=None), max_size=40), TEXTS, texts.LONG, JUNK)
ROWS = st.one_of(
    st.dictionaries(st.sampled_from(["source", "text", "target", "text_pair"]), CELLS, max_size=3),
    st.builds(lambda cell: {**ROW, "target": cell}, CELLS),
)


@functools.cache
def reader() -> TargetReader:
    """A byte-level BPE that was learned from a few words."""
    learn = {"style": "seq2seq", "tokenizer": "bpe", "vocabulary": 300, "lowercase": False}
    spec = {
        "kind": "text",
        "max_length": 64,
        "tokenizer.json": None,
        "token_types": False,
        "learn": learn,
        "writes": {"first": [], "last": ["</s>"]},
    }
    fitted = fit([texts.PLAIN] * 20, spec)
    return TargetReader(fitted, end=token_ids(fitted)["</s>"])


def feed(folder: Path, row: dict[str, Any]) -> None:
    """A row has a source, and a target has tokens and its end, which stands nowhere else."""
    translation_rows(row)
    *tokens, end = reader().read(row.get("target"))
    if not tokens or min(tokens) < 0 or ("</s>" not in str(row["target"]) and end in tokens):
        raise WrongAnswer(f"{tokens[:20]} {end}")


BORDER = Border("written", ROWS, feed, lambda: [ROW, {"text": "é 🎉", "target": "日本語"}])
