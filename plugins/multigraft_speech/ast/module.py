"""AST as a backbone: patches of a spectrogram, averaged over its height, are its positions."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.system.quiet import quiet_transformers
from multigraft_speech.ast.filter_bank import HOP, WINDOW, FilterBank
from multigraft_speech.spec_augment import hide_spectrogram
from multigraft_speech.wav2vec2 import describe_labels

TOKENS = 2
"""Those in front of the patches: the class token and the distillation token."""


class SpectrogramTransformer(nn.Module):
    """``input_values`` [B, samples] and ``attention_mask`` -> a position each ``time_stride`` * 10
    ms.

    The network always reads ``max_length`` frames, zeros behind a sound's own, and so attends to
    them: `Features.mask` says which positions see nothing else than the sound. `Features.pooled` is
    what transformers' classifier hands to its last layer: the mean of both tokens, normalised
    without a scale or a shift, which the layer behind has itself.
    """

    head_bias = True

    def __init__(self, model: Any, extractor: Any, *, spec_augment: float = 0.0) -> None:
        super().__init__()
        config = model.config
        self.model = model
        # not named `config`: PEFT would take this module for one of transformers' own
        self.settings = config
        self.extractor = extractor
        self.spec_augment = spec_augment
        self.filter_bank = FilterBank(config.num_mel_bins)
        self.width: int = config.hidden_size
        self.hop: int = HOP * config.time_stride
        self.field: int = field_of(config)
        self.blocks: Sequence[nn.Module] = list(model.layers)

    def forward(self, batch: Batch) -> Features:
        """Compute positions, and the pooled tokens."""
        lengths = batch["attention_mask"].sum(1)
        spectrogram = self._spectrogram(batch["input_values"], lengths)
        if self.training and self.spec_augment > 0:
            turned = spectrogram.transpose(1, 2)
            spectrogram = hide_spectrogram(turned, self.spec_augment).transpose(1, 2)
        hidden = self.model(input_values=spectrogram).last_hidden_state
        pooled = F.layer_norm(
            hidden[:, :TOKENS].mean(1), (self.width,), eps=self.settings.layer_norm_eps
        )
        high = self.model.embeddings.get_shape(self.settings)[0]
        sequence = hidden[:, TOKENS:].unflatten(1, (high, -1)).mean(1)
        places = torch.arange(sequence.shape[1], device=lengths.device)
        return Features(pooled, sequence, places < self._positions(lengths)[:, None])

    def save(
        self,
        folder: Path,
        *,
        head: nn.Linear | None,
        labels: Sequence[str],
        problem_type: str = "single_label_classification",
    ) -> None:
        """Write transformers' ``ASTModel`` folder, or ``ASTForAudioClassification`` with a head."""
        config, state = deepcopy(self.settings), self.model.state_dict()
        if head is not None:
            describe_labels(config, labels)
            config.problem_type = problem_type
            prefix = self.model.base_model_prefix
            state = {f"{prefix}.{name}": value for name, value in state.items()}
            state |= _classifier_state(head)
        with quiet_transformers():
            _shell(config, classifies=head is not None).save_pretrained(folder, state_dict=state)
        self.extractor.save_pretrained(folder)

    def _spectrogram(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """[B, samples] and true samples [B] -> [B, max_length, mels], normalised as the weights'
        extractor does."""
        found = self.filter_bank(samples)
        places = torch.arange(found.shape[1], device=lengths.device)
        real = places < ((lengths - WINDOW) // HOP + 1)[:, None]
        found = found.masked_fill(~real.unsqueeze(-1), 0)
        frames = self.settings.max_length
        behind = found.new_zeros(found.shape[0], frames, found.shape[2])
        whole = torch.cat([found, behind], dim=1)[:, :frames]
        if not self.extractor.do_normalize:
            return whole
        return (whole - self.extractor.mean) / (2 * self.extractor.std)

    def _positions(self, lengths: Tensor) -> Tensor:
        """Positions that see the sound alone, of so many samples."""
        return (lengths - self.field) // self.hop + 1


def field_of(config: Any) -> int:
    """The samples that one patch sees."""
    return WINDOW + HOP * (int(config.patch_size) - 1)


def longest_of(config: Any) -> int:
    """The samples that the network reads at most."""
    return WINDOW + HOP * (int(config.max_length) - 1)


def _classifier_state(head: nn.Linear) -> dict[str, Tensor]:
    """The layer norm of transformers' classifier does what `Features.pooled` had done to it."""
    width = head.in_features
    bias = torch.zeros(head.out_features) if head.bias is None else head.bias.detach().float()
    return {
        "classifier.layernorm.weight": torch.ones(width),
        "classifier.layernorm.bias": torch.zeros(width),
        "classifier.dense.weight": head.weight.detach().float(),
        "classifier.dense.bias": bias,
    }


def _shell(config: Any, *, classifies: bool) -> Any:
    """transformers' own class, empty: it knows how its weights are written."""
    from transformers import ASTForAudioClassification, ASTModel

    # saving must not move the run's chance
    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        return ASTForAudioClassification(config) if classifies else ASTModel(config)
