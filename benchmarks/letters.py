"""Made-up words with how they are said, a small T5 to learn them with, and both sides of its
training.

A word is of 3 to 6 letters. Sounds follow rules that read neighbours: two letters that are one
sound, a last ``e`` that is silent and makes the vowel two letters before it long, a letter that is
another sound before ``e`` or ``i``. A letter is a token, and so is a sound, on both sides.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Turn
from benchmarks.training import Settings, Trained, theirs
from benchmarks.training import ours as run_ours

LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOWELS = "aeiou"
PAIRS = {"ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "ck": "K", "ee": "IY", "oo": "UW"}
SOFT = {"c": "S", "g": "JH"}
PLAIN = {"c": "K", "g": "G", "q": "K", "x": "KS"}
SPECIAL = ("<pad>", "</s>", "<unk>")
LONGEST = 24
COMMON = 2 / 3
WARM_ROWS = 64


@dataclass(frozen=True)
class Words:
    """Files of rows ``text,target`` and a folder of random weights."""

    train: Path
    warm: Path
    test: Path
    weights: Path
    rows: int

    def source(self, turn: Turn) -> tuple[Path, int]:
        """The file a turn trains on, and how many rows it holds."""
        return (self.warm, min(WARM_ROWS, self.rows)) if turn.warm else (self.train, self.rows)


def words(desk: Path, *, rows: int, test: int) -> Words:
    """Write words and the weights of a T5 (2 + 2 layers of 128, 4 heads, 512) into ``desk``."""
    desk.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    known = list(dict.fromkeys(_word(rng) for _ in range(2 * (rows + test))))[: rows + test]
    parts = {"train": known[test:], "warm": known[test:][:WARM_ROWS], "test": known[:test]}
    files = {name: _written(desk / f"{name}.csv", part) for name, part in parts.items()}
    weights = desk / "t5"
    _write_t5(weights)
    return Words(files["train"], files["warm"], files["test"], weights, len(parts["train"]))


def sounds(word: str) -> str:
    """How a word is said, by the rules.

    >>> sounds("chase"), sounds("gem"), sounds("cat")
    ('CH A+ S', 'JH E M', 'K A T')
    """
    silent = len(word) > 3 and word[-1] == "e" and word[-2] not in VOWELS
    said, place, end = [], 0, len(word) - silent
    while place < end:
        if word[place : place + 2] in PAIRS and place + 2 <= end:
            said.append(PAIRS[word[place : place + 2]])
            place += 2
            continue
        said.append(_sound(word, place, long=silent and place == end - 2))
        place += 1
    return " ".join(said)


def ours(found: Words, turn: Turn, settings: Settings) -> tuple[Trained, float | None]:
    """Train; with the share of sounds that are right on the test words."""
    settings = settings.of(turn)
    source, rows = found.source(turn)
    recipe = {
        "task": {"name": "text-to-text", "max_target_length": LONGEST},
        "backbone": {"name": "t5-mini", "weights": str(found.weights)},
        "data": {
            "train": str(source),
            "test": str(found.test),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "reader": {"max_length": LONGEST},
        "training": settings.recipe(),
        "evaluation": {"bootstrap": 0},
        "seed": turn.number,
        "output": str(turn.folder / "run"),
    }
    done = run_ours(recipe, rows=rows)
    return done, None if turn.warm else share(done.model.evaluate().metrics["wer"].value)


def trainers(found: Words, turn: Turn, settings: Settings) -> tuple[Trained, float | None]:
    """Train with transformers' Trainer, as which Seq2SeqTrainer trains; with the same share."""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq

    tokenizer = AutoTokenizer.from_pretrained(found.weights)
    done = theirs(
        lambda: AutoModelForSeq2SeqLM.from_pretrained(found.weights),
        lambda: _dataset(found.source(turn)[0], tokenizer),
        settings=settings.of(turn),
        folder=turn.folder,
        seed=turn.number,
        collator=DataCollatorForSeq2Seq(tokenizer),
        processor=tokenizer,
    )
    return done, None if turn.warm else _right(done.model.model, tokenizer, found.test)


def _right(model: Any, tokenizer: Any, file: Path, size: int = 64) -> float:
    """1 less the error rate of the sounds that greedy search writes."""
    import torch

    from multigraft.runtime.answers.text_scores.error_rate import edit_counts, error_rate
    from multigraft.runtime.answers.text_scores.error_rate import words as units

    rows, said = _read(file), []
    model.eval()
    for start in range(0, len(rows), size):
        given = tokenizer([text for text, _ in rows[start : start + size]], padding=True)
        inputs = {name: torch.tensor(given[name]) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            found = model.generate(**inputs, max_new_tokens=LONGEST, do_sample=False)
        said += tokenizer.batch_decode(found, skip_special_tokens=True)
    pairs = zip(said, rows, strict=True)
    counts = [edit_counts(units(text), units(target)) for text, (_, target) in pairs]
    return share(error_rate(np.sum(counts, axis=0)))


def share(error: float) -> float:
    """Of what is right, beside an error rate; 0 where more is wrong than there is."""
    return max(0.0, 1 - error)


def _word(rng: np.random.Generator) -> str:
    """Letters with spaces between them, two thirds of them such as pairs are made of."""
    common = VOWELS + "chstgke"
    pools = [common if rng.random() < COMMON else LETTERS for _ in range(int(rng.integers(3, 7)))]
    return " ".join(pool[int(rng.integers(len(pool)))] for pool in pools)


def _sound(word: str, place: int, *, long: bool) -> str:
    letter, after = word[place], word[place + 1 : place + 2]
    if letter in SOFT and after and after in "ei":
        return SOFT[letter]
    return PLAIN.get(letter, letter.upper()) + ("+" if long and letter in VOWELS else "")


def _written(path: Path, spelt: Sequence[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "target"])
        writer.writerows((word, sounds(word.replace(" ", ""))) for word in spelt)
    return path


def _read(file: Path) -> list[tuple[str, str]]:
    with file.open(newline="", encoding="utf-8") as opened:
        return [(row["text"], row["target"]) for row in csv.DictReader(opened)]


def _dataset(file: Path, tokenizer: Any) -> Any:
    import datasets

    datasets.disable_progress_bars()
    rows = _read(file)
    raw = datasets.Dataset.from_dict(
        {"text": [text for text, _ in rows], "target": [target for _, target in rows]}
    )

    def read(batch: Any) -> dict[str, Any]:
        return {**tokenizer(batch["text"]), "labels": tokenizer(batch["target"])["input_ids"]}

    return raw.map(read, batched=True, remove_columns=["text", "target"])


def _write_t5(folder: Path) -> None:
    """A T5 with random weights, and a tokenizer of one token a letter or sound."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = _tokenizer()
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=128,
        d_kv=32,
        d_ff=512,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )
    torch.manual_seed(0)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    said = {*PAIRS.values(), *SOFT.values(), *PLAIN.values(), *LETTERS.upper()}
    pieces = [*SPECIAL, *LETTERS, *sorted(said), *(f"{vowel.upper()}+" for vowel in VOWELS)]
    ids = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", ids["</s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=128,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )
