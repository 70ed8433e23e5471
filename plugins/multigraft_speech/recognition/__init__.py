"""Automatic speech recognition: transcripts of sounds, by CTC or by a decoder."""

from __future__ import annotations

from multigraft import Lazy, Option, Task

RECOGNITION = Task(
    name="automatic-speech-recognition",
    stage="finetune",
    modalities=("audio",),
    columns=("text",),
    reader={"places": True},
    rows=Lazy("multigraft_speech.recognition.transcript_rows:transcript_rows"),
    targets=Lazy("multigraft_speech.recognition.vocabulary:vocabulary_spec"),
    samples=Lazy("multigraft_speech.recognition.vocabulary:transcript_samples"),
    objective=Lazy("multigraft_speech.recognition.objective:recognition"),
    row_objective=Lazy("multigraft_speech.recognition.transcribed_rows:recognised_rows"),
    answers="transcription",
    options={
        "head": Option(
            default="auto",
            choices=("auto", "ctc"),
            help="auto: the backbone's own decoder where it has one, else CTC on its frames",
        ),
        "case": Option(
            default="lower",
            choices=("lower", "upper", "keep"),
            help="of transcripts; keep: as written",
        ),
        "punctuation": Option(
            default="drop",
            choices=("drop", "keep"),
            help="drop: of a transcript are kept letters, digits and apostrophes within words",
        ),
        "vocabulary": Option(
            default=None,
            types=(str,),
            help="a vocab.json, or a folder that has one, whose tokens are taken; unset: every "
            "character of the training transcripts",
        ),
        "language_model": Option(
            default=None,
            types=(str,),
            help="an ARPA file of words, as transcripts have them once normalised; it goes into "
            "the bundle, and scores words where predict is asked for beams",
        ),
        "language_weight": Option(
            default=0.5, low=0, high=10, help="of the language model's log-probabilities"
        ),
        "word_bonus": Option(
            default=1.0, low=-10, high=10, help="what each word gains beside a language model"
        ),
        "dropout": Option(default=0.1, low=0, high=0.9, help="of CTC: in front of the classifier"),
        "max_target_length": Option(
            default=None,
            types=(int,),
            low=2,
            high=2**20,
            help="of a decoder: tokens that are written at most; unset: as many as it holds",
        ),
        "label_smoothing": Option(
            default=0.0,
            low=0,
            high=0.9,
            help="of a decoder: probability spread over all tokens (Szegedy 2016)",
        ),
    },
)
