"""What is said in sounds: transcripts of any signs, and ARPA files of language models, broken."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzz.breaking import JUNK, TEXTS, broken_bytes
from fuzz.harness import Border, WrongAnswer
from fuzz.sounds import RATE, SPEC
from multigraft import Brief
from multigraft.errors import RowError
from multigraft.runtime.answers.ctc_decoding.arpa import FIRST, parse_arpa
from multigraft_speech.reader import audio_reader
from multigraft_speech.recognition import RECOGNITION
from multigraft_speech.recognition.ctc import SpeechRecognition
from multigraft_speech.recognition.transcript_rows import transcript_rows

ARPA = b"""\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.0\t<s>\t-0.3
-0.7\tday\t-0.2
-0.9\tnight\t-0.2
-1.1\t</s>

\\2-grams:
-0.4\t<s> day
-0.5\tday night

\\end\\
"""
LETTERS = "abcdefghijklmnopqrstuvwxyz' "
SAID = st.one_of(st.text(st.characters(categories=None), max_size=40), TEXTS)
INPUTS = st.one_of(
    st.tuples(
        st.just("row"),
        st.one_of(SAID, JUNK),
        st.fixed_dictionaries(
            {
                name: st.sampled_from(RECOGNITION.options[name].choices)
                for name in ("case", "punctuation")
            }
        ),
    ),
    st.tuples(
        st.just("model"), st.one_of(broken_bytes(st.just(ARPA)), st.binary(max_size=60)), st.none()
    ),
)


@functools.cache
def objective() -> SpeechRecognition:
    """The task over letters, for sounds of half a second in frames of a fiftieth."""
    backbone: Any = SimpleNamespace(width=4, hop=160, field=400)
    targets = {"vocabulary": ["", *LETTERS], "blank": 0}
    reader = audio_reader(SPEC)
    brief = Brief(backbone=backbone, reader=reader, targets=targets, options={}, modality="audio")
    return SpeechRecognition(brief)


def feed(folder: Path, given: tuple[str, Any, Any]) -> None:
    """A transcript that is accepted can be written, and normalises to itself; a language model
    that is has chances."""
    way, what, options = given
    if way == "model":
        _score(what)
        return
    row = transcript_rows({"text": what}, options)
    if transcript_rows(row, options)["text"] != row["text"]:
        raise WrongAnswer(f"{row} is normalised to another text")
    arrays = {"input_values": np.zeros(RATE // 2, np.float32)}
    tokens = objective().encode(row, arrays)["tokens"]
    if "".join(objective().vocabulary[token] for token in tokens) != row["text"]:
        raise WrongAnswer(f"{tokens} of {row}")


def _score(content: bytes) -> None:
    try:
        model = parse_arpa(content.decode())
    except ValueError as error:  # what opens a file tells it with the file's name
        raise RowError(str(error)) from error
    state, gain = model.word(model.start(), "day")
    if not math.isfinite(gain + model.end(state)) or len(state) >= max(model.order, 1):
        raise WrongAnswer(f"{gain} {state}, {FIRST}")


BORDER = Border(
    "transcripts",
    INPUTS,
    feed,
    lambda: [
        ("row", "It's a fine day.", {"case": "lower", "punctuation": "drop"}),
        ("model", ARPA, None),
    ],
)
