"""Bundle manifest, of texts that are written: how the graphs are called step by step."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

FORMAT, NEWEST = 1, 2
"""What is read. A later format is written only where an earlier one cannot say it: see
`manifest.said_of` and `Generation.format`."""
MOST_STATE = 2**22
"""The most numbers of a row's state that does not grow, which is made before the first step."""
LARGEST = 2**31
"""Where counts of tokens, and their ids, end."""
Count = Annotated[int, Field(ge=1, lt=LARGEST)]
Token = Annotated[int, Field(ge=0, lt=LARGEST)]


class Part(BaseModel):
    """A record of a manifest."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class CachePort(Part):
    """A tensor that one step of a decoder gives out and the next step takes in."""

    past: str
    """The input."""
    present: str
    """The output: ``past`` with the new tokens' part at its end, or what took its place."""
    dtype: str
    shape: tuple[int | str, ...]
    """Of the input: ``batch`` first; ``past`` is the axis that grows, 0 before the first step.

    Without ``past`` it keeps its size, and is zeros before the first step (format 2).
    """

    @field_validator("shape")
    @classmethod
    def _sized(cls, shape: tuple[int | str, ...]) -> tuple[int | str, ...]:
        named = [size for size in shape if isinstance(size, str)]
        sized = all(size >= 1 for size in shape if isinstance(size, int))
        if shape[:1] != ("batch",) or named not in (["batch"], ["batch", "past"]) or not sized:
            raise ValueError(
                "should name the axis batch first, perhaps past, and the size of each other one"
            )
        fixed = [size for size in shape if isinstance(size, int)]
        if "past" not in shape and math.prod(fixed) > MOST_STATE:
            raise ValueError(f"should have at most {MOST_STATE:,} numbers a row")
        return shape

    @property
    def growing(self) -> int | None:
        """The axis that grows; None for a recurrence."""
        return self.shape.index("past") if "past" in self.shape else None


class Speech(Part):
    """Tokens of a decoder of speech, as `multigraft.contracts.generation.SpeechTokens` says."""

    first_timestamp: Token
    no_timestamps: Token
    no_speech: Token
    previous: Token
    step: float = Field(default=0.02, gt=0, le=10)
    latest_first: Token | None = None
    languages: dict[str, Token] = Field(default_factory=dict)
    tasks: dict[str, Token] = Field(default_factory=dict)

    @property
    def largest(self) -> int:
        """The largest token that is named."""
        own = (self.first_timestamp, self.no_timestamps, self.no_speech, self.previous)
        return max(*own, *self.languages.values(), *self.tasks.values())


class Generation(Part):
    """Generation settings: how the graphs of a bundle write tokens, one after another.

    The decoder's own inputs are named here; an encoder takes the reader's arrays. All ids are
    int64.
    """

    tokens: str
    """The input of new tokens, [batch, new]: a prompt, or the token written last."""
    mask: str | None = None
    """The input that is 1 for real tokens and 0 for padding: [batch, past + new]."""
    positions: str | None = None
    """The input of the new tokens' places, [batch, new]; padding does not count."""
    kept: str | None = None
    """The input of which new tokens' logits are wanted, [kept]; without it they are the last one's
    alone."""
    logits: str
    """The output, [batch, kept, vocabulary]: scores of the token that follows."""
    cache: tuple[CachePort, ...]
    memory: tuple[str, ...] = ()
    """The inputs that stay as the encoder gives them, outputs of the same names; empty without an
    encoder."""
    start: tuple[Token, ...] = ()
    """What the decoder begins with where there is an encoder, or where the prompt is empty."""
    stop: tuple[Token, ...] = ()
    """Each of these ends a text."""
    suppress: tuple[Token, ...] = ()
    """These are never written (format 2)."""
    suppress_first: tuple[Token, ...] = ()
    """These are not written as the first token (format 2)."""
    speech: Speech | None = None
    """How language, task and time are told; None where no sound is written about (format 2)."""
    alignment: str | None = None
    """The output of cross-attention weights that tell where each token is said, [batch, heads,
    kept, source], a source position each `Speech.step` seconds (format 2)."""
    pad: Token
    vocabulary: Count
    max_length: Count
    """How many tokens the decoder can hold, the prompt's counted."""
    defaults: dict[str, str | int | float] = Field(default_factory=dict)
    """How texts are written unless asked otherwise, as ``{"method": "beam"}`` (format 2)."""
    whole: bool = False
    """Whether a value longer than its row is refused unless somebody asks to have it cut off, since
    none was measured (format 2)."""

    @property
    def format(self) -> int:
        """The first format of bundles that can say this."""
        recurrent = any(port.growing is None for port in self.cache)
        newer = (self.suppress, self.suppress_first, self.speech, self.alignment)
        newest = any(newer) or bool(self.defaults) or self.whole
        return NEWEST if newest or recurrent else FORMAT

    @model_validator(mode="after")
    def _known_tokens(self) -> Self:
        """Refuse tokens of speech that the decoder has no scores of."""
        named = {"suppress_first": max(self.suppress_first, default=0)}
        if self.speech is not None:
            named["speech"] = self.speech.largest
        for name, token in named.items():
            if token >= self.vocabulary:
                raise ValueError(f"{name}: found token {token}; they end at {self.vocabulary - 1}")
        return self
