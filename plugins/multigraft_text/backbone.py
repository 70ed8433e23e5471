"""Text backbones: transformers' sequence classifiers, their last linear layer left to the head."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification, BertConfig, GPT2Config

from multigraft import Features, MultigraftError, Origin
from multigraft.contracts.features import Batch
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError, refused_as
from multigraft.models.untrusted import budget, check_complete, check_taken, check_weights
from multigraft.system.quiet import quiet_transformers
from multigraft_text.architectures import direction
from multigraft_text.layers import embedding_holder, layers_of
from multigraft_text.options import OWN
from multigraft_text.pooling import Pool, pool_of
from multigraft_text.saving import save_model, save_tagger, save_tokenizer, with_labels
from multigraft_text.segments import can_pack, packed_inputs
from multigraft_text.sentence_modules import save_pooled
from multigraft_text.sentence_pooling import MEAN, POOLINGS, folder_pooling
from multigraft_text.token_ids import token_ids
from multigraft_text.weights import DECODERS, ENCODERS, config_of, folder_of, open_weights

LOG = logging.getLogger("multigraft")
DROPOUTS = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob"),
    *("resid_pdrop", "embd_pdrop", "attn_pdrop"),
    *("dropout", "attention_dropout"),
)
"""The names that transformers' configurations have for dropout inside a network."""


class TextBackbone(nn.Module):
    """An encoder or a decoder of transformers, as a `BackboneModule`.

    Built around transformers' own classifier, so that what it saves is that class's folder, and
    what it pools is what that class's last linear layer reads. With another ``pooling`` it saves
    the modules of sentence-transformers.
    """

    def __init__(
        self, classifier: Any, spec: Spec, *, source: Path | None, pooling: str | None = None
    ) -> None:
        super().__init__()
        self.linear, linear = last_linear(classifier)
        self.head_bias = linear.bias is not None
        self.width: int = linear.in_features
        kind = classifier.config.model_type
        self.causal = direction(kind) == "decoder"
        self.pooling = pooling or OWN
        """One of `POOLINGS`, or `OWN`."""
        self._pool = _pool(self.pooling, kind, causal=self.causal)
        self._taken = frozenset(signature(classifier.base_model.forward).parameters)
        self.spec = spec
        self.source = source
        """The folder of the weights; None from scratch."""
        self.scorer: Any = None
        """What learns behind a decoder, where its language model has parameters of its own."""
        self.model = classifier
        classifier.set_submodule(self.linear, nn.Identity())
        _still_tail(classifier)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The module of the token embeddings, then the layers."""
        base = self.model.base_model
        layers = layers_of(base)
        return [embedding_holder(base, layers), *layers]

    @property
    def classifier(self) -> str | None:
        """transformers' name of the last linear layer, in files of a classifier; None where it
        would read something else than is pooled here."""
        return self.linear if self.pooling == OWN else None

    @property
    def embedding(self) -> nn.Module:
        """The token embeddings, [V, E], which language modeling heads share."""
        module: nn.Module = self.model.get_input_embeddings()
        return module

    @property
    def packs(self) -> bool:
        """Tell whether `forward` takes rows that were joined."""
        return can_pack(self.model.config)

    def forward(self, batch: Batch) -> Features:
        """``input_ids``, ``attention_mask`` and, where used, ``token_type_ids``, [B, T] each ->
        Features.

        With ``segments`` [B, T] a token sees those of its own segment only, and its features are
        those that it has where its row is alone; ``pooled`` then belongs to no row.
        """
        mask = batch["attention_mask"]
        inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
        if self.spec["token_types"] and "token_type_ids" in self._taken:
            inputs["token_type_ids"] = batch["token_type_ids"]
        if self.causal and "use_cache" in self._taken:
            inputs["use_cache"] = False
        if "segments" in batch:
            inputs |= packed_inputs(self.model.config, batch["segments"], causal=self.causal)
        output = self.model.base_model(**inputs)
        return Features(
            pooled=self._pool(self.model, output, mask),
            sequence=output.last_hidden_state,
            mask=mask.bool(),
        )

    def prefix_decoder(self, length: int) -> nn.Module | None:
        """What writes behind ``length`` vectors; None of an encoder."""
        from multigraft_text.prefix import PrefixDecoder

        return PrefixDecoder(self, length) if self.causal else None

    def save(
        self,
        folder: Path,
        *,
        head: nn.Linear | None,
        labels: Sequence[str],
        problem_type: str = "single_label_classification",
    ) -> None:
        """Write a transformers folder: of the classifier with ``head``, else of the base."""
        if head is not None and (head.bias is not None) != self.head_bias:
            raise MultigraftError(
                f"a {type(self.model).__name__} has a head "
                f"{'with' if self.head_bias else 'without'} a bias"
            )
        if self.pooling != OWN and self.scorer is None:
            self._save_pooled(folder, head, labels)
            return
        with quiet_transformers():
            if head is None and self.scorer is not None:
                self.scorer.save(self.model.base_model, folder)
            else:
                save_model(
                    self.model,
                    self.linear,
                    folder,
                    head=head,
                    labels=labels,
                    problem_type=problem_type,
                )
        save_tokenizer(self.spec, folder, writes=self.causal and head is None)

    def _save_pooled(self, folder: Path, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write the base model, and beside it where it is pooled and the head."""
        base = self.model.base_model
        with quiet_transformers():
            base.save_pretrained(folder)
            if head is not None:
                with_labels(base.config, labels).save_pretrained(folder)
        save_pooled(folder, spec=self.spec, pooling=self.pooling, width=self.width, head=head)

    def save_sequence(self, folder: Path, *, head: nn.Linear, labels: Sequence[str]) -> None:
        """Write a folder of transformers' token classifier, where it is the base and a linear
        layer; else of the base."""
        with quiet_transformers():
            tagged = save_tagger(self.model, folder, head=head, labels=labels)
        save_tokenizer(self.spec, folder, writes=self.causal and not tagged)


