"""The reader of texts for browsers: the very ids that Python's reads, for each kind of
tokenizer."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from helpers.javascript import WebReading, node, open_web_reader
from multigraft import RowError
from multigraft_text import TEXT
from multigraft_text.learning import fit
from multigraft_text.reader import TextReader

pytestmark = pytest.mark.slow  # npm fetches the tokenizer
TEXTS = [
    *(
        "The fox runs. It is quick and brown! Does the dog sleep?",
        "don't won't it's I'll we've 'S 'LL",
    ),
    *(
        "naïve café Übergröße straße İstanbul ﬁne ½",
        "日本語のテキスト 中文 한국어 \U00020000\U00020001",
    ),
    *("emoji 😀👨‍👩‍👧 flags 🇩🇪", "Привет мир", "מה שלומך", "ǅ Σίσυφος ΣΑΣ ς", "สวัสดีครับ"),
    *(
        "x=1;y+=2 /* c */ #tag @user http://a.b/c?d=e",
        "\ttab\nnew\r\nline  ",
        "   lead  and trail   ",
    ),
    *(
        "a\u0301e\u0300 \u200bzero\u200dwidth",
        "\u00a0nbsp\u3000ideo",
        "[MASK] in [SEP] text",
        "<|endoftext|> x",
    ),
    *(
        "٣٤٥ १२३ ½ ² ① Ⅳ",
        "word" * 60,
        "—–‘’“”…",
        "\x01\x02ctrl\x7f",
        "e\u0323\u0302",
        "ẞ ß SS",
        "\ud7a3가각",
    ),
]
POOL = (
    "aAzZ09 .,!?'-\t\n\u00e9\u0301ßİΣς中あ한😀"
    "\u200d\u00a0\u3000½٣ไ\u0e31\u0627\u064b\ufe0f\u2019\u00ad"
    "\U00020000"
)


def hard() -> list[str]:
    rng = random.Random(0)
    drawn = ("".join(rng.choice(POOL) for _ in range(rng.randint(1, 40))) for _ in range(300))
    return [*TEXTS, *(text for text in drawn if text.strip())]


def unigram() -> Tokenizer:
    """As XLM-RoBERTa's."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trainer = trainers.UnigramTrainer(
        vocab_size=250, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(TEXTS * 5, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return made


def roberta() -> Tokenizer:
    """Byte-level BPE with RoBERTa's frame, whose second text is of the type of the first."""
    learned = fit(
        TEXTS * 5,
        {"learn": {"style": "gpt", "tokenizer": "bpe", "vocabulary": 500, "lowercase": False}},
    )
    made = Tokenizer.from_str(json.dumps(learned["tokenizer.json"]))
    made.add_special_tokens(["<s>", "</s>"])
    ends = [(token, made.token_to_id(token)) for token in ("</s>", "<s>")]
    made.post_processor = processors.RobertaProcessing(*ends, add_prefix_space=False)
    return made


def spec(kind: str, max_length: int) -> dict[str, Any]:
    name, _, style = kind.partition(" ")
    settings = {"kind": "text", "max_length": max_length, "token_types": True, "pad_id": 0}
    if not style:
        made = {"unigram": unigram, "roberta": roberta}[name]()
        return {**settings, "tokenizer.json": json.loads(made.to_str())}
    lowercase = style.endswith("lower")
    wanted = {
        "style": style.split()[0],
        "tokenizer": name,
        "vocabulary": 600,
        "lowercase": lowercase,
    }
    whole = {"full_length": True} if style.startswith("seq2seq") else {}
    return fit(TEXTS * 5, {**settings, **whole, "learn": wanted})


KINDS = [
    *("wordpiece bert lower", "wordpiece bert", "bpe gpt lower", "bpe gpt", "character bert lower"),
    *("character gpt", "unigram bert lower", "unigram", "roberta", "bpe clip", "bpe seq2seq lower"),
]


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebReading]:
    """A folder whose spec each test replaces: the package is fetched once."""
    node()
    if shutil.which("npm") is None:
        pytest.skip("no npm on this machine")
    yield open_web_reader(TEXT.web, {"kind": "text"}, tmp_path_factory.mktemp("web"))


def both(
    laid_out: WebReading, settings: dict[str, Any], raws: list[Any]
) -> Iterator[tuple[Any, Any, Any]]:
    """Each value with what Python and JavaScript make of it; an error is its text."""
    (laid_out.folder / "bundle" / "tokenizer.json").write_text(
        json.dumps(settings["tokenizer.json"])
    )
    web = replace(laid_out, spec={**settings, "tokenizer.json": None})
    values = [
        {"columns": {"text": raw[0], "text_pair": raw[1]}}
        if isinstance(raw, tuple)
        else {"text": raw}
        for raw in raws
    ]
    reader = TextReader(settings)
    for raw, found in zip(raws, web.read(values), strict=True):
        try:
            wanted: Any = reader.read(raw)
        except RowError as error:
            wanted = str(error)
        yield raw, wanted, found


@pytest.mark.parametrize("max_length", [9, 512])
@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_the_very_same(laid_out: WebReading, kind: str, max_length: int) -> None:
    texts = hard()
    pairs = [(text, texts[(7 * place + 3) % len(texts)]) for place, text in enumerate(texts)]
    for raw, wanted, found in both(laid_out, spec(kind, max_length), [*texts, *pairs]):
        if isinstance(wanted, str):
            assert found == wanted, raw
            continue
        assert isinstance(found, dict), (raw, found)
        assert found.keys() == wanted.keys()
        for name, array in wanted.items():
            np.testing.assert_array_equal(found[name], array, err_msg=f"{name} of {raw!r}")


def test_what_python_refuses_is_refused(laid_out: WebReading) -> None:
    raws = ["", "  \n", "a\0b", "broken \ufffd", "x" * 1_000_001]
    strict = {**spec("wordpiece bert", 32), "refuse_replaced": True}
    for raw, wanted, found in both(laid_out, strict, raws):
        assert isinstance(wanted, str) and isinstance(found, str), raw[:20]
        assert found[:16] == wanted[:16]
