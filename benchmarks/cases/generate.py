"""Writing 40 tokens with a bundle, against `transformers.generate` on the same weights, one prompt
at a time.

GPT-2 small with random weights (12 layers of 768, 50,257 tokens; 4 and 16,384 with ``--quick``),
one training step, exported. Ours: ``mg.load(bundle).generate(prompt)`` in int8 and in fp32. Theirs:
``model.generate`` in fp32, which keeps its cache too. Both are greedy, write all 40 tokens, and
count the way from text to text; loading is left out, and ours is opened anew for each turn, so that
no other session takes its cores. A turn is the median of its texts. The notes hold the share of
tokens that are theirs.
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Case, Mode, Sample, Turn, at_least, stopwatch

NEW_TOKENS = 40
PROMPT_WORDS = 8
ROUNDS = {"full": 7, "quick": 1, "smoke": 1}
TEXTS = {"full": 5, "quick": 3, "smoke": 2}
SHAPES = {
    "full": {"n_layer": 12, "n_embd": 768, "n_head": 12},
    "quick": {"n_layer": 4, "n_embd": 768, "n_head": 12},
    "smoke": {"n_layer": 2, "n_embd": 64, "n_head": 2},
}
VOCABULARY = {"full": 50257, "quick": 16384, "smoke": 2000}
END = "<|endoftext|>"


def cases(mode: Mode, desk: Path) -> list[Case]:
    """int8, for which there is a bar, and fp32."""
    shape = SHAPES[mode]
    vocabulary = VOCABULARY[mode]
    model, bundle = _exported(desk, shape, vocabulary)
    prompts = _texts(TEXTS[mode], vocabulary, seed=1, words=PROMPT_WORDS)
    network, tokenizer = _network(model)
    wanted = [_written(network, tokenizer, prompt)[0] for prompt in prompts]

    def we(precision: str) -> Any:
        import multigraft as mg

        def take(turn: Turn) -> Sample:
            predictor = mg.load(bundle, precision=precision)
            predictor.generate(prompts[0], max_new_tokens=4)
            times, same = [], 0
            for prompt, tokens in zip(prompts[:1] if turn.warm else prompts, wanted, strict=False):
                with stopwatch() as seconds:
                    answer = predictor.generate(prompt, max_new_tokens=NEW_TOKENS)
                times += seconds
                same += sum(a == b for a, b in zip(answer["tokens"], tokens, strict=True))
            facts = {"share of tokens that are theirs": same / (len(times) * NEW_TOKENS)}
            return Sample(statistics.median(times), facts=facts)

        return take

    def they(turn: Turn) -> Sample:
        times = []
        for prompt in prompts[:1] if turn.warm else prompts:
            with stopwatch() as seconds:
                _written(network, tokenizer, prompt)
            times += seconds
        return Sample(statistics.median(times))

    return [
        Case(
            name=f"generate_{precision}",
            work=f"GPT-2 of {shape['n_layer']} x {shape['n_embd']} writes {NEW_TOKENS} tokens, "
            f"{precision}",
            other="transformers generate, fp32",
            unit="s",
            ours=we(precision),
            theirs=they,
            rounds=ROUNDS[mode],
            bar=at_least(4.0) if precision == "int8" else None,
            settings={"new tokens": NEW_TOKENS, "prompt": PROMPT_WORDS, "batch": 1, **shape},
        )
        for precision in ("int8", "fp32")
    ]


def _exported(desk: Path, shape: dict[str, int], vocabulary: int) -> tuple[Path, Path]:
    """The run's model, which transformers opens, and its bundle; both precisions whatever int8
    loses."""
    import multigraft as mg

    weights = desk / "gpt"
    _write_gpt(weights, shape, vocabulary)
    rows = desk / "rows.jsonl"
    rows.write_text(
        "\n".join(json.dumps({"text": text}) for text in _texts(16, vocabulary)), "utf-8"
    )
    run = mg.pretrain(
        task="causal-language-modeling",
        backbone={"name": "gpt-small", "weights": str(weights)},
        data={"train": str(rows), "split": {"validation": 0.0, "test": 0.5}},
        reader={"max_length": 64},
        training={"epochs": 1, "batch_size": 8, "learning_rate": 1e-6},
        export={"budget": 100.0, "rows": 1},
        evaluation={"bootstrap": 0},
        output=str(desk / "run"),
    )
    return run.folder / "model", Path(run.export().files["bundle"])


def _write_gpt(folder: Path, shape: dict[str, int], vocabulary: int) -> None:
    """A GPT-2 with random weights, and a tokenizer of one token a word."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2Model, PreTrainedTokenizerFast

    words = [*(f"w{number}" for number in range(vocabulary - 1)), END]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, END))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([END])
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=vocabulary, bos_token_id=vocabulary - 1, eos_token_id=vocabulary - 1, **shape
    )
    GPT2Model(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, bos_token=END
    ).save_pretrained(folder)


def _texts(count: int, vocabulary: int, *, seed: int = 0, words: int = 24) -> list[str]:
    numbers = np.random.default_rng(seed).integers(0, vocabulary - 1, (count, words))
    return [" ".join(f"w{number}" for number in row) for row in numbers]


def _network(model: Path) -> tuple[Any, Any]:
    from transformers import AutoTokenizer, GPT2LMHeadModel

    return GPT2LMHeadModel.from_pretrained(model).eval(), AutoTokenizer.from_pretrained(model)


def _written(network: Any, tokenizer: Any, prompt: str) -> tuple[list[int], str]:
    """Tokens and text, as transformers writes them."""
    import torch

    asked = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    with torch.inference_mode():
        whole = network.generate(
            **asked,
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            pad_token_id=network.config.eos_token_id,
        )
    tokens = whole[0, asked["input_ids"].shape[1] :].tolist()
    assert len(tokens) == NEW_TOKENS, "a text ended early, so its time says nothing"
    return tokens, tokenizer.decode(tokens)
