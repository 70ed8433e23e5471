"""A stranger's tokenizer.json of a few KB cannot ask for minutes and gigabytes."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from helpers.text_toys import Grown
from multigraft.errors import BundleError, RowError
from multigraft_text.bounds import MOST, Growth, growth
from multigraft_text.reader import TextReader

Change = Callable[[dict[str, Any]], object]


def replacing(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def chained(*steps: dict[str, Any]) -> Change:
    inner = [{"type": "Sequence", "normalizers": list(steps)}]
    return lambda file: file.update(normalizer={"type": "Sequence", "normalizers": inner})


def opened(grown: Grown, change: Change) -> TextReader:
    spec = copy.deepcopy(grown.reader.spec())
    change(spec["tokenizer.json"])
    assert len(json.dumps(spec["tokenizer.json"])) < 100_000
    return TextReader(spec)


GROWING = {
    "twelve replacements": chained(*[replacing({"String": "a"}, "a" * 8)] * 12),
    "a pattern": chained(*[replacing({"Regex": "a"}, "aaaaaaaa")] * 12),
    "a pattern that matches nothing": chained(*[replacing({"Regex": ""}, "a")] * 40),
    "one long replacement": chained(replacing({"String": "a"}, "b" * 60_000)),
    "by turns": chained(*[replacing({"String": x}, y * 9) for x, y in ("ab", "ba")] * 6),
}


@pytest.mark.parametrize("change", GROWING.values(), ids=GROWING.keys())
def test_a_text_that_would_grow_without_bound_is_refused(bert: Grown, change: Change) -> None:
    began = time.perf_counter()
    reader = opened(bert, change)
    for read in (reader.read, reader.windows, reader.prompt):
        with pytest.raises(RowError, match=r"more than 21,000 characters of the text's 1,000"):
            read("a" * 1000)
    with pytest.raises(RowError, match="characters of the text's"):
        reader.read(("fine", "a" * 1000))
    assert time.perf_counter() - began < 2


def test_what_does_not_grow_is_read_whatever_it_could_have_become(bert: Grown) -> None:
    reader = opened(bert, chained(*[replacing({"String": "q"}, "q" * 8)] * 12))
    wanted = opened(bert, chained(replacing({"String": "q"}, "q"))).read("the fox " * 1000)
    assert reader.read("the fox " * 1000)["input_ids"].tolist() == wanted["input_ids"].tolist()


COSTLY: dict[str, tuple[Change, str]] = {
    "an added token that grows": (
        lambda file: (
            chained(*[replacing({"String": "a"}, "a" * 8)] * 12)(file),
            file["added_tokens"].append(
                {**file["added_tokens"][0], "id": 9999, "content": "a", "normalized": True}
            ),
        ),
        "of its added tokens",
    ),
    "a long prefix": (chained({"type": "Prepend", "prepend": "x" * 50_000}), "in front of a piece"),
    "a decoder": (
        lambda file: file.update(
            decoder={"type": "Sequence", "decoders": [replacing({"String": "a"}, "aaaa")] * 12}
        ),
        "lengthen a token 16,777,216 times",
    ),
    "bytes of bytes": (
        lambda file: file.update(
            pre_tokenizer={
                "type": "Sequence",
                "pretokenizers": [
                    {
                        "type": "ByteLevel",
                        "add_prefix_space": False,
                        "trim_offsets": True,
                        "use_regex": False,
                    }
                ]
                * 12,
            }
        ),
        "cuts a text in 12 steps",
    ),
    "words without end": (
        lambda file: file["model"].update(max_input_chars_per_word=10**9),
        "words of 1,000,000,000 letters",
    ),
    "a piece without end": (
        lambda file: file.update(
            model={"type": "Unigram", "unk_id": 0, "vocab": [["a", -1.0], ["a" * 50_000, -1.0]]}
        ),
        "a piece of 50,000 letters",
    ),
    "steps of another kind": (
        lambda file: file.update(normalizer={"type": "Sequence", "normalizers": [3]}),
        "cannot be used",
    ),
}


@pytest.mark.parametrize(("change", "said"), COSTLY.values(), ids=COSTLY.keys())
def test_what_costs_too_much_on_any_text_is_refused_at_once(
    bert: Grown, change: Change, said: str
) -> None:
    began = time.perf_counter()
    with pytest.raises(BundleError, match=said):
        opened(bert, change)
    assert time.perf_counter() - began < 2


def test_a_pattern_that_goes_back_and_forth_is_stopped(bert: Grown) -> None:
    split = {
        "type": "Split",
        "pattern": {"Regex": "(a+)+c"},
        "behavior": "Isolated",
        "invert": False,
    }
    reader = opened(bert, lambda file: file.update(pre_tokenizer=split))
    with pytest.raises(BundleError, match=r"tokenizer\.json contradicts itself"):
        reader.read("a" * 60 + "b")


def test_published_normalizers_read_long_texts(bert: Grown) -> None:
    """As Llama, ALBERT and CLIP have them, on texts so long that each step is looked at."""
    for steps in (
        [{"type": "Prepend", "prepend": "\u2581"}, replacing({"String": " "}, "\u2581")],
        [
            replacing({"String": "``"}, '"'),
            {"type": "NFKD"},
            {"type": "StripAccents"},
            {"type": "Lowercase"},
        ],
        [{"type": "NFC"}, replacing({"Regex": r"\s+"}, " "), {"type": "Lowercase"}],
    ):
        reader = opened(bert, chained(*steps))
        assert len(reader.read("the fox. " * 22_000)["input_ids"]) == reader.spec()["max_length"]


@pytest.mark.parametrize(
    ("step", "times"),
    [({"type": "NFKD"}, 18), ({"type": "NFD"}, 4), ({"type": "Prepend", "prepend": "ab"}, 3)],
)
def test_growth_is_never_less_than_what_happens(step: dict[str, Any], times: float) -> None:
    assert growth(step) == times
    worst = {"NFKD": "\ufdfa", "NFD": "\u1f82", "Prepend": "x"}[step["type"]] * 50
    assert len(worst) < Growth({"normalizer": step})._grown(worst) <= times * len(worst)
    assert MOST >= 4 * 1_000_000