def build_encoder(origin: Origin, spec: Spec) -> TextBackbone:
    """A BERT, or what its weights hold: DistilBERT, RoBERTa, ELECTRA, ModernBERT ..."""
    if not origin.scratch:
        folder = folder_of(origin)
        return load_backbone(folder, config_of(folder, ENCODERS), origin, spec)
    return new_backbone(BertConfig(**_shape(origin), **vocabulary_of(spec)), origin, spec)


def build_decoder(origin: Origin, spec: Spec) -> TextBackbone:
    """A GPT-2, or what its weights hold: Llama, Qwen, Mistral ..."""
    if not origin.scratch:
        folder = folder_of(origin)
        return load_backbone(folder, config_of(folder, DECODERS), origin, spec)
    end = token_ids(spec).get(spec["special"].get("eos_token"))
    config = GPT2Config(**_shape(origin), **vocabulary_of(spec), bos_token_id=end, eos_token_id=end)
    return new_backbone(config, origin, spec)


def last_linear(classifier: nn.Module) -> tuple[str, nn.Linear]:
    """The name and module of the last linear layer outside the base model."""
    found = [(name, module) for name, module in tail(classifier) if isinstance(module, nn.Linear)]
    return found[-1]


def _with_dropout(config: Any, origin: Origin) -> Any:
    """The configuration with the option ``dropout`` under the names its architecture has for it."""
    for name in DROPOUTS:
        if "dropout" in origin.config and hasattr(config, name):
            setattr(config, name, origin.config["dropout"])
    return config


def _shape(origin: Origin) -> dict[str, Any]:
    """What the size says of the architecture."""
    return {
        name: value for name, value in origin.config.items() if name not in ("dropout", "pooling")
    }


def new_backbone(config: Any, origin: Origin, spec: Spec) -> TextBackbone:
    """A backbone of this configuration without weights."""
    classifier = AutoModelForSequenceClassification.from_config(_with_dropout(config, origin))
    pooling = origin.config.get("pooling")
    return TextBackbone(classifier, spec, source=None, pooling=pooling)


