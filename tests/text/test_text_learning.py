from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from tokenizers import Tokenizer, models

import multigraft_text as text
from helpers.text_toys import DOCUMENTS, origin
from multigraft import MultigraftError
from multigraft.contracts.records import Backbone
from multigraft_text.learning import fit
from multigraft_text.reader import TextReader
from multigraft_text.token_ids import token_ids

KINDS = ["wordpiece", "bpe", "unigram", "character"]


def learned(family: Backbone, kind: str, **options: Any) -> dict[str, Any]:
    spec = family.reader(origin(family), {"tokenizer": kind, "vocabulary": 320, **options})
    return fit(DOCUMENTS, spec)


@pytest.mark.parametrize("family", [text.BERT, text.GPT], ids=lambda family: family.name)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_learned_reads_its_texts_back(family: Backbone, kind: str) -> None:
    spec = learned(family, kind)
    reader, tokenizer = TextReader(spec), Tokenizer.from_str(json.dumps(spec["tokenizer.json"]))
    for document in DOCUMENTS[:4]:
        ids = reader.read(document)["input_ids"].tolist()
        back = tokenizer.decode(ids)
        assert "".join(back.split()) == "".join(document.lower().split())
    assert len(tokenizer.get_vocab()) <= 320
    assert "learn" not in spec


def test_defaults_are_what_the_backbones_are_known_for() -> None:
    kinds = [
        fit(DOCUMENTS, family.reader(origin(family), {}))["tokenizer.json"]["model"]["type"]
        for family in (text.BERT, text.GPT)
    ]
    assert kinds == ["WordPiece", "BPE"]


@pytest.mark.parametrize("kind", KINDS)
def test_case_is_kept_where_asked(kind: str) -> None:
    kept, dropped = (TextReader(learned(text.GPT, kind, lowercase=flag)) for flag in (False, True))
    assert kept.read("The")["input_ids"].tolist() != kept.read("the")["input_ids"].tolist()
    assert dropped.read("The")["input_ids"].tolist() == dropped.read("the")["input_ids"].tolist()


def test_every_process_learns_the_same() -> None:
    code = (
        "import json, sys; from multigraft_text.learning import fit\n"
        "documents, specs = json.load(sys.stdin)\n"
        "print(json.dumps([fit(documents, spec) for spec in specs]))"
    )
    specs = [
        text.BERT.reader(origin(text.BERT), {"tokenizer": kind, "vocabulary": 300})
        for kind in KINDS
    ]
    asked = json.dumps([[*DOCUMENTS, "日月火水木金土 " * 3], specs])
    answers = [
        subprocess.run(
            [sys.executable, "-c", code],
            input=asked,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "RAYON_NUM_THREADS": threads},
        ).stdout
        for threads in ("1", "2", "2")
    ]
    assert answers[0] == answers[1] == answers[2]


def test_a_complete_spec_comes_back_unchanged() -> None:
    spec = learned(text.BERT, "wordpiece")
    assert fit([], spec) is spec


def test_unreadable_values_are_passed_over() -> None:
    spec = text.BERT.reader(origin(text.BERT), {"vocabulary": 320})
    assert fit([*DOCUMENTS, None, "", b"\xff", ("", None)], spec) == fit(DOCUMENTS, spec)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(MultigraftError, match="no row holds a text"):
        fit([None, ""], text.BERT.reader(origin(text.BERT), {}))


def test_too_small_a_vocabulary_for_bytes_is_an_error() -> None:
    with pytest.raises(MultigraftError, match="at least 259"):
        learned(text.GPT, "bpe", vocabulary=200)


def test_a_length_beyond_the_positions_is_an_error() -> None:
    with pytest.raises(MultigraftError, match=r"found 129.*at most 128"):
        text.BERT.reader(origin(text.BERT), {"max_length": 129})


def test_a_length_without_room_for_special_tokens_is_an_error() -> None:
    with pytest.raises(MultigraftError, match=r"found 4.*needs 5"):
        TextReader(learned(text.BERT, "wordpiece", max_length=4))


@pytest.mark.parametrize(
    "model",
    [
        models.Unigram([("<unk>", 0.0), ("fox", -1.0), ("dog", -2.0)], unk_id=0),
        models.WordLevel({"<unk>": 0, "fox": 1}, unk_token="<unk>"),
    ],
    ids=["unigram", "word-level"],
)
def test_ids_are_found_in_every_kind_of_file(model: Any) -> None:
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens(["<pad>"])
    assert token_ids({"tokenizer.json": json.loads(tokenizer.to_str())}) == tokenizer.get_vocab()
