"""Writing 40 tokens with a small Llama in int8, against `transformers.generate`, for one prompt and
for eight at a time.

A Llama of SmolLM2-135M's shape with random weights (30 layers of 576, 9 heads on 3 of keys and
values, rotary positions, 49,152 tokens; 8 layers and 8,192 with ``--quick``). Theirs in fp32, and
in bf16, which is the faster of the two where the processor multiplies it. The rest is as in
`generate`.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.harness import Case, Mode, at_least
from benchmarks.writing import NEW_TOKENS, exported, ours, prompts_of, settings, theirs

ROUNDS = {"full": 5, "quick": 1, "smoke": 1}
TEXTS = {"full": 4, "quick": 2, "smoke": 1}
LAYERS = {"full": 30, "quick": 8, "smoke": 2}
VOCABULARY = {"full": 49152, "quick": 8192, "smoke": 512}
BATCHES = (1, 8)
BARS = {"fp32": 3.0, "bf16": 1.5}


def cases(mode: Mode, desk: Path) -> list[Case]:
    """A row for each size of batch and each format of theirs."""
    from transformers import LlamaConfig

    last = VOCABULARY[mode] - 1
    config = LlamaConfig(
        vocab_size=VOCABULARY[mode],
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=LAYERS[mode],
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
        bos_token_id=last,
        eos_token_id=last,
    )
    found = exported(desk / "llama", config)
    asked = {size: prompts_of(found, texts=TEXTS[mode], batch=size) for size in BATCHES}
    return [
        Case(
            name=f"generate_llama_{size}_{kind}",
            work=f"Llama of {config.num_hidden_layers} x {config.hidden_size} writes {NEW_TOKENS} "
            f"tokens of {size} prompt{'s' if size > 1 else ''}, int8",
            other=f"transformers generate, {kind}",
            unit="s",
            ours=ours(found, "int8", asked[size]),
            theirs=theirs(found, kind, asked[size]),
            rounds=ROUNDS[mode],
            bar=at_least(bar),
            settings=settings(config, size),
        )
        for size in BATCHES
        for kind, bar in BARS.items()
    ]
