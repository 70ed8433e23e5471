"""Translating with four beams in int8, against `transformers.generate` in fp32 on the same weights.

A Marian with random weights (6 + 6 layers of 256, 8 heads, 8,000 tokens; 2 + 2 with ``--quick``),
one training step, exported. Texts of 8 to 24 words, a word a token; every translation is written to
16 tokens, as one that ended early would say nothing of the time. Ours:
``mg.load(bundle).generate(texts, method="beam", beams=4)`` at its defaults. Theirs: batches of 8.
Rows a second, from text to text. The notes hold the share of tokens that are theirs.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.answering import PRECISIONS, exported
from benchmarks.harness import Case, Mode, Sample, Side, Turn, at_least, stopwatch

ROUNDS = {"full": 5, "quick": 1, "smoke": 1}
ROWS = {"full": 64, "quick": 24, "smoke": 6}
LAYERS = {"full": 6, "quick": 2, "smoke": 1}
VOCABULARY = {"full": 8000, "quick": 2000, "smoke": 200}
BEAMS, NEW_TOKENS, BATCH, FEW = 4, 16, 8, 6
PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"


def cases(mode: Mode, desk: Path) -> list[Case]:
    """int8, for which there is a bar, and fp32."""
    desk.mkdir(parents=True, exist_ok=True)
    layers = LAYERS[mode]
    _write_marian(desk / "weights", layers, VOCABULARY[mode])
    model, bundle = exported(_recipe(desk, VOCABULARY[mode]))
    asked = _texts(ROWS[mode], VOCABULARY[mode], seed=1)
    return [
        Case(
            name=f"translate_beams_{precision}",
            work=f"Marian of {layers} + {layers} x 256 translates {len(asked)} texts, "
            f"{BEAMS} beams, {precision}",
            other=f"transformers generate, batches of {BATCH}, fp32",
            unit="rows/s",
            ours=_ours(bundle, precision, asked, _Theirs(model).written(asked)),
            theirs=_theirs(_Theirs(model), asked),
            rounds=ROUNDS[mode],
            bar=at_least(3.0) if precision == "int8" else None,
            settings={"rows": len(asked), "beams": BEAMS, "new tokens": NEW_TOKENS},
        )
        for precision in PRECISIONS
    ]


class _Theirs:
    """The network and its tokenizer, as transformers opens them."""

    def __init__(self, model: Path) -> None:
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        self.network: Any = AutoModelForSeq2SeqLM.from_pretrained(model).eval()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(model)

    def written(self, texts: list[str]) -> np.ndarray:
        """The tokens [B, T] of each translation, which is also decoded."""
        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        return np.concatenate([self._batch(batch) for batch in batches])

    def _batch(self, texts: list[str]) -> np.ndarray:
        import torch

        given = self.tokenizer(texts, padding=True, return_tensors="pt")
        with torch.inference_mode():
            found = self.network.generate(
                input_ids=given["input_ids"],
                attention_mask=given["attention_mask"],
                num_beams=BEAMS,
                do_sample=False,
                early_stopping=False,
                min_new_tokens=NEW_TOKENS,
                max_new_tokens=NEW_TOKENS,
            )
        self.tokenizer.batch_decode(found)
        tokens: np.ndarray = found[:, 1:].numpy()
        return tokens


def _ours(bundle: Path, precision: str, asked: list[str], wanted: np.ndarray) -> Side:
    def take(turn: Turn) -> Sample:
        import multigraft as mg

        predictor = mg.load(bundle, precision=precision)
        texts = asked[:FEW] if turn.warm else asked
        predictor.generate(texts[:2], method="beam", beams=BEAMS, max_new_tokens=4)
        with stopwatch() as seconds:
            answers = predictor.generate(
                texts, method="beam", beams=BEAMS, max_new_tokens=NEW_TOKENS
            )
        same = [
            answer["tokens"] == row.tolist() for answer, row in zip(answers, wanted, strict=False)
        ]
        assert all(len(answer["tokens"]) == NEW_TOKENS for answer in answers), "a text ended early"
        return Sample(
            len(texts) / seconds[0], facts={"share of texts that are theirs": float(np.mean(same))}
        )

    return take


def _theirs(they: _Theirs, asked: list[str]) -> Side:
    def take(turn: Turn) -> Sample:
        texts = asked[:FEW] if turn.warm else asked
        with stopwatch() as seconds:
            they.written(texts)
        return Sample(len(texts) / seconds[0])

    return take


def _recipe(desk: Path, vocabulary: int) -> dict[str, Any]:
    rows = desk / "rows.csv"
    with rows.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["source", "target"])
        writer.writerows(zip(*(_texts(48, vocabulary, seed=seed) for seed in (2, 3)), strict=True))
    return {
        "task": {"name": "translation", "max_target_length": 64},
        "backbone": {"name": "marian-mini", "weights": str(desk / "weights")},
        "data": {"train": str(rows), "split": {"validation": 0.0, "test": 0.25}},
        "training": {"batch_size": 8, "learning_rate": 1e-6},
        "evaluation": {"bootstrap": 0},
        "output": str(desk / "run"),
    }


def _texts(count: int, vocabulary: int, *, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(8, 25, count)
    return [
        " ".join(f"w{word}" for word in rng.integers(0, vocabulary - 3, size)) for size in lengths
    ]


def _write_marian(folder: Path, layers: int, vocabulary: int) -> None:
    """Random weights that never end a text, and a tokenizer of one token a word."""
    import torch
    from transformers import MarianConfig, MarianMTModel

    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in {"layers": layers, "attention_heads": 8, "ffn_dim": 1024}.items()
    }
    config = MarianConfig(
        vocab_size=vocabulary,
        d_model=256,
        max_position_embeddings=128,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
        forced_eos_token_id=None,
        **sides,
    )
    torch.manual_seed(0)
    network = MarianMTModel(config)
    with torch.no_grad():
        network.final_logits_bias[:, config.eos_token_id] = -100
    network.save_pretrained(folder)
    _tokenizer(vocabulary).save_pretrained(folder)


def _tokenizer(vocabulary: int) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = [PAD, END, UNKNOWN, *(f"w{number}" for number in range(vocabulary - 3))]
    ids = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens([PAD, END, UNKNOWN])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", pair=f"$A {END} $B {END}", special_tokens=[(END, ids[END])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, unk_token=UNKNOWN
    )
