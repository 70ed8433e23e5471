"""Saved reader specs, tokenizer.json among them, as a run's folder or a bundle may hold them."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fuzz import pictures, sounds, texts
from fuzz.breaking import JUNK, broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from multigraft.contracts.readers import load_spec
from multigraft.errors import RowError
from multigraft_speech.reader import audio_reader
from multigraft_table.reader import table_reader
from multigraft_table.samples import good
from multigraft_table.specs import fit
from multigraft_text.reader import TextReader
from multigraft_vision.reader import image_reader

BUILD = {"text": TextReader, "image": image_reader, "audio": audio_reader, "table": table_reader}
RAW: dict[str, Any] = {
    "text": "a fine film",
    "image": np.zeros((30, 40, 3), np.uint8),
    "audio": sounds.tone(),
    "table": {"age": 30.5, "city": "Lima", "joined": "2024-02-29"},
}


@functools.cache
def sound_specs() -> dict[str, dict[str, Any]]:
    """A spec of each modality."""
    rows = good(np.random.default_rng(0), 20, Path())
    table = fit(rows, {"kind": "table"})
    spec = {"text": texts.reader().spec(), "image": pictures.SPEC, "audio": sounds.SPEC}
    return {**spec, "table": table}


def _small() -> dict[str, Any]:
    """The text spec without its vocabulary, so that the other settings are broken as often."""
    return {**sound_specs()["text"], "tokenizer.json": None}


MODALITIES = st.sampled_from(list(BUILD))
INPUTS = st.deferred(
    lambda: st.one_of(
        MODALITIES.flatmap(
            lambda name: st.tuples(
                st.just("values"),
                st.just(name),
                broken_values(_small() if name == "text" else sound_specs()[name]),
            )
        ),
        st.tuples(st.just("values"), st.just("text"), broken_values(sound_specs()["text"])),
        st.tuples(
            st.just("file"),
            st.just("text"),
            broken_bytes(st.just(json.dumps(sound_specs()["text"]["tokenizer.json"]).encode())),
        ),
        st.tuples(
            st.just("names"),
            st.just("text"),
            st.dictionaries(st.text(max_size=9).map("{}.json".format), JUNK),
        ),
    )
)


def feed(folder: Path, given: tuple[str, str, Any]) -> None:
    """A reader that could be built reads its row into arrays of moderate size."""
    way, name, what = given
    spec: Any = what
    if way == "file":
        (folder / "tokenizer.json").write_bytes(what)
        spec = load_spec(_small(), folder)
    elif way == "names":
        spec = load_spec({**dict.fromkeys(what), **_small()}, folder)
    elif name == "text" and isinstance(what, dict) and what.get("tokenizer.json", 0) is None:
        spec = {**what, "tokenizer.json": sound_specs()["text"]["tokenizer.json"]}
    reader = BUILD[name](spec)
    try:
        row = reader.read(RAW[name])
    except RowError:
        return
    given_back = {**spec, "tokenizer.json": None} if name == "text" else spec
    said = {**reader.spec(), **({"tokenizer.json": None} if name == "text" else {})}
    if json.dumps({**said, **given_back}) != json.dumps(said):
        raise WrongAnswer(f"built from {spec}, says {reader.spec()}")
    if sum(array.nbytes for array in row.values()) > 2**29:
        raise WrongAnswer("an array of more than 512 MB")


def prepare(folder: Path) -> None:
    """A tokenizer."""
    sound_specs()
    (folder / "tokenizer.json").write_text("{}")


def sound() -> list[tuple[str, str, Any]]:
    """Each modality's spec as it was saved."""
    return [("values", name, spec) for name, spec in sound_specs().items()]


BORDER = Border("spec", INPUTS, feed, sound, prepare)