def load_backbone(folder: Path, config: Any, origin: Origin, spec: Spec) -> TextBackbone:
    """The weights in a folder. Raises WeightsError where they are not of this configuration."""
    check_weights(folder)
    if max(token_ids(spec).values()) >= config.vocab_size:
        raise WeightsError(
            f"{folder}: its tokenizer has ids up to {max(token_ids(spec).values())}, its "
            f"embeddings only {config.vocab_size} rows; tokenizer and weights do not belong "
            "together"
        )
    config.pad_token_id = spec["pad_id"]
    _with_dropout(config, origin)
    unusable = refused_as(
        WeightsError, f"{folder}: no network can be built as its config.json says"
    )
    with unusable, quiet_transformers(), budget(folder):
        AutoModelForSequenceClassification.from_config(config)
    classifier, loaded = open_weights(AutoModelForSequenceClassification, folder, config=config)
    missing = set(loaded["missing_keys"])
    pooling = origin.config.get("pooling") or _usual_pooling(classifier, missing, folder)
    _report_missing(classifier, missing, folder, pooling)
    check_taken(
        folder, classifier.base_model, classifier.base_model_prefix, loaded["unexpected_keys"]
    )
    return _tried(TextBackbone(classifier, spec, source=folder, pooling=pooling), folder)


def _tried(module: TextBackbone, folder: Path) -> TextBackbone:
    """Try a backbone on one token: what does not fit together shows in a step alone."""
    token = torch.zeros(1, 1, dtype=torch.long)
    batch = {"input_ids": token, "attention_mask": token + 1, "token_type_ids": token}
    with refused_as(WeightsError, f"{folder}: its network cannot take a step"), torch.no_grad():
        module.eval()(batch)
    return module.train()


def _pool(pooling: str, kind: str, *, causal: bool) -> Pool:
    if pooling == OWN:
        return pool_of(kind, causal=causal)
    return lambda classifier, output, mask: POOLINGS[pooling](output.last_hidden_state, mask)


def _usual_pooling(classifier: Any, missing: set[str], folder: Path) -> str:
    """As the folder says; the mean where a BERT's pooler is not among its weights, else its own."""
    said = folder_pooling(folder)
    if said is None and classifier.config.model_type == "bert" and _poolers(classifier, missing):
        return MEAN
    return said or OWN


def _poolers(classifier: Any, keys: Collection[str]) -> list[str]:
    """Those of the keys that are of the base's pooler."""
    return [key for key in keys if key.startswith(f"{classifier.base_model_prefix}.pooler.")]


def _report_missing(classifier: Any, missing: set[str], folder: Path, pooling: str) -> None:
    """Say which layers start anew; raise WeightsError where it is more than the last ones."""
    linear, poolers = last_linear(classifier)[0], _poolers(classifier, missing)
    fresh = sorted(key for key in missing if not key.startswith(f"{linear}."))
    behind = {name for name, _ in tail(classifier)}
    lost = [key for key in fresh if key not in poolers and key.rpartition(".")[0] not in behind]
    if pooling != OWN:  # the classifier's own way there is not gone
        fresh = [key for key in fresh if key in lost]
    check_complete(folder, type(classifier).__name__, lost)
    if fresh:
        LOG.warning("%s has no %s: initialised at random", folder, ", ".join(fresh))


def tail(classifier: nn.Module) -> list[tuple[str, nn.Module]]:
    """Every module of the classifier outside its base model, by name."""
    base = classifier.base_model_prefix
    return [
        (name, module)
        for name, module in classifier.named_modules()
        if name and name != base and not name.startswith(f"{base}.")
    ]


def _still_tail(classifier: nn.Module) -> None:
    """Switch off the dropout before the last linear layer: the engine's head has its own."""
    for _, module in tail(classifier):
        if isinstance(module, nn.Dropout):
            module.p = 0.0


def vocabulary_of(spec: Spec) -> dict[str, int]:
    """A configuration's words for a tokenizer: its size and its padding."""
    return {"vocab_size": max(token_ids(spec).values()) + 1, "pad_token_id": spec["pad_id"]}
