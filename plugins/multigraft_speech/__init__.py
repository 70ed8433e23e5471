"""Speech: sound of any format; wav2vec2, HuBERT, Whisper, AST, a log-mel encoder; pretraining."""

from __future__ import annotations

from collections.abc import Sequence

from multigraft import (
    Backbone,
    Filter,
    Lazy,
    Likeness,
    Modality,
    Option,
    Samples,
    Size,
    Task,
    WebReader,
    hookimpl,
)
from multigraft.models.tasks import classification_task, multilabel_task, regression_task
from multigraft_speech.ast.records import AST
from multigraft_speech.filters import FILTERS
from multigraft_speech.options import SPEC_AUGMENT, SPECTROGRAM_AUGMENT
from multigraft_speech.recognition import RECOGNITION
from multigraft_speech.whisper.records import WHISPER

AUDIO = Modality(
    name="audio",
    reader=Lazy("multigraft_speech.readers:reader_of"),
    columns=("audio",),
    samples=Samples(
        good=Lazy("multigraft_speech.samples:good"), bad=Lazy("multigraft_speech.samples:bad")
    ),
    preview=Lazy("multigraft_speech.preview:preview"),
    likeness=Likeness(
        sketch=Lazy("multigraft_speech.likeness:sketch"),
        near=0.9,
        flaws=("silent", "clipped (more than 1% of the samples stand at full scale)"),
    ),
    unit=lambda spec: ("seconds", float(spec["sample_rate"])),
    options={
        "sample_rate": Option(
            default=None,
            types=(int,),
            low=4000,
            high=192_000,
            help="samples a second after resampling; unset: what the weights expect (16000 from "
            "scratch)",
        ),
        "max_seconds": Option(default=30.0, low=0.05, high=3600, help="a longer sound is cut here"),
        "min_seconds": Option(
            default=0.05,
            low=0.0,
            high=60,
            help="a shorter sound is a bad row; never less than what the backbone needs for one "
            "frame",
        ),
        "places": Option(
            default=False,
            help="give with each row the second at which it begins; tasks whose answers have times "
            "set it",
        ),
    },
    augment=Lazy("multigraft_speech.augment:augmentation"),
    augment_options={
        "room": Option(
            default=None,
            types=(int, float),
            low=0.0,
            high=2.0,
            help="the longest reverberation time of simulated rooms, in seconds; 0: none; unset: "
            "0.4 of strong, 0 of light",
        )
    },
    web=WebReader(folder="multigraft_speech:web", kinds=("audio",)),
    suffixes=(".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".au"),
)

# Layer-normed convolutions instead of the published base's group norm, and few of them: for tests
# and trials.
_TINY = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "conv_dim": (32, 32, 32, 32),
    "conv_kernel": (10, 8, 4, 4),
    "conv_stride": (5, 4, 4, 4),
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
_TINY_QUANTIZER = {"num_codevectors_per_group": 32, "codevector_dim": 32, "proj_codevector_dim": 32}
_LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "conv_bias": True,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}

WAV2VEC2 = Backbone(
    name="wav2vec2",
    modality="audio",
    sizes={
        "tiny": Size(config={"model_type": "wav2vec2", **_TINY, **_TINY_QUANTIZER}),
        "base": Size(config={"model_type": "wav2vec2"}, hub="facebook/wav2vec2-base"),
        "large": Size(
            config={"model_type": "wav2vec2", **_LARGE}, hub="facebook/wav2vec2-large-lv60"
        ),
    },
    build=Lazy("multigraft_speech.wav2vec2:build"),
    reader=Lazy("multigraft_speech.specs:wav2vec2_spec"),
    options={"spec_augment": SPEC_AUGMENT},
    quantization="dynamic",
)

HUBERT = Backbone(
    name="hubert",
    modality="audio",
    sizes={
        "tiny": Size(config={"model_type": "hubert", **_TINY}),
        "base": Size(config={"model_type": "hubert"}, hub="facebook/hubert-base-ls960"),
        "large": Size(config={"model_type": "hubert", **_LARGE}, hub="facebook/hubert-large-ll60k"),
    },
    build=Lazy("multigraft_speech.wav2vec2:build"),
    reader=Lazy("multigraft_speech.specs:wav2vec2_spec"),
    options={"spec_augment": SPEC_AUGMENT},
    quantization="dynamic",
)

