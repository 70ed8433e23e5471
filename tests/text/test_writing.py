"""The torch-free loop against `transformers.generate` on the same random weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from helpers.writing_toys import (
    END,
    ROOM,
    VOCABULARY,
    Written,
    random_prompts,
    random_writing,
    said,
)
from multigraft.errors import GenerationError
from multigraft.runtime.generation.options import settings
from multigraft.runtime.generation.sampling import draw, narrowed, penalise

LENGTHS = [(5,), (1,), (7, 7), (3, 9, 1, 6)]
KINDS: list[tuple[str, dict[str, Any]]] = [
    ("gpt2", {}),
    ("gpt2", {"layers": 3, "heads": 4, "width": 48}),
    ("llama", {"intermediate_size": 48, "num_key_value_heads": 1}),
    ("mistral", {"intermediate_size": 48, "num_key_value_heads": 1, "sliding_window": 6}),
    ("qwen3", {"intermediate_size": 48, "num_key_value_heads": 1, "head_dim": 24}),
]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(("kind", "shape"), KINDS)
def test_greedy_is_transformers_token_for_token(
    seed: int, kind: str, shape: dict[str, Any]
) -> None:
    writing = random_writing(seed, kind=kind, **shape)
    for lengths in LENGTHS:
        prompts = random_prompts(seed, lengths)
        wanted = writing.theirs(prompts, max_new_tokens=20)
        assert writing.ours(prompts, max_new_tokens=20) == wanted
        assert writing.ours(prompts, max_new_tokens=20, batch_size=2) == wanted


def test_texts_that_end_early_and_late_are_both_among_those_compared() -> None:
    ends = set()
    for seed in range(3):
        writing = random_writing(seed)
        for lengths in LENGTHS:
            prompts = random_prompts(seed, lengths)
            ends |= {tokens[-1] == END for tokens in writing.ours(prompts, max_new_tokens=20)}
    assert ends == {True, False}


def test_a_repetition_penalty_is_transformers() -> None:
    writing = random_writing(0)
    for prompt in random_prompts(4, (5, 8)):
        options: dict[str, Any] = {"max_new_tokens": 20, "repetition_penalty": 1.3}
        assert writing.ours([prompt], **options) == writing.theirs([prompt], **options)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "options",
    [
        {"beams": 3},
        {"beams": 4},
        {"beams": 3, "length_penalty": 0.0},
        {"beams": 4, "length_penalty": 2.0, "repetition_penalty": 1.2},
        {"beams": 1},
    ],
)
def test_beam_search_is_transformers(seed: int, options: dict[str, Any]) -> None:
    writing = random_writing(seed)
    theirs = {"num_beams" if name == "beams" else name: value for name, value in options.items()}
    for lengths in LENGTHS[1::2]:
        prompts = random_prompts(seed, lengths)
        if "repetition_penalty" in options:  # theirs counts the padding as said
            prompts = prompts[:1]
        wanted = writing.theirs(prompts, max_new_tokens=12, early_stopping=False, **theirs)
        assert writing.ours(prompts, max_new_tokens=12, method="beam", **options) == wanted


@pytest.mark.parametrize(
    ("asked", "options"),
    [({}, {}), ({"method": "beam", "beams": 3}, {"num_beams": 3, "early_stopping": False})],
)
def test_suppressed_tokens_are_transformers(asked: Any, options: Any) -> None:
    prompts = random_prompts(1, (5, 3))
    plain = random_writing(1).ours(prompts, max_new_tokens=12, **asked)
    never = tuple({tokens[0] for tokens in plain} - {END})
    writing = random_writing(1, suppress=never)
    wanted = writing.theirs(prompts, max_new_tokens=12, suppress_tokens=list(never), **options)
    assert writing.ours(prompts, max_new_tokens=12, **asked) == wanted
    assert wanted != plain
    assert not {token for tokens in wanted for token in tokens} & set(never)
    drawn = writing.ours(prompts, max_new_tokens=40, method="sample", temperature=5.0)
    assert not {token for tokens in drawn for token in tokens} & set(never)


def test_a_beams_score_is_its_mean_log_likelihood() -> None:
    writing = random_writing(1)
    prompt = random_prompts(1, (6,))[0]
    answer = writing.generator.generate([said(prompt)], method="beam", beams=3, max_new_tokens=8)[0]
    whole = torch.tensor([prompt + answer["tokens"]])
    with torch.inference_mode():
        likely = writing.model(whole).logits[0].log_softmax(-1)
    each = [likely[len(prompt) - 1 + i, token].item() for i, token in enumerate(answer["tokens"])]
    assert answer["score"] == pytest.approx(np.mean(each), abs=1e-4)


def test_rows_that_ended_are_not_computed() -> None:
    writing = random_writing(0)
    prompts = random_prompts(0, (3, 9, 1, 6, 5, 4))
    tokens = writing.ours(prompts, max_new_tokens=20)
    steps = writing.session.shapes[1:]
    lengths = [len(each) for each in tokens]
    assert len(set(lengths)) > 1, "this seed proves nothing: all texts are of one length"
    assert [rows for rows, *_ in steps] == [
        sum(length > step for length in lengths) for step in range(1, max(lengths))
    ]


def test_padding_is_dropped_with_the_long_prompt_it_was_for() -> None:
    writing = random_writing(0)
    long, short = random_prompts(0, (30, 2))
    stop = writing.ours([long], max_new_tokens=1)[0]
    alone = writing.ours([short], max_new_tokens=8, stop=stop)
    writing.session.shapes.clear()
    assert writing.ours([short, long], max_new_tokens=8, stop=stop) == [alone[0], stop]
    assert [past for _, _, past in writing.session.shapes][:2] == [0, 2]


def test_a_beam_search_reads_its_prompt_once() -> None:
    writing = random_writing(0)
    writing.ours(random_prompts(0, (5, 3)), method="beam", beams=4, max_new_tokens=4)
    assert writing.session.shapes[0] == (2, 5, 0)
    assert writing.session.shapes[1] == (8, 1, 5)


def test_samples_follow_the_seed_and_no_neighbour() -> None:
    writing = random_writing(2)
    prompts = random_prompts(2, (4, 9, 2))
    options: dict[str, Any] = {"method": "sample", "max_new_tokens": 10, "temperature": 3.0}
    first = writing.ours(prompts, seed=7, **options)
    assert writing.ours(prompts, seed=7, **options) == first
    assert writing.ours(prompts, seed=7, batch_size=1, **options) == first
    assert writing.ours(prompts[:1], seed=7, **options) == first[:1]
    assert writing.ours(prompts, seed=8, **options) != first


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.7},
        {"top_k": 5},
        {"top_p": 0.6},
        {"temperature": 1.7, "top_k": 12, "top_p": 0.8},
        {"top_k": 1000},
        {"top_p": 1e-9},
    ],
)
def test_what_may_be_drawn_is_what_transformers_processors_leave(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(4, VOCABULARY)).astype(np.float32) * 2
    made = {
        "temperature": TemperatureLogitsWarper,
        "top_k": TopKLogitsWarper,
        "top_p": TopPLogitsWarper,
    }
    theirs = LogitsProcessorList([made[name](value) for name, value in options.items()])
    wanted = theirs(torch.zeros(4, 1, dtype=torch.int64), torch.from_numpy(scores)).numpy()
    found = narrowed(scores, settings({"method": "sample", **options}))  # type: ignore[typeddict-item]
    assert np.array_equal(np.isinf(found), np.isinf(wanted))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_penalty_is_transformers_on_fixed_scores() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(2, VOCABULARY)).astype(np.float32)
    seen = np.array([[3, 4, 4], [9, 8, 7]])
    wanted = RepetitionPenaltyLogitsProcessor(1.7)(
        torch.from_numpy(seen), torch.from_numpy(scores)
    ).numpy()
    np.testing.assert_allclose(
        penalise(scores, [np.unique(row) for row in seen], 1.7), wanted, rtol=1e-6
    )


def test_draws_follow_the_distribution() -> None:
    """Pearson's chi-square over 20,000 draws stays below its 99.9% quantile."""
    scores = np.random.default_rng(0).normal(size=12)
    scores[3] = -np.inf
    rng, count = np.random.default_rng(5), 20_000
    drawn = np.bincount([draw(scores, rng) for _ in range(count)], minlength=12)
    expected = count * np.exp(scores) / np.exp(scores).sum()
    assert drawn[3] == 0
    possible = expected > 0
    statistic = ((drawn - expected)[possible] ** 2 / expected[possible]).sum()
    assert statistic < 29.6  # 10 degrees of freedom


