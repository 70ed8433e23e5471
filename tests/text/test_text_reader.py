from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

import multigraft_text as text
from helpers.text_toys import DOCUMENTS, Grown, grow, origin
from multigraft import MultigraftError, RowError
from multigraft.contracts.readers import collate
from multigraft_text.reader import TextReader


def rows_of(reader: TextReader, raws: list[Any]) -> list[list[int]]:
    return [reader.read(raw)["input_ids"].tolist() for raw in raws]


def test_bytes_and_text_read_alike(grown: Grown) -> None:
    assert rows_of(grown.reader, ["The fox: déjà vu"]) == rows_of(
        grown.reader, ["The fox: déjà vu".encode()]
    )


def test_special_tokens_stand_where_bert_has_them(bert: Grown) -> None:
    special = {
        token["content"]: token["id"] for token in bert.spec["tokenizer.json"]["added_tokens"]
    }
    row = bert.reader.read(("the fox", "a dog"))
    ids, kinds = row["input_ids"].tolist(), row["token_type_ids"].tolist()
    assert ids[0] == special["[CLS]"]
    middle = ids.index(special["[SEP]"])
    assert ids[-1] == special["[SEP]"]
    assert kinds == [0] * (middle + 1) + [1] * (len(ids) - middle - 1)


def test_gpt_closes_a_text_and_knows_no_token_types(gpt: Grown) -> None:
    row = gpt.reader.read("the fox")
    assert set(row) == {"input_ids", "attention_mask"}
    special = {
        token["content"]: token["id"] for token in gpt.spec["tokenizer.json"]["added_tokens"]
    }
    assert row["input_ids"][-1] == special["<|endoftext|>"]
    assert gpt.spec["pad_id"] == special["<|pad|>"]


@pytest.mark.parametrize("length", [7, 16])
def test_a_long_row_is_cut_and_keeps_its_ends(length: int) -> None:
    reader = grow(text.BERT, max_length=length).reader
    single = reader.read("fox " * 50)["input_ids"]
    pair = reader.read(("fox " * 50, "dog"))
    assert len(single) == length == len(pair["input_ids"])
    assert single[0] == reader.read("dog")["input_ids"][0]
    assert single[-1] == reader.read("dog")["input_ids"][-1]
    whole_dog = len(reader.read("dog")["input_ids"]) - 1
    assert pair["token_type_ids"].sum() == whole_dog  # longest first: the short text stays whole


def test_padding_is_the_pad_token_and_masked(grown: Grown) -> None:
    rows = [grown.reader.read("the fox runs over the hill"), grown.reader.read("dog")]
    batch = collate(rows, grown.reader.fills)
    short = grown.reader.length(rows[1])
    assert (batch["input_ids"][1, short:] == grown.spec["pad_id"]).all()
    assert batch["attention_mask"][1].tolist() == [1] * short + [0] * (
        batch["input_ids"].shape[1] - short
    )
    assert all(array.dtype == np.int64 for array in batch.values())


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", "empty"),
        (" \n", "empty"),
        (None, "missing"),
        (3, "found int"),
        (float("nan"), "found float"),
        ("a\0b", "NUL at character 1"),
        (b"caf\xe9", "not UTF-8: byte 3 is 0xe9"),
        ("a\ud800", "surrogate"),
        (("a", ""), "empty"),
        (("a", None), "missing"),
        (("a", "b", "c"), "found 3 texts"),
        (["New", "York"], "found list; text is needed; a pair of texts is two columns"),
        (["New"], "found list"),
        (("a", ["b"]), "found list"),
    ],
)
def test_what_is_no_text_is_refused_by_name(bert: Grown, raw: Any, said: str) -> None:
    with pytest.raises(RowError, match=said):
        bert.reader.read(raw)


def test_a_text_in_which_bytes_were_lost_is_read_unless_that_is_refused(bert: Grown) -> None:
    assert bert.reader.read("caf\ufffd")["input_ids"].size
    strict = TextReader({**bert.reader.spec(), "refuse_replaced": True})
    with pytest.raises(RowError, match=r"U\+FFFD at character 3"):
        strict.read("caf\ufffd")


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("say it again " * 30, r"takes \d+ tokens of the \d+ of a row"),
        ("a\0", "holds a NUL"),
    ],
)
def test_a_prefix_is_blamed_itself(bert: Grown, prefix: str, says: str) -> None:
    with pytest.raises(MultigraftError, match=rf"backbone\.prefix: .*{says}"):
        text.TEXT.reader({**bert.reader.spec(), "prefix": prefix})
    short = text.TEXT.reader({**bert.reader.spec(), "prefix": "say: "})
    assert len(short.read("the fox")["input_ids"]) > len(bert.reader.read("the fox")["input_ids"])


def test_the_spec_survives_json(grown: Grown) -> None:
    again = text.TEXT.reader(json.loads(json.dumps(grown.reader.spec())))
    raws = [*DOCUMENTS, ("the fox", "a dog"), "Ünïcödé 中文 🦊"]
    assert rows_of(again, raws) == rows_of(grown.reader, raws)
    assert again.spec() == grown.reader.spec()


def test_a_spec_without_tokenizer_says_what_to_do() -> None:
    with pytest.raises(MultigraftError, match="fit"):
        TextReader(text.BERT.reader(origin(text.BERT), {}))


def test_threads_read_alike(grown: Grown) -> None:
    raws = DOCUMENTS * 20
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda raw: grown.reader.read(raw)["input_ids"].tolist(), raws))
    assert read == rows_of(grown.reader, raws)


def test_other_threads_go_on_while_a_long_text_is_read(grown: Grown) -> None:
    """So a server answers whether it is alive meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(grown.reader.read, "the quick fox " * 60_000)
        turns = 0
        while not reading.done():
            time.sleep(0.001)
            turns += 1
    assert len(reading.result()["input_ids"])
    assert turns > 10


def test_transformers_tokenizes_the_saved_folder_alike(grown: Grown, tmp_path: Path) -> None:
    head = torch.nn.Linear(grown.module.width, 2, bias=grown.module.head_bias)
    # without one a GPT's text is a prompt
    grown.module.save(tmp_path, head=head, labels=("no", "yes"))
    stock = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*DOCUMENTS, "Ünïcödé 中文 🦊", "x" * 400]
    ours = collate([grown.reader.read(raw) for raw in texts], grown.reader.fills)
    theirs = stock(texts, padding=True, truncation=True, return_tensors="np")
    assert set(ours) == set(theirs)
    for name, array in ours.items():
        np.testing.assert_array_equal(array, theirs[name])
    pair = stock("the fox", "a dog")
    row = grown.reader.read(("the fox", "a dog"))
    assert {name: array.tolist() for name, array in row.items()} == dict(pair)


def test_lengths_are_counted_in_tokens(grown: Grown) -> None:
    assert text.TEXT.unit is not None
    assert text.TEXT.unit(grown.reader.spec()) == ("tokens", 1.0)


def test_a_deployer_needs_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, multigraft_text.reader; print('torch' in sys.modules, 'transformers' in "
        "sys.modules)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert shown.split() == ["False", "False"]
