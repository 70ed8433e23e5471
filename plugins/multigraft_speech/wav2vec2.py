"""wav2vec2 and HuBERT as backbones: transformers' own modules, in which padding changes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features, mean_pool
from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.models.untrusted import check_taken
from multigraft.system.quiet import quiet_transformers
from multigraft_speech.framing import FrameConv, convolve
from multigraft_speech.recognition.vocabulary import blank_of, save_tokens
from multigraft_speech.spec_augment import random_spans
from multigraft_speech.specs import frame_count, receptive_field
from multigraft_speech.weights import load_config, load_extractor, load_model, source

Kind = Literal["base", "audio", "ctc"]
"""The base model, with a classifier of sounds, or with one of frames."""


class Wav2Vec2(nn.Module):
    """``input_values`` [B, samples] and ``attention_mask`` -> frames, of about 20 ms each.

    Where the weights' preprocessor says so, each sound is brought to zero mean and unit variance in
    here. ``mask_time_indices`` [B, T] bool in a batch replaces those frames by the learned mask
    vector; this is how pretraining hides them. transformers' own random masking and layer drop stay
    off, because they draw from numpy's global generator and skip blocks; ``spec_augment`` hides a
    share of frames in training instead. `Features.maps` holds the normalised convolution features
    [B, C, T], what contrastive pretraining targets.
    """

    head_bias = True

    def __init__(self, model: nn.Module, extractor: Any, *, spec_augment: float) -> None:
        super().__init__()
        model.config.layerdrop = 0.0
        layers = model.feature_extractor.conv_layers
        grouped = model.config.feat_extract_norm == "group"
        for index, layer in enumerate(layers):
            first = grouped and index == 0
            layers[index] = MaskedNormConv(layer, model.config) if first else FrameConv(layer)
        self.model = model
        self.config = model.config
        self.extractor = extractor
        self.spec_augment = spec_augment
        self.width: int = self.config.hidden_size
        self.hop = math.prod(self.config.conv_stride)
        self.field = receptive_field(self.config.conv_kernel, self.config.conv_stride)
        self.blocks: Sequence[nn.Module] = [
            *layers,
            model.feature_projection,
            *model.encoder.layers,
        ]

    def forward(self, batch: Batch) -> Features:
        """Compute frames; `Features.pooled` is their mean as transformers' classifier takes it."""
        lengths = batch["attention_mask"].sum(1)
        convolved = self._convolve(self._normalised(batch), lengths).transpose(1, 2)
        places = torch.arange(convolved.shape[1], device=convolved.device)
        mask = places < frame_count(lengths, self.config)[:, None]
        projected = self.model.feature_projection(convolved)
        hidden, normed = projected if isinstance(projected, tuple) else (projected, convolved)
        hidden = self._hide(hidden, batch.get("mask_time_indices"))
        # a copy: the encoder writes into what it is given
        hidden = hidden.masked_fill(~mask.unsqueeze(-1), 0)
        sequence = self.model.encoder(hidden, attention_mask=mask).last_hidden_state
        return Features(mean_pool(sequence, mask), sequence, mask, (normed.transpose(1, 2),))

    def save(
        self,
        folder: Path,
        *,
        head: nn.Linear | None,
        labels: Sequence[str],
        problem_type: str = "single_label_classification",
    ) -> None:
        """Write transformers' ``AutoModel`` folder, or ``AutoModelForAudioClassification`` with a
        head.

        The classifier's projector becomes the identity, so its mean and our mean are one.
        """
        config = deepcopy(self.config)
        state = self.model.state_dict()
        if head is not None:
            describe_labels(config, labels)
            config.classifier_proj_size = config.hidden_size
            config.use_weighted_layer_sum = False
            config.problem_type = problem_type
            state = self._state_within() | _classifier_state(head)
        self._write(folder, config, state, kind="audio" if head is not None else "base")

    def save_sequence(self, folder: Path, *, head: nn.Linear, labels: Sequence[str]) -> None:
        """Write transformers' ``AutoModelForCTC`` folder; ``labels`` are the tokens of its
        ``vocab.json``."""
        config = deepcopy(self.config)
        config.vocab_size, config.pad_token_id = len(labels), blank_of(labels)
        state = self._state_within() | {
            f"lm_head.{name}": value.detach().float() for name, value in head.state_dict().items()
        }
        self._write(folder, config, state, kind="ctc")
        save_tokens(folder, labels)

    def _state_within(self) -> dict[str, Tensor]:
        """The weights as transformers names them inside a model with a head."""
        prefix = self.model.base_model_prefix
        return {f"{prefix}.{name}": value for name, value in self.model.state_dict().items()}

    def _write(self, folder: Path, config: Any, state: dict[str, Tensor], *, kind: Kind) -> None:
        with quiet_transformers():
            _shell(config, kind).save_pretrained(folder, state_dict=state)
        self.extractor.save_pretrained(folder)

    def _normalised(self, batch: Batch) -> Tensor:
        """Normalise real samples to zero mean, unit variance (`Wav2Vec2FeatureExtractor`)."""
        values = batch["input_values"]
        if not self.extractor.do_normalize:
            return values
        real = batch["attention_mask"].to(values.dtype)
        count = real.sum(1, keepdim=True)
        centred = (values - (values * real).sum(1, keepdim=True) / count) * real
        return centred / (centred.square().sum(1, keepdim=True) / count + 1e-7).sqrt()

    def _convolve(self, values: Tensor, lengths: Tensor) -> Tensor:
        """[B, samples] -> [B, C, T]. No layer pads: what follows a row stays behind it."""
        first, *others = self.model.feature_extractor.conv_layers
        hidden = values.unsqueeze(1)
        hidden = first(hidden, lengths) if isinstance(first, MaskedNormConv) else first(hidden)
        for layer in others:
            hidden = layer(hidden)
        return hidden

    def _hide(self, hidden: Tensor, mask: Tensor | None) -> Tensor:
        if mask is None and self.training and self.spec_augment > 0:
            mask = random_spans(hidden, self.spec_augment, self.config.mask_time_length)
        if mask is None:
            return hidden
        return torch.where(
            mask.unsqueeze(-1), self.model.masked_spec_embed.to(hidden.dtype), hidden
        )


