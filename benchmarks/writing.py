"""Decoders with random weights, and both sides' turns of writing with them.

A word is a token, and every text is written to its full length: one that ended early would say
nothing of the time. The notes of ours hold the share of tokens that are theirs in fp32; with random
weights many tokens are all but equally likely, and int8 chooses others.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Sample, Side, Turn, stopwatch

NEW_TOKENS = 40
PROMPT_WORDS = 8
END = "<|endoftext|>"


@dataclass(frozen=True)
class Written:
    """A decoder that was exported."""

    model: Path
    """What transformers opens."""
    bundle: Path
    vocabulary: int


def exported(desk: Path, config: Any, *, backbone: str | None = None) -> Written:
    """Random weights of a configuration, trained for a step and exported, whatever int8 loses.

    ``backbone`` is the family that opens them; unset, `transformers/...`.
    """
    import multigraft as mg

    desk.mkdir(parents=True, exist_ok=True)
    weights, rows = desk / "weights", desk / "rows.jsonl"
    _write_model(weights, config)
    lines = [json.dumps({"text": text}) for text in made_texts(16, config.vocab_size)]
    rows.write_text("\n".join(lines), "utf-8")
    named = {"name": backbone, "weights": str(weights)} if backbone else f"transformers/{weights}"
    run = mg.pretrain(
        task="causal-language-modeling",
        backbone=named,
        data={"train": str(rows), "split": {"validation": 0.0, "test": 0.5}},
        reader={"max_length": 64},
        training={"epochs": 1, "batch_size": 8, "learning_rate": 1e-6},
        export={"budget": 100.0, "rows": 1, "repair": 0},
        evaluation={"bootstrap": 0},
        output=str(desk / "run"),
    )
    return Written(run.folder / "model", Path(run.export().files["bundle"]), config.vocab_size)


def made_texts(count: int, vocabulary: int, *, seed: int = 0, words: int = 24) -> list[str]:
    """Texts of random words."""
    numbers = np.random.default_rng(seed).integers(0, vocabulary - 1, (count, words))
    return [" ".join(f"w{number}" for number in row) for row in numbers]


def prompts_of(found: Written, *, texts: int, batch: int) -> list[list[str]]:
    """Batches of prompts, all of one length."""
    made = made_texts(texts * batch, found.vocabulary, seed=1, words=PROMPT_WORDS)
    return [made[start : start + batch] for start in range(0, len(made), batch)]


def ours(found: Written, precision: str, prompts: Sequence[list[str]]) -> Side:
    """The median seconds of a batch; the bundle is opened anew in each turn, so that no other
    session takes its cores."""
    network, tokenizer = _network(found.model, "fp32")
    wanted = [_tokens(network, tokenizer, batch) for batch in prompts]

    def take(turn: Turn) -> Sample:
        import multigraft as mg

        predictor = mg.load(found.bundle, precision=precision)
        predictor.generate(prompts[0], max_new_tokens=4)
        times, same = [], []
        for batch, told in zip(prompts[:1] if turn.warm else prompts, wanted, strict=False):
            with stopwatch() as seconds:
                answers = predictor.generate(batch, max_new_tokens=NEW_TOKENS)
            times += seconds
            same.append(np.mean([answer["tokens"] for answer in answers] == told))
        facts = {"share of tokens that are theirs": float(np.mean(same))}
        return Sample(statistics.median(times), facts=facts)

    return take


def theirs(found: Written, kind: str, prompts: Sequence[list[str]]) -> Side:
    """The same by ``transformers.generate`` with its cache, in fp32 or bf16."""
    network, tokenizer = _network(found.model, kind)

    def take(turn: Turn) -> Sample:
        times = []
        for batch in prompts[:1] if turn.warm else prompts:
            with stopwatch() as seconds:
                _tokens(network, tokenizer, batch)
            times += seconds
        return Sample(statistics.median(times))

    return take


def settings(config: Any, batch: int) -> Mapping[str, Any]:
    """What repeats a case."""
    return {
        "new tokens": NEW_TOKENS,
        "prompt": PROMPT_WORDS,
        "batch": batch,
        "layers": config.num_hidden_layers,
        "width": config.hidden_size,
        "vocabulary": config.vocab_size,
    }


def _tokens(network: Any, tokenizer: Any, batch: list[str]) -> np.ndarray:
    """What is written behind each prompt, [B, T], from text to text."""
    import torch

    asked = tokenizer(batch, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        whole = network.generate(
            **asked,
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            pad_token_id=network.config.eos_token_id,
        )
    tokens: np.ndarray = whole[:, asked["input_ids"].shape[1] :].numpy()
    tokenizer.batch_decode(tokens)
    assert not (tokens[:, :-1] == network.config.eos_token_id).any(), "a text ended early"
    return tokens


def _network(model: Path, kind: str) -> tuple[Any, Any]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[kind]
    network = AutoModelForCausalLM.from_pretrained(model, dtype=dtype).eval()
    return network, AutoTokenizer.from_pretrained(model)


def _write_model(folder: Path, config: Any) -> None:
    """Random weights, and a tokenizer of one token a word."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

    words = [*(f"w{number}" for number in range(config.vocab_size - 1)), END]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, END))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([END])
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, bos_token=END
    ).save_pretrained(folder)