LOGMEL = Backbone(
    name="logmel",
    modality="audio",
    sizes={
        "tiny": Size(config={"mels": 40, "width": 32, "depth": 2}),
        "small": Size(config={"mels": 64, "width": 128, "depth": 4}),
        "base": Size(config={"mels": 80, "width": 256, "depth": 8}),
    },
    build=Lazy("multigraft_speech.logmel:build"),
    reader=Lazy("multigraft_speech.specs:logmel_spec"),
    options={
        "dropout": Option(default=0.1, low=0.0, high=0.9, help="inside each convolution block"),
        "spec_augment": SPECTROGRAM_AUGMENT,
    },
    quantization="static",
)

CONTRASTIVE = Task(
    name="wav2vec2-contrastive",
    stage="pretrain",
    modalities=("audio",),
    objective=Lazy("multigraft_speech.contrastive:Contrastive"),
    options={
        "mask_prob": Option(
            default=0.65, low=0.05, high=0.95, help="share of masked frames before overlap"
        ),
        "mask_length": Option(default=10, low=1, high=100, help="frames in one masked span"),
        "negatives": Option(default=100, low=1, high=1000, help="distractors a masked frame"),
        "diversity": Option(
            default=0.1, low=0.0, high=10, help="weight of the codebook diversity loss"
        ),
        "temperature": Option(default=0.1, low=0.01, high=10, help="of the contrastive softmax"),
        "gumbel_start": Option(
            default=2.0, low=0.1, high=10, help="first temperature of the Gumbel softmax"
        ),
        "gumbel_floor": Option(default=0.5, low=0.1, high=10, help="the lowest it falls to"),
        "gumbel_decay": Option(
            default=0.999995, low=0.9, high=1.0, help="its factor a training batch"
        ),
    },
)

MASKED_UNITS = Task(
    name="masked-units",
    stage="pretrain",
    modalities=("audio",),
    targets=Lazy("multigraft_speech.units.clusters:unit_spec"),
    objective=Lazy("multigraft_speech.units.objective:MaskedUnits"),
    options={
        "clusters": Option(
            default=100, low=2, high=10_000, help="hidden units: clusters of frames (k-means)"
        ),
        "teacher": Option(
            default=None,
            types=(str,),
            help="a run, or a folder of weights, a layer of which is clustered, as in the second "
            "round of HuBERT; unset: cepstra (MFCC), as in the first",
        ),
        "layer": Option(
            default=None,
            types=(int,),
            low=1,
            high=1000,
            help="which layer of the teacher, from 1; unset: the one in the middle",
        ),
        "mask_prob": Option(
            default=0.8, low=0.05, high=0.95, help="share of masked frames before overlap"
        ),
        "mask_length": Option(default=10, low=1, high=100, help="frames in one masked span"),
    },
)

MASKED_SPECTROGRAM = Task(
    name="masked-spectrogram",
    stage="pretrain",
    modalities=("audio",),
    objective=Lazy("multigraft_speech.spectrogram:MaskedSpectrogram"),
    options={
        "mask_prob": Option(
            default=0.5, low=0.05, high=0.95, help="share of masked frames before overlap"
        ),
        "mask_length": Option(
            default=20, low=1, high=200, help="spectrogram frames (10 ms) in one span"
        ),
    },
)


@hookimpl
def register_filters() -> Sequence[Filter]:
    """What corpora of sounds are judged by."""
    return FILTERS


@hookimpl
def register_modalities() -> Sequence[Modality]:
    """Sound."""
    return [AUDIO]


@hookimpl
def register_backbones() -> Sequence[Backbone]:
    """Four families of pretrained transformers, and a small encoder of our own."""
    return [WAV2VEC2, HUBERT, LOGMEL, WHISPER, AST]


@hookimpl
def register_tasks() -> Sequence[Task]:
    """Three ways to pretrain; labels and numbers of a sound, and what is said in it."""
    return [
        CONTRASTIVE,
        MASKED_UNITS,
        MASKED_SPECTROGRAM,
        classification_task("audio-classification", "audio"),
        multilabel_task("audio-multilabel", "audio"),
        regression_task("audio-regression", "audio"),
        RECOGNITION,
    ]
