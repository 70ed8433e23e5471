"""Whisper as a backbone: its encoder gives frames of about 20 ms, its decoder writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache

from multigraft import Features, NewTokens, Writing
from multigraft.contracts.features import Batch, mean_pool
from multigraft.contracts.generation import ALIGNMENT, PAST, Axes, SpeechTokens, Tensors
from multigraft.contracts.types import Spec
from multigraft.system.quiet import quiet_transformers
from multigraft_speech.spec_augment import hide_spectrogram
from multigraft_speech.whisper.alignment import AlignmentHeads
from multigraft_speech.whisper.log_mel import HOP
from multigraft_speech.whisper.saving import save_processor

STRIDE = 2
"""Spectrogram frames (10 ms) in one frame of features."""


class Whisper(nn.Module):
    """``input_features`` [B, T, mels], ``attention_mask`` [B, T] and ``silence`` [B] -> frames.

    The encoder always reads as many frames as its weights have positions for, silence behind a
    sound's own, and so attends to it: `Features.mask` says which are the sound's. Built around
    transformers' own model, so that what it saves is that class's folder.
    """

    head_bias = True
    hop = field = STRIDE * HOP

    def __init__(
        self, model: Any, spec: Spec, *, prefix: Sequence[int], spec_augment: float = 0.0
    ) -> None:
        super().__init__()
        _fix_positions(model.get_encoder().embed_positions)
        self.model = model
        self.spec = spec
        self.prefix = tuple(prefix)
        """Language and task behind the first token of a text; empty where the weights know one."""
        self.spec_augment = spec_augment
        self.width: int = model.config.d_model
        self._alignment = AlignmentHeads.of(model)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The encoder's layers; its convolutions go with the first."""
        return list(self.model.get_encoder().layers)

    @property
    def later(self) -> Sequence[nn.Module]:
        """The decoder's layers."""
        return list(self.model.get_decoder().layers)

    @property
    def writing(self) -> Writing:
        """The state and the special tokens of the decoder."""
        config, settings = self.model.config, self.model.generation_config
        heads = config.decoder_attention_heads
        state, memory = dict[str, Axes](), dict[str, Axes]()
        for name in (f"{layer}.{part}" for layer in range(len(self.later)) for part in PARTS):
            state[name] = (heads, PAST, self.width // heads)
            memory[name] = (heads, "source", self.width // heads)
        start = (settings.decoder_start_token_id, *self.prefix, settings.no_timestamps_token_id)
        return Writing(
            state=state,
            memory=memory,
            vocabulary=config.vocab_size,
            max_length=config.max_target_positions,
            pad=settings.pad_token_id,
            start=start,
            stop=(settings.eos_token_id,),
            suppress=_real(settings.suppress_tokens),
            suppress_first=_real(settings.begin_suppress_tokens),
            speech=speech_tokens(settings),
            alignment=len(self._alignment),
        )

    def forward(self, batch: Batch) -> Features:
        """Compute frames, and the mean of the sound's own."""
        features, mask = batch["input_features"], batch["attention_mask"]
        whole = self._whole(features, mask, batch["silence"]).transpose(1, 2)
        if self.training and self.spec_augment > 0:
            whole = hide_spectrogram(whole, self.spec_augment)
        sequence = self.model.get_encoder()(input_features=whole).last_hidden_state
        places = torch.arange(sequence.shape[1], device=mask.device)
        real = places < (mask.sum(1) // STRIDE)[:, None]
        return Features(mean_pool(sequence, real), sequence, real)

    def _whole(self, features: Tensor, mask: Tensor, silence: Tensor) -> Tensor:
        """[B, T, mels] with silence in padding and behind, up to what the encoder reads."""
        quiet = silence.to(features.dtype)[:, None, None]
        heard = torch.where(mask.bool().unsqueeze(-1), features, quiet)
        frames = STRIDE * self.model.config.max_source_positions
        behind = quiet.expand(-1, frames, features.shape[2])
        return torch.cat([heard, behind], dim=1)[:, :frames]

    def remember(self, features: Features, batch: Batch) -> Tensors:
        """The keys and values of cross-attention, [B, heads, source, width] each."""
        assert features.sequence is not None
        heads, memory = self.model.config.decoder_attention_heads, {}
        for number, layer in enumerate(self.model.get_decoder().layers):
            attention = layer.encoder_attn
            for name, linear in zip(PARTS, (attention.k_proj, attention.v_proj), strict=True):
                states = linear(features.sequence).unflatten(-1, (heads, -1))
                memory[f"{number}.{name}"] = states.transpose(1, 2)
        return memory

    def step(self, new: NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        """Logits of the kept among the new tokens, and the keys and values of every layer."""
        cache = EncoderDecoderCache(_cache_from(past), _cache_from(memory))
        cache.is_updated = dict.fromkeys(range(len(self.later)), True)
        rows, _, source, _ = memory["0.key"].shape
        with self._alignment.heard(self.later if new.aligned else ()) as asked:
            hidden = self.model.get_decoder()(
                input_ids=new.ids,
                attention_mask=new.mask,
                position_ids=new.positions,
                # only its length is looked at: keys and values are in the cache
                encoder_hidden_states=memory["0.key"].new_zeros(rows, source, self.width),
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state[:, new.kept]
        present = {
            f"{number}.{part}": tensor
            for number, layer in enumerate(cache.self_attention_cache.layers)
            for part, tensor in zip(PARTS, (layer.keys, layer.values), strict=True)
        }
        if new.aligned:
            present[ALIGNMENT] = self._alignment.weights(self.later, asked, new.kept, memory)
        return self.model.proj_out(hidden), present

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write a folder that `WhisperForConditionalGeneration` opens, with its processor; it has
        no place for a ``head``."""
        with quiet_transformers():
            self.model.save_pretrained(folder)
        save_processor(self.spec, folder)


PARTS = ("key", "value")


def speech_tokens(settings: Any) -> SpeechTokens:
    """The special tokens that a folder's settings of generation name."""
    languages = getattr(settings, "lang_to_id", None) or {}
    return SpeechTokens(
        first_timestamp=settings.no_timestamps_token_id + 1,
        no_timestamps=settings.no_timestamps_token_id,
        no_speech=settings.no_timestamps_token_id - 1,
        previous=settings.prev_sot_token_id,
        latest_first=getattr(settings, "max_initial_timestamp_index", None),
        languages={code.strip("<|>"): number for code, number in languages.items()},
        tasks=dict(getattr(settings, "task_to_id", None) or {}),
    )


def _fix_positions(table: nn.Embedding) -> None:
    """Make a table that is computed and never learns a buffer, saved as before."""
    weight = table.weight.detach()
    del table.weight
    table.register_buffer("weight", weight)


def _real(tokens: Sequence[int] | None) -> tuple[int, ...]:
    return tuple(sorted(token for token in tokens or () if token >= 0))


def _cache_from(state: Tensors) -> DynamicCache:
    """Keys and values as transformers keeps them."""
    layers = range(len(state) // len(PARTS))
    return DynamicCache([(state[f"{layer}.key"], state[f"{layer}.value"]) for layer in layers])
