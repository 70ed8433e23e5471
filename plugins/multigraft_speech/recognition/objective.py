"""Which way of recognition suits a backbone."""

from __future__ import annotations

from multigraft import Brief, Objective
from multigraft.contracts.reader import WritingReader
from multigraft.errors import RecipeError
from multigraft_speech.recognition.ctc import SpeechRecognition
from multigraft_speech.recognition.dictation import Dictation

OF_CTC = ("vocabulary", "language_model")


def recognition(brief: Brief) -> Objective:
    """Dictation with a backbone that writes, CTC with any other, or where it is asked for.

    Raises RecipeError for options of CTC that a decoder has no use for.
    """
    if not _dictates(brief) or brief.options["head"] == "ctc":
        return SpeechRecognition(brief)
    if given := [name for name in OF_CTC if brief.options[name] is not None]:
        raise RecipeError(
            [
                f"task.{given[0]}: is for CTC, and this backbone writes by its own decoder; leave "
                "it out, or set task.head to ctc"
            ]
        )
    return Dictation(brief)


def _dictates(brief: Brief) -> bool:
    """Whether the backbone has a decoder of speech, and its reader the tokens."""
    writing = getattr(brief.backbone, "writing", None)
    speaks = writing is not None and writing.speech is not None
    return speaks and isinstance(brief.reader, WritingReader)
