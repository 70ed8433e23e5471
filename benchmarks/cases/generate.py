"""Writing 40 tokens with a bundle, against `transformers.generate` on the same weights, one prompt
at a time.

GPT-2 small with random weights (12 layers of 768, 50,257 tokens; 4 and 16,384 with ``--quick``),
one training step, exported. Ours: ``mg.load(bundle).generate(prompt)`` in int8 and in fp32. Theirs:
``model.generate`` in fp32, which keeps its cache too. Both are greedy, write all 40 tokens, and
count the way from text to text. A turn is the median of its texts.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Case, Mode, at_least
from benchmarks.writing import NEW_TOKENS, exported, ours, prompts_of, settings, theirs

ROUNDS = {"full": 7, "quick": 1, "smoke": 1}
TEXTS = {"full": 5, "quick": 3, "smoke": 2}
SHAPES = {
    "full": {"n_layer": 12, "n_embd": 768, "n_head": 12},
    "quick": {"n_layer": 4, "n_embd": 768, "n_head": 12},
    "smoke": {"n_layer": 2, "n_embd": 64, "n_head": 2},
}
VOCABULARY = {"full": 50257, "quick": 16384, "smoke": 2000}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """int8, for which there is a bar, and fp32."""
    from transformers import GPT2Config

    last = VOCABULARY[mode] - 1
    config = GPT2Config(
        vocab_size=VOCABULARY[mode], bos_token_id=last, eos_token_id=last, **SHAPES[mode]
    )
    found = exported(desk / "gpt", config, backbone="gpt-small")
    prompts = prompts_of(found, texts=TEXTS[mode], batch=1)
    return [
        Case(
            name=f"generate_{precision}",
            work=f"GPT-2 of {config.n_layer} x {config.n_embd} writes {NEW_TOKENS} tokens, "
            f"{precision}",
            other="transformers generate, fp32",
            unit="s",
            ours=ours(found, precision, prompts),
            theirs=theirs(found, "fp32", prompts),
            rounds=ROUNDS[mode],
            bar=at_least(4.0) if precision == "int8" else None,
            settings=settings(config, 1),
        )
        for precision in ("int8", "fp32")
    ]
