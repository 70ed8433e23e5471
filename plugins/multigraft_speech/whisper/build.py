"""Build Whisper: from scratch, or what a folder of weights holds."""

from __future__ import annotations

from typing import Any

from transformers import (
    AutoConfig,
    GenerationConfig,
    WhisperForConditionalGeneration,
)

from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import MultigraftError, WeightsError, did_you_mean
from multigraft.models.untrusted import check_complete, check_taken
from multigraft.system.quiet import quiet_transformers
from multigraft_speech.weights import load_config, load_model, source
from multigraft_speech.whisper.module import Whisper, speech_tokens
from multigraft_speech.whisper.specs import BYTES, KINDS, OPTIONS, SPECIAL
from multigraft_speech.whisper.tokens import Tokens

NEEDED = ("decoder_start_token_id", "no_timestamps_token_id", "eos_token_id", "pad_token_id")


def build(origin: Origin, spec: Spec) -> Whisper:
    """A Whisper, or what the weights hold. Raises WeightsError, MultigraftError for a language."""
    model = _scratch(origin) if origin.scratch else _load(origin)
    if Tokens(spec["tokenizer.json"], spec["end"]).end != model.generation_config.eos_token_id:
        raise WeightsError(
            f"{origin.path or origin.hub}: its tokenizer ends a text by another token than "
            "its generation_config.json; tokenizer and weights do not belong together"
        )
    prefix = _prefix(origin, model.generation_config)
    return Whisper(model, spec, prefix=prefix, spec_augment=origin.config.get("spec_augment", 0.0))


def _scratch(origin: Origin) -> Any:
    """From a size: tokens are bytes, behind them the special ones and the times."""
    shape = {name: value for name, value in origin.config.items() if name not in OPTIONS}
    ids = {name: BYTES + place for place, name in enumerate(SPECIAL)}
    end, start, previous, _, no_timestamps = (ids[name] for name in SPECIAL)
    times = 1 + shape.get("max_source_positions", 1500)
    special = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    known = {**special, "decoder_start_token_id": start}
    size = no_timestamps + 1 + times
    config = AutoConfig.for_model("whisper", **{**shape, **known}, vocab_size=size)
    with quiet_transformers():
        model = WhisperForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        **known,
        suppress_tokens=[start, previous, no_timestamps - 1, no_timestamps],
        begin_suppress_tokens=[end],
        no_timestamps_token_id=no_timestamps,
        prev_sot_token_id=previous,
        is_multilingual=False,
        return_timestamps=False,
        max_length=config.max_target_positions,
    )
    return model


def _load(origin: Origin) -> Any:
    folder, config = source(origin), load_config(origin, KINDS)
    config.encoder_layerdrop = config.decoder_layerdrop = 0.0
    model, info = load_model(origin, config, WhisperForConditionalGeneration)
    check_complete(folder, "Whisper", info["missing_keys"])
    check_taken(folder, model, "", info["unexpected_keys"])
    _complete(model, str(folder))
    return model


def _complete(model: Any, name: str) -> None:
    """What must be known of special tokens. Raises WeightsError where it is not."""
    settings = model.generation_config
    if lacking := [each for each in NEEDED if getattr(settings, each, None) is None]:
        raise WeightsError(
            f"{name}: its generation_config.json does not say {lacking[0]}; give the folder with "
            "the one that Whisper was published with"
        )
    if getattr(settings, "prev_sot_token_id", None) is None:
        # as every published vocabulary has it
        settings.prev_sot_token_id = settings.no_timestamps_token_id - 2
    settings.forced_decoder_ids = None  # an older way to say language and task
    settings.return_timestamps = False


def _prefix(origin: Origin, settings: Any) -> tuple[int, ...]:
    """The tokens of language and task, which the saved settings say too. Raises MultigraftError."""
    tokens = speech_tokens(settings)
    language = origin.config.get("language") or getattr(settings, "language", None)
    task = origin.config.get("task") or getattr(settings, "task", None) or "transcribe"
    if not tokens.languages:
        if asked := [name for name in ("language", "task") if origin.config.get(name)]:
            raise MultigraftError(
                f"backbone.{asked[0]}: {origin.backbone} knows one language and task; leave it out"
            )
        return ()
    if language is None:
        return ()
    language = str(language).strip("<|>")
    if language not in tokens.languages:
        raise MultigraftError(
            f"backbone.language: these weights have no language {language!r}; "
            f"{did_you_mean(language, list(tokens.languages))}"
        )
    if task not in tokens.tasks:
        raise MultigraftError(f"backbone.task: found {task!r}; these weights {list(tokens.tasks)}")
    settings.language, settings.task = language, task
    return (tokens.languages[language], tokens.tasks[task])