class MaskedNormConv(nn.Module):
    """A convolution with one norm group a channel, its mean and variance taken over real frames
    only.

    Equal to transformers' layer for a row alone; there a padded row changes, here it does not. The
    modules, and so the names of the weights, are transformers' own.
    """

    def __init__(self, layer: Any, config: Any) -> None:
        super().__init__()
        self.conv = layer.conv
        self.layer_norm = layer.layer_norm
        self.activation = layer.activation
        self.kernel: int = config.conv_kernel[0]
        self.stride: int = config.conv_stride[0]

    def forward(self, hidden: Tensor, lengths: Tensor) -> Tensor:
        """[B, 1, samples] and true samples [B] -> [B, C, T]."""
        frames = convolve(self.conv, hidden).float()
        count = (lengths - self.kernel) // self.stride + 1
        places = torch.arange(frames.shape[1], device=frames.device)
        real = (places < count[:, None]).to(frames.dtype)[:, :, None]
        count = real.sum(1, keepdim=True)
        centred = frames - (frames * real).sum(1, keepdim=True) / count
        variance = (centred.square() * real).sum(1, keepdim=True) / count
        scale = self.layer_norm.weight * (variance + self.layer_norm.eps).rsqrt()
        activated: Tensor = self.activation(centred * scale + self.layer_norm.bias)
        return activated.transpose(1, 2)


def build(origin: Origin, spec: Spec) -> Wav2Vec2:
    """A backbone from the hub, a folder of transformers' (ours too), or from scratch."""
    from transformers import AutoModel

    config = load_config(origin)
    extractor = load_extractor(origin)
    extractor.sampling_rate = spec["sample_rate"]
    extractor.return_attention_mask = True
    extractor.padding_side = "right"
    model = AutoModel.from_config(config) if origin.scratch else _load(origin, config)
    return Wav2Vec2(model, extractor, spec_augment=origin.config.get("spec_augment", 0.0))


def _load(origin: Origin, config: Any) -> Any:
    from transformers import HubertModel, Wav2Vec2Model

    folder = source(origin)
    kind = {"wav2vec2": Wav2Vec2Model, "hubert": HubertModel}[config.model_type]
    model, info = load_model(origin, config, kind)
    if info["missing_keys"]:
        missing = ", ".join(sorted(info["missing_keys"])[:3])
        raise WeightsError(
            f"{folder} lacks {len(info['missing_keys'])} weights of its own config: {missing} ..."
        )
    check_taken(folder, model, model.base_model_prefix, info["unexpected_keys"])
    return model


def _shell(config: Any, kind: Kind) -> Any:
    """transformers' own class, empty: it knows how its weights are written."""
    from transformers import AutoModel, AutoModelForAudioClassification, AutoModelForCTC

    classes = {"base": AutoModel, "audio": AutoModelForAudioClassification, "ctc": AutoModelForCTC}
    # saving must not move the run's chance
    with (
        torch.device("meta"),
        torch.random.fork_rng(devices=[]),
    ):
        return classes[kind].from_config(config)


def describe_labels(config: Any, labels: Sequence[str]) -> None:
    """Give a configuration of transformers the names of a classifier's outputs."""
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: index for index, label in enumerate(labels)}


def _classifier_state(head: nn.Linear) -> dict[str, Tensor]:
    width = head.in_features
    return {
        "projector.weight": torch.eye(width),
        "projector.bias": torch.zeros(width),
        "classifier.weight": head.weight.detach().float(),
        "classifier.bias": torch.zeros(head.out_features)
        if head.bias is None
        else head.bias.detach().float(),
    }
