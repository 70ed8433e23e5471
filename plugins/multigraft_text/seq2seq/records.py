"""What is registered: families of encoder-decoders, and the tasks that they learn."""

from __future__ import annotations

from typing import Any

from multigraft import Backbone, Lazy, Option, Size, Task
from multigraft.models.tasks.writing_options import WRITING

_OPTIONS = {
    "dropout": Option(
        default=0.1, low=0, high=0.9, help="inside the network; unset: as the weights have it"
    ),
    "prefix": Option(
        default=None,
        types=(str,),
        help="put in front of every text that is read, as T5's 'summarize: '",
    ),
    "source_language": Option(
        default=None,
        types=(str,),
        help="the token of the language that is read, as 'eng_Latn', where the weights have such",
    ),
    "target_language": Option(
        default=None, types=(str,), help="the token of the language that is written"
    ),
}


def _t5(layers: int, width: int, heads: int, inner: int, head: int = 64, **hub: Any) -> Size:
    shape = {"num_layers": layers, "d_model": width, "num_heads": heads, "d_ff": inner}
    return Size(config={**shape, "d_kv": head}, **hub)


def _stacks(layers: int, width: int, heads: int, inner: int, places: int, **hub: Any) -> Size:
    shape = {"layers": layers, "d_model": width, "heads": heads, "ffn_dim": inner}
    return Size(config={**shape, "max_position_embeddings": places}, **hub)


T5 = Backbone(
    name="t5",
    modality="text",
    build=Lazy("multigraft_text.seq2seq.build:build_t5"),
    reader=Lazy("multigraft_text.seq2seq.specs:t5_spec"),
    options=_OPTIONS,
    sizes={
        "tiny": _t5(2, 64, 2, 128, 32),
        "mini": _t5(4, 256, 4, 1024),
        "small": _t5(6, 512, 8, 2048, hub="google-t5/t5-small"),
        "base": _t5(12, 768, 12, 3072, hub="google-t5/t5-base"),
        "large": _t5(24, 1024, 16, 4096, hub="google-t5/t5-large"),
    },
)
BART = Backbone(
    name="bart",
    modality="text",
    build=Lazy("multigraft_text.seq2seq.build:build_bart"),
    reader=Lazy("multigraft_text.seq2seq.specs:bart_spec"),
    options=_OPTIONS,
    sizes={
        "tiny": _stacks(2, 64, 2, 128, 128),
        "mini": _stacks(4, 256, 4, 1024, 512),
        "base": _stacks(6, 768, 12, 3072, 1024, hub="facebook/bart-base"),
        "large": _stacks(12, 1024, 16, 4096, 1024, hub="facebook/bart-large"),
    },
)
MARIAN = Backbone(
    name="marian",
    modality="text",
    hub=True,
    build=Lazy("multigraft_text.seq2seq.build:build_marian"),
    reader=Lazy("multigraft_text.seq2seq.specs:seq2seq_spec"),
    options=_OPTIONS,
    sizes={
        "tiny": _stacks(2, 64, 2, 128, 128),
        "mini": _stacks(6, 256, 8, 1024, 512),
        "base": _stacks(6, 512, 8, 2048, 512),
    },
)
BACKBONES = (T5, BART, MARIAN)


def _task(name: str, column: str, objective: str, half: str, answers: str, **more: Any) -> Task:
    return Task(
        name=name,
        stage="finetune",
        modalities=("text",),
        columns=(column,),
        writes=column,
        objective=Lazy(f"multigraft_text.seq2seq.teaching:{objective}"),
        row_objective=Lazy(f"multigraft_text.seq2seq.text_rows:{half}"),
        answers=answers,
        samples=Lazy(f"multigraft_text.seq2seq.rows:{column}_samples"),
        options=WRITING,
        **more,
    )


_SPAN_LENGTH = Option(default=3.0, low=1, high=100, help="the mean number of tokens in a span")

TASKS = (
    Task(
        name="span-corruption",
        stage="pretrain",
        modalities=("text",),
        objective=Lazy("multigraft_text.seq2seq.span_corruption:SpanCorruption"),
        options={
            "noise_density": Option(
                default=0.15, low=0.01, high=0.9, help="the share of tokens that is dropped"
            ),
            "span_length": _SPAN_LENGTH,
        },
    ),
    Task(
        name="denoising",
        stage="pretrain",
        modalities=("text",),
        objective=Lazy("multigraft_text.seq2seq.denoising:Denoising"),
        options={
            "mask_share": Option(
                default=0.3, low=0.01, high=0.9, help="the share of tokens that is masked"
            ),
            "span_length": _SPAN_LENGTH,
            "permute_sentences": Option(
                default=True, help="whether sentences are put in another order too"
            ),
        },
    ),
    _task("text-to-text", "target", "TextToText", "TextRows", "text"),
    _task("summarization", "summary", "Summarization", "SummaryRows", "summary"),
    _task(
        "translation",
        "target",
        "Translation",
        "TranslationRows",
        "translation",
        rows=Lazy("multigraft_text.seq2seq.rows:translation_rows"),
    ),
)
