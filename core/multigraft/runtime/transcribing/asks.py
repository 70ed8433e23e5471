"""What may be asked of a transcript that a decoder writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from multigraft.contracts.records import Option

DETECT = "detect"
WARMER = 0.2
"""How much higher the temperature is each time a window is written again."""
COLD = 0.5
"""From this temperature on, what was written tells the next window nothing."""

ASKS: Mapping[str, Option] = {
    "language": Option(
        default=None,
        types=(str,),
        help="the code of the language that is spoken, as pt, or detect: told from the first "
        "window; unset: as the bundle writes",
    ),
    "task": Option(
        default=None,
        types=(str,),
        help="transcribe, or translate into English; unset: as the bundle writes",
    ),
    "previous_text": Option(
        default=True, help="tell each window the text of those before it, for names and spelling"
    ),
    "fallbacks": Option(
        default=5,
        low=0,
        high=20,
        help="how often a window that seems wrong is written again, each time at a temperature "
        f"{WARMER} higher",
    ),
    "compression_ratio": Option(
        default=1.35,
        low=0,
        high=1000,
        help="a text whose tokens zlib packs tighter repeats itself and seems wrong",
    ),
    "logprob": Option(
        default=-1.0,
        low=-1000,
        high=0,
        help="a text whose tokens have a lower mean log-probability seems wrong",
    ),
    "no_speech": Option(
        default=0.6,
        low=0,
        high=1,
        help="a window that is as likely without speech, and whose text has too low a "
        "log-probability, is left out",
    ),
    "quiet": Option(
        default=-55.0,
        low=-1000,
        high=0,
        help="a window without a sample as loud is left out, in decibels below full scale; -1000: "
        "none",
    ),
    "seed": Option(default=0, low=0, high=2**31, help="of what is drawn above temperature 0"),
    "words": Option(default=False, help="tell each word's time too"),
}


@dataclass(frozen=True, kw_only=True)
class Guards:
    """What is asked of each window, by the names of `ASKS`."""

    previous_text: bool
    fallbacks: int
    compression_ratio: float
    logprob: float
    no_speech: float
    quiet: float
    seed: int
    words: bool

    @property
    def temperatures(self) -> tuple[float, ...]:
        """From 0 on; the last one's text stands whatever it is."""
        return tuple(round(WARMER * step, 6) for step in range(self.fallbacks + 1))
