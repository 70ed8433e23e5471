"""Text: relatives of BERT and GPT, and what they are pretrained and finetuned for."""

from __future__ import annotations

from collections.abc import Sequence

from multigraft import (
    Backbone,
    Filter,
    Format,
    Lazy,
    Likeness,
    Modality,
    NpmPackage,
    Option,
    Samples,
    Size,
    Task,
    Trial,
    WebReader,
    hookimpl,
)
from multigraft.models.tasks import classification_task, multilabel_task, regression_task
from multigraft_text.clip.record import CLIP_TEXT
from multigraft_text.filters import FILTERS
from multigraft_text.options import DROPOUT, NOT_POOLED, POOLING
from multigraft_text.schemes import SCHEMES
from multigraft_text.seq2seq import records as seq2seq
from multigraft_text.similarity.task import SENTENCE_SIMILARITY

_TOKENIZERS = NpmPackage(
    name="@huggingface/tokenizers",
    version="0.2.0",
    integrity="sha512-LidMHe1FpcSYH4vcSjXooda34pC0M8m1gmDOv7SQi6Iv+ib1zX7J3sHBCC9/3FPCkn2k1b55FneVqMRxrr99pg==",
    files={"dist/tokenizers.min.mjs": "tokenizers.js", "LICENSE": "LICENSE"},
)

TEXT = Modality(
    name="text",
    reader=Lazy("multigraft_text.reader:TextReader"),
    fit=Lazy("multigraft_text.learning:fit"),
    columns=("text", "text_pair"),
    writes=True,
    samples=Samples(
        good=Lazy("multigraft_text.samples:good"), bad=Lazy("multigraft_text.samples:bad")
    ),
    likeness=Likeness(
        sketch=Lazy("multigraft_text.likeness:sketch"),
        near=0.8,
        flaws=("holds U+FFFD, which stands for bytes that could not be decoded",),
    ),
    unit=lambda spec: ("tokens", 1.0),
    web=WebReader(folder="multigraft_text:web", packages=(_TOKENIZERS,)),
    options={
        "max_length": Option(
            default=128, low=8, high=2**20, help="tokens kept of a row, special ones counted"
        ),
        "tokenizer": Option(
            default=None,
            types=(str,),
            choices=("wordpiece", "bpe", "unigram", "character"),
            help="what is learned where the weights bring none; unset: wordpiece for BERT, bpe for "
            "GPT",
        ),
        "vocabulary": Option(
            default=8000, low=16, high=1_000_000, help="entries of a tokenizer that is learned"
        ),
        "lowercase": Option(default=True, help="whether a tokenizer that is learned ignores case"),
        "places": Option(
            default=False,
            help="give with each token the characters it is of; tasks whose targets are places set "
            "it",
        ),
        "refuse_replaced": Option(
            default=False,
            help="a text that holds U+FFFD, which stands for bytes that could not be decoded, is a "
            "bad row",
        ),
        "passage": Option(
            default=False,
            help="values are a question and a passage, which alone is cut; tasks that look for an "
            "answer in it set it",
        ),
    },
)

BERT = Backbone(
    name="bert",
    modality="text",
    build=Lazy("multigraft_text.backbone:build_encoder"),
    reader=Lazy("multigraft_text.specs:encoder_spec"),
    options={"dropout": DROPOUT, "pooling": POOLING},
    sizes={
        "tiny": Size(
            config={
                "num_hidden_layers": 2,
                "hidden_size": 64,
                "num_attention_heads": 2,
                "intermediate_size": 128,
                "max_position_embeddings": 128,
            }
        ),
        "small": Size(
            config={
                "num_hidden_layers": 6,
                "hidden_size": 384,
                "num_attention_heads": 12,
                "intermediate_size": 1536,
            },
            hub="nreimers/MiniLM-L6-H384-uncased",
        ),
        "base": Size(hub="google-bert/bert-base-uncased"),
        "large": Size(
            config={
                "num_hidden_layers": 24,
                "hidden_size": 1024,
                "num_attention_heads": 16,
                "intermediate_size": 4096,
            },
            hub="google-bert/bert-large-uncased",
        ),
    },
)

GPT = Backbone(
    name="gpt",
    modality="text",
    build=Lazy("multigraft_text.backbone:build_decoder"),
    reader=Lazy("multigraft_text.specs:decoder_spec"),
    options={"dropout": DROPOUT, "pooling": POOLING},
    sizes={
        "tiny": Size(config={"n_layer": 2, "n_embd": 64, "n_head": 2, "n_positions": 128}),
        "small": Size(hub="openai-community/gpt2"),
        "medium": Size(
            config={"n_layer": 24, "n_embd": 1024, "n_head": 16}, hub="openai-community/gpt2-medium"
        ),
        "large": Size(
            config={"n_layer": 36, "n_embd": 1280, "n_head": 20}, hub="openai-community/gpt2-large"
        ),
    },
)

