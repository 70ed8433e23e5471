"""SentencePiece files of published weights give the ids that their own library gives."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from transformers import SiglipTokenizer

import multigraft as mg
from multigraft.errors import WeightsError
from multigraft_text.reader import TextReader
from multigraft_text.sentencepiece.folders import converted
from multigraft_text.seq2seq.span_corruption import sentinel_ids
from multigraft_text.seq2seq.specs import seq2seq_spec
from multigraft_text.specs import encoder_spec

FAIRSEQ = {0: 3, 1: 0, 2: 2}
"""SentencePiece's unknown, begin and end, where fairseq has them."""
T5 = {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
DEBERTA = {
    **{"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3},
    **{"pad_piece": "[PAD]", "bos_piece": "[CLS]", "eos_piece": "[SEP]", "unk_piece": "[UNK]"},
}


def written(folder: Path, name: str, model: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(model.serialized_model_proto())
    return folder


def reader(folder: Path, kind: str, **settings: Any) -> TextReader:
    content = converted(folder, kind, settings)
    assert content is not None
    spec = {"max_length": 1000, "pad_id": 0, "token_types": False, "special": {}}
    return TextReader({**spec, "tokenizer.json": json.loads(json.dumps(content))})


def origin(folder: Path) -> mg.Origin:
    return mg.Origin(backbone="any", size="any", config={}, path=folder, hub=None)


def check(made: TextReader, texts: Sequence[str], wanted: Callable[[str], list[int]]) -> None:
    """The same ids of every text."""
    for text in texts:
        found = made.read(text)["input_ids"].tolist()
        assert found == wanted(text), text


def test_t5_has_its_ids_and_its_sentinels_from_the_last_one_down(
    tmp_path: Path, texts: list[str], train: Any
) -> None:
    model = train(**T5)
    made = reader(written(tmp_path, "spiece.model", model), "t5")
    check(made, texts, lambda text: [*model.encode(text), 1])
    size = model.get_piece_size()
    ids = made.read("a <extra_id_0> b<extra_id_99>")["input_ids"].tolist()
    assert ids == [*model.encode("a"), size + 99, *model.encode("b"), size, 1]
    for ids in map(model.encode, texts[:100]):
        assert 2 in ids or made.text(ids) == model.decode(ids)
    small = reader(tmp_path, "mt5")
    assert small._tokenizer.get_vocab_size() == size


def test_xlm_roberta_has_fairseqs_ids(tmp_path: Path, texts: list[str], train: Any) -> None:
    model = train()
    made = reader(written(tmp_path, "sentencepiece.bpe.model", model), "xlm-roberta")
    moved = lambda text: [FAIRSEQ.get(each, each + 1) for each in model.encode(text)]  # noqa: E731
    check(made, texts, lambda text: [0, *moved(text), 2])
    pair = made.read(("the run", "the bundle"))["input_ids"].tolist()
    assert pair == [0, *moved("the run"), 2, 2, *moved("the bundle"), 2]
    mask = model.get_piece_size() + 1
    assert made.read("the <mask>")["input_ids"].tolist() == [0, *moved("the"), mask, 2]


@pytest.mark.parametrize(("tokenizer", "count"), [("MBartTokenizer", 25), ("MBart50Tokenizer", 52)])
def test_mbart_names_its_languages_behind_the_pieces(
    tokenizer: str, count: int, tmp_path: Path, texts: list[str], train: Any
) -> None:
    model = train()
    folder = written(tmp_path, "sentencepiece.bpe.model", model)
    made = reader(folder, "mbart", tokenizer_class=tokenizer, src_lang="fr_XX")
    language = model.get_piece_size() + 1 + 7  # the eighth
    behind = tokenizer == "MBartTokenizer"
    around = ([], [2, language]) if behind else ([language], [2])

    def wanted(text: str) -> list[int]:
        moved = [FAIRSEQ.get(each, each + 1) for each in model.encode(text)]
        return [*around[0], *moved, *around[1]]

    check(made, texts[:200], wanted)
    assert made._tokenizer.token_to_id("<mask>") == model.get_piece_size() + 1 + count


def test_deberta_has_a_mask_behind_its_pieces(tmp_path: Path, texts: list[str], train: Any) -> None:
    model = train(**DEBERTA)
    made = reader(written(tmp_path, "spm.model", model), "deberta-v2")
    check(made, texts, lambda text: [1, *model.encode(text), 2])
    assert made._tokenizer.token_to_id("[MASK]") == model.get_piece_size()


def test_siglip_reads_words_without_case_and_punctuation(
    tmp_path: Path, texts: list[str], train: Any
) -> None:
    folder = written(tmp_path, "spiece.model", train(**T5))
    theirs = SiglipTokenizer(str(folder / "spiece.model"))
    kept = [text for text in texts if theirs.canonicalize_text(text)]
    assert len(kept) > 400
    check(reader(folder, "siglip"), kept, lambda text: theirs(text)["input_ids"])
    cased = SiglipTokenizer(str(folder / "spiece.model"), do_lower_case=False)
    check(
        reader(folder, "siglip", do_lower_case=False),
        kept[:50],
        lambda text: cased(text)["input_ids"],
    )


def test_folders_of_such_weights_open(tmp_path: Path, train: Any) -> None:
    """Without any other file of a tokenizer, roles and frames are found by their usual names."""
    folder = written(tmp_path / "xlm-r", "sentencepiece.bpe.model", train())
    (folder / "config.json").write_text('{"model_type": "xlm-roberta", "pad_token_id": 1}')
    spec = encoder_spec(origin(folder), {})
    assert spec["pad_id"] == 1 and spec["special"]["cls_token"] == "<s>"
    assert spec["special"]["mask_token"] == "<mask>"
    folder = written(tmp_path / "t5", "spiece.model", train(**T5))
    (folder / "config.json").write_text('{"model_type": "t5"}')
    spec = seq2seq_spec(origin(folder), {})
    assert spec["pad_id"] == 0 and spec["writes"] == {"first": [], "last": ["</s>"]}
    assert len(sentinel_ids(spec)) == 100


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"model_type": "bpe"}, "is no Unigram"),
        ({"remove_extra_whitespaces": False}, "keeps runs of spaces"),
        ({"add_dummy_prefix": False}, "begins texts without a space"),
        ({"treat_whitespace_as_suffix": True}, "puts spaces behind words"),
        ({"split_by_whitespace": False, "vocab_size": 600}, "cuts pieces across words"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_a_tokenizer_json_cannot_do_is_refused(
    settings: dict[str, Any], says: str, tmp_path: Path, train: Any
) -> None:
    folder = written(tmp_path, "spiece.model", train(**settings))
    with pytest.raises(WeightsError, match=rf"spiece\.model: {says}.*copy the tokenizer\.json"):
        converted(folder, "t5", {})


def test_symbols_of_whoever_trained_are_found_first(tmp_path: Path, train: Any) -> None:
    model = train(**T5, user_defined_symbols="<x>,run")
    made = reader(written(tmp_path, "spiece.model", model), "t5")
    for text in ("a<x>b", "the run is prune", "rerun <x>", "running"):
        assert made.read(text)["input_ids"].tolist() == [*model.encode(text), 1], text


def test_unknown_letters_become_bytes_where_the_file_says_so(
    tmp_path: Path, texts: list[str], train: Any
) -> None:
    model = train(**DEBERTA, byte_fallback=True, vocab_size=700)
    made = reader(written(tmp_path, "spm.model", model), "deberta-v2")
    odd = ["\u0142\u0142 of \u65e5\u672c", "\U0001f600!", "na\u00efve \u20ac"]
    check(made, [*texts, *odd], lambda text: [1, *model.encode(text), 2])
    for text in odd:
        assert made.text(model.encode(text)) == model.decode(model.encode(text)) == text
    assert any(model.is_byte(each) for each in model.encode(odd[0]))


def test_a_deberta_that_changes_texts_before_is_refused(tmp_path: Path, train: Any) -> None:
    written(tmp_path, "spm.model", train(**DEBERTA))
    with pytest.raises(WeightsError, match="do_lower_case is not converted"):
        converted(tmp_path, "deberta-v2", {"do_lower_case": True})


def test_other_kinds_and_damaged_files_are_refused(tmp_path: Path, train: Any) -> None:
    assert converted(tmp_path, "t5", {}) is None, "no such file"
    written(tmp_path, "spiece.model", train(**T5))
    with pytest.raises(
        WeightsError, match=r"spiece\.model of a 'albert' is not converted.*t5, mt5"
    ):
        converted(tmp_path, "albert", {})
    for count in (-1, 10**9, "many", None):
        with pytest.raises(WeightsError, match="extra_ids is"):
            converted(tmp_path, "t5", {"extra_ids": count})
    (tmp_path / "spiece.model").write_bytes(b"\xff\xff\xff not a file")
    with pytest.raises(WeightsError, match="is no SentencePiece file"):
        converted(tmp_path, "t5", {})
    (tmp_path / "spiece.model").write_bytes(b"")
    with pytest.raises(WeightsError, match="holds no piece of text"):
        converted(tmp_path, "t5", {})