def test_a_prompt_that_leaves_no_room_is_refused_and_one_that_leaves_little_is_cut_short() -> None:
    writing = random_writing(0)
    full, little = random_prompts(0, (ROOM, ROOM - 2))
    with pytest.raises(
        GenerationError, match=rf"item 1: the prompt has {ROOM} tokens, and the model holds"
    ):
        writing.ours([little, full])
    with pytest.raises(GenerationError, match="token 60; the model's end at 59"):
        writing.ours([[3, 60]])
    assert len(writing.ours([little], stop=[], max_new_tokens=20)[0]) <= 2


def talkative(writing: Written) -> list[int]:
    """A prompt after which the model writes 12 tokens, most of them different."""
    prompts = random_prompts(0, [9] * 40)
    texts = writing.ours(prompts, max_new_tokens=12)
    return next(
        p for p, text in zip(prompts, texts, strict=True) if len(set(text)) > 7 and END not in text
    )


def test_stops_end_a_text() -> None:
    writing = random_writing(0)
    prompt = talkative(writing)
    tokens = writing.ours([prompt], max_new_tokens=12)[0]
    at = next(i for i in range(3, 12) if tokens[i] not in tokens[:i])
    by_id = writing.generator.generate([said(prompt)], stop=tokens[at])[0]
    assert (by_id["tokens"], by_id["ended"]) == (tokens[: at + 1], "stop")
    by_text = writing.generator.generate([said(prompt)], stop=f" {tokens[at]} ")[0]
    assert (by_text["tokens"], by_text["ended"]) == (tokens[: at + 1], "stop")
    assert by_text["text"] == "".join(f"{token} " for token in tokens[:at]).rstrip()


def test_a_stream_is_the_text_in_pieces() -> None:
    writing = random_writing(0)
    prompt = said(talkative(writing))
    for options in (
        {},
        {"method": "sample", "seed": 3, "temperature": 2.0},
        {"repetition_penalty": 1.2},
    ):
        asked: Any = {"max_new_tokens": 12, **options}
        pieces = list(writing.generator.stream(prompt, **asked))
        assert len(pieces) > 1
        assert "".join(pieces) == writing.generator.generate([prompt], **asked)[0]["text"]
    with pytest.raises(GenerationError, match="only at the end"):
        writing.generator.stream(prompt, method="beam")


def test_an_empty_prompt_begins_with_the_start_token() -> None:
    writing = random_writing(0)
    assert writing.ours([[]], max_new_tokens=5) == writing.ours([[END]], max_new_tokens=5)