TRANSFORMERS = Backbone(
    name="transformers",
    modality="text",
    build=Lazy("multigraft_text.by_name:build"),
    reader=Lazy("multigraft_text.by_name:reader_spec"),
    find=Lazy("multigraft_text.by_name:find"),
    options={
        "dropout": DROPOUT,
        "pooling": POOLING,
        "config": Option(
            default=None,
            types=(dict,),
            help="settings of a network without weights, by transformers' names for its type",
        ),
    },
    sizes={},
    trial=Trial(size="ernie-tiny"),
)

_MASK_SHARE = Option(
    default=0.15, low=0.01, high=0.9, help="the share of tokens that is to be guessed"
)

TASKS = (
    Task(
        name="masked-language-modeling",
        stage="pretrain",
        modalities=("text",),
        objective=Lazy("multigraft_text.masked:MaskedLanguageModeling"),
        options={
            "mask_share": _MASK_SHARE,
            "unit": Option(
                default="token",
                choices=("token", "word", "span"),
                help="what is hidden together: single tokens, whole words, or spans of words",
            ),
            "span_length": Option(
                default=None,
                types=(int, float),
                low=1,
                high=10,
                help="the mean number of words in a span, where unit is span; unset: 3",
            ),
        },
    ),
    Task(
        name="next-sentence-prediction",
        stage="pretrain",
        modalities=("text",),
        objective=Lazy("multigraft_text.next_sentence:NextSentencePrediction"),
        options={
            "masked_lm": Option(default=True, help="learn to guess masked tokens at the same time"),
            "mask_share": _MASK_SHARE,
        },
    ),
    Task(
        name="causal-language-modeling",
        stage="pretrain",
        modalities=("text",),
        objective=Lazy("multigraft_text.causal:CausalLanguageModeling"),
    ),
    classification_task("text-classification", "text"),
    multilabel_task("text-multilabel", "text"),
    regression_task("text-regression", "text"),
    Task(
        name="token-classification",
        stage="finetune",
        modalities=("text",),
        columns=("spans",),
        reader={"places": True},
        refused=NOT_POOLED,
        rows=Lazy("multigraft_text.spans:span_rows"),
        targets=Lazy("multigraft_text.spans:span_spec"),
        samples=Lazy("multigraft_text.spans:span_samples"),
        objective=Lazy("multigraft_text.tagging:TokenClassification"),
        row_objective=Lazy("multigraft_text.tagged_rows:TaggedRows"),
        answers="tagging",
        options={
            "scheme": Option(
                default="bio",
                choices=SCHEMES,
                help="how tags of words are written; words: each is of its own, as with parts of "
                "speech",
            ),
            "pieces": Option(
                default="first",
                choices=("first", "all"),
                help="the tokens of a word that are learned from; its first one tells its tag",
            ),
            "dropout": Option(default=0.1, low=0, high=0.9, help="in front of the classifier"),
        },
    ),
    SENTENCE_SIMILARITY,
    Task(
        name="question-answering",
        stage="finetune",
        modalities=("text",),
        columns=("answers",),
        reader={"passage": True},
        refused=NOT_POOLED,
        rows=Lazy("multigraft_text.question_answering.rows:question_rows"),
        targets=Lazy("multigraft_text.question_answering.rows:question_spec"),
        samples=Lazy("multigraft_text.question_answering.rows:question_samples"),
        objective=Lazy("multigraft_text.question_answering.extraction:QuestionAnswering"),
        row_objective=Lazy("multigraft_text.question_answering.passage_rows:PassageRows"),
        answers="extraction",
        options={
            "dropout": Option(default=0.1, low=0, high=0.9, help="in front of the last layer"),
        },
    ),
)


@hookimpl
def register_modalities() -> Sequence[Modality]:
    """Text, alone or in pairs."""
    return (TEXT,)


@hookimpl
def register_backbones() -> Sequence[Backbone]:
    """BERT, GPT and encoder-decoders, which open the folders of relatives too; any other encoder or
    decoder of transformers by its name; the text towers of CLIP and SigLIP."""
    return (BERT, GPT, *seq2seq.BACKBONES, TRANSFORMERS, CLIP_TEXT)


@hookimpl
def register_tasks() -> Sequence[Task]:
    """Ways to pretrain; labels and numbers of a text, what stands where in it, alone or in answer
    to a question, and other texts."""
    return (*TASKS, *seq2seq.TASKS)


@hookimpl
def register_filters() -> Sequence[Filter]:
    """What corpora of text are mended, masked and judged by."""
    return FILTERS


@hookimpl
def register_formats() -> Sequence[Format]:
    """Files of words with tags, and of passages with questions."""
    return (
        Format(name="conll", endings=(".conll",), read=Lazy("multigraft_text.conll:read_conll")),
        Format(
            name="squad",
            endings=(),
            read=Lazy("multigraft_text.question_answering.squad_files:read_squad"),
        ),
    )
