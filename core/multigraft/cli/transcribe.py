"""``transcribe``: what is said in a sound of any length, as subtitles or JSON."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from multigraft.cli.asks import Ask, named_values
from multigraft.cli.bundle import BundleFolder, OnePrecision, held
from multigraft.cli.shell import Shell


class Format(StrEnum):
    """How segments are written."""

    SRT = "srt"
    VTT = "vtt"
    JSON = "json"


Sound = Annotated[Path, typer.Argument(metavar="FILE", help="A sound of any length.")]
AsFormat = Annotated[
    Format, typer.Option("--format", help="SubRip or WebVTT subtitles, or JSON, a segment a line.")
]
Language = Annotated[
    str | None,
    typer.Option(
        help="The code of what is spoken, as pt, or detect.", show_default="as the bundle writes"
    ),
]


def transcribe(
    shell: Shell,
    bundle: BundleFolder,
    file: Sound,
    *,
    form: AsFormat = Format.SRT,
    language: Language = None,
    ask: Ask = None,
    precision: OnePrecision = None,
) -> None:
    """Write what is said in a sound, and when, as soon as each segment is sure; needs no torch.

    The sound is read in windows, so an hour takes no more memory than a minute. --ask sets what
    guards against texts about nothing, as no_speech=0.8, words=true tells the time of each word,
    and of a CTC bundle beams=8 keeps more texts.
    """
    from multigraft.runtime import load
    from multigraft.runtime.transcribing.subtitles import FORMATS

    predictor = load(held(bundle), precision=None if precision is None else precision.value)
    asked = named_values(ask or []) | ({} if language is None else {"language": language})
    for block in FORMATS[form.value](predictor.transcribe(file, stream=True, **asked)):
        shell.say_piece(block)
