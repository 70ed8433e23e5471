"""An encoder-decoder as a backbone: its encoder gives the features, its decoder writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import EncoderDecoderCache

from multigraft import Features, NewTokens, Writing
from multigraft.contracts.features import Batch, mean_pool
from multigraft.contracts.generation import PAST, Axes, Tensors
from multigraft.contracts.types import Spec
from multigraft.system.quiet import quiet_transformers
from multigraft_text.saving import save_tokenizer, write_json
from multigraft_text.seq2seq.block_parts import keep_positions_apart, part_blocks
from multigraft_text.seq2seq.layout import layout_of, order_layers
from multigraft_text.seq2seq.targets import WRITTEN_TOKENIZER, frame_of
from multigraft_text.specs import positions
from multigraft_text.token_ids import token_ids
from multigraft_text.writing import cache_from, cache_to

MASK = "mask"
"""The name of the source's mask in what is remembered."""


class EncoderDecoder(nn.Module):
    """A T5, a BART, a Marian or a relative of theirs, as a `BackboneModule` and as a `Decoder`.

    Built around transformers' own model, so that what it saves is that class's folder.
    """

    head_bias = True

    def __init__(self, model: Any, spec: Spec) -> None:
        super().__init__()
        self._layout = layout_of(model)
        self.width: int = self._layout.cross[0].key.in_features
        self.spec = spec
        self.model = model
        order_layers(model)
        part_blocks(model)
        keep_positions_apart(model)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The encoder's layers."""
        return self._layout.encoder

    @property
    def later(self) -> Sequence[nn.Module]:
        """The decoder's layers."""
        return self._layout.decoder

    @property
    def writing(self) -> Writing:
        """The state and the special tokens of the decoder."""
        config, generation = self.model.config, self.model.generation_config
        start, last = start_of(config, self.spec), frame_of(self.spec)[1]
        state, memory = dict[str, Axes](), dict[str, Axes]({MASK: ("source",)})
        for number, cross in enumerate(self._layout.cross):
            for part in ("key", "value"):
                state[f"{number}.{part}"] = (cross.heads, PAST, cross.width)
                memory[f"{number}.{part}"] = (cross.heads, "source", cross.width)
        return Writing(
            state=state,
            memory=memory,
            vocabulary=config.vocab_size,
            max_length=positions(config),
            pad=self.spec["pad_id"],
            start=start,
            stop=last[-1:],
            suppress=_suppressed(generation),
        )

    def forward(self, batch: Batch) -> Features:
        """``input_ids`` and ``attention_mask``, [B, T] each -> Features of the encoder."""
        mask = batch["attention_mask"]
        encoder = self.model.get_encoder()
        states = encoder(input_ids=batch["input_ids"], attention_mask=mask)
        sequence = states.last_hidden_state
        return Features(mean_pool(sequence, mask), sequence, mask.bool())

    def remember(self, features: Features, batch: Batch) -> Tensors:
        """The keys and values of cross-attention, [B, heads, source, width] each, and the mask."""
        assert features.sequence is not None
        memory = {MASK: batch["attention_mask"]}
        for number, cross in enumerate(self._layout.cross):
            for name, linear in (("key", cross.key), ("value", cross.value)):
                states = linear(features.sequence).unflatten(-1, (cross.heads, cross.width))
                memory[f"{number}.{name}"] = states.transpose(1, 2)
        return memory

    def step(self, new: NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        """Logits of the kept among the new tokens, and the keys and values of every layer."""
        cross = {name: tensor for name, tensor in memory.items() if name != MASK}
        cache = EncoderDecoderCache(cache_from(past), cache_from(cross))
        cache.is_updated = dict.fromkeys(range(len(self.later)), True)
        rows, source = memory[MASK].shape
        hidden = self.model.get_decoder()(
            input_ids=new.ids,
            # only its length is looked at: keys and values are in the cache
            encoder_hidden_states=memory["0.key"].new_zeros(rows, source, self.width),
            encoder_attention_mask=memory[MASK],
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state[:, new.kept]
        return self._scores(hidden), cache_to(cache.self_attention_cache)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write a folder that `AutoModelForSeq2SeqLM` opens; it has no place for a ``head``."""
        with quiet_transformers():
            self.model.save_pretrained(folder)
        save_tokenizer(self.spec, folder, writes=False)
        if written := self.spec["writes"].get("tokenizer.json"):
            write_json(folder / WRITTEN_TOKENIZER, written)

    def _scores(self, hidden: Tensor) -> Tensor:
        """[B, K, D] -> logits [B, K, V]."""
        config = self.model.config
        if getattr(config, "scale_decoder_outputs", config.model_type == "umt5"):
            hidden = hidden * self.width**-0.5
        logits: Tensor = self.model.lm_head(hidden)
        bias = getattr(self.model, "final_logits_bias", None)
        return logits if bias is None else logits + bias


def start_of(config: Any, spec: Spec) -> tuple[int, ...]:
    """The tokens that every text begins with: the decoder's own, or a language in its place; then
    what the tokenizer puts in front."""
    first, _ = frame_of(spec)
    if "start" in spec["writes"]:
        return (token_ids(spec)[spec["writes"]["start"]], *first)
    own = getattr(config, "decoder_start_token_id", None)
    return (int(config.bos_token_id if own is None else own), *first)


def _suppressed(generation: Any) -> tuple[int, ...]:
    """The tokens that the published settings never write."""
    singles = [words[0] for words in generation.bad_words_ids or () if len(words) == 1]
    return tuple(sorted({*singles, *(generation.suppress_tokens or ())}))


def dissimilarity(module: EncoderDecoder) -> float:
    """How far this module's logits lie from those of the model's own forward pass, on a few
    tokens, relative to the largest."""
    model, rng = module.model, torch.Generator().manual_seed(0)
    real = torch.arange(model.config.vocab_size) != module.spec["pad_id"]
    whole = real.nonzero().flatten()  # no text has padding within it
    source, written = (whole[torch.randint(0, len(whole), (2, 5), generator=rng)] for _ in "ab")
    written[:, 0] = module.writing.start[0]
    mask = torch.ones_like(source)
    with torch.no_grad():
        wanted = model(input_ids=source, attention_mask=mask, decoder_input_ids=written).logits
        batch = {"input_ids": source, "attention_mask": mask}
        memory = module.remember(module(batch), batch)
        past: Tensors = {
            name: torch.zeros(2, *(0 if size == PAST else int(size) for size in axes))
            for name, axes in module.writing.state.items()
        }
        found = []
        for low, high in ((0, 2), (2, 5)):
            places = torch.arange(low, high)
            new = NewTokens(
                written[:, low:high], torch.ones(2, high, dtype=torch.long), places.expand(2, -1),
                torch.arange(high - low),
            )  # fmt: skip
            logits, past = module.step(new, past, memory)
            found.append(logits)
    gap = (torch.cat(found, 1) - wanted).abs().max()
    return float(gap / wanted.abs().max().clamp(min=1e-12))
