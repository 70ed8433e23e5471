"""What real configurations say passes: the defaults of every class that an adapter opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import CONFIG_MAPPING, PreTrainedConfig

import multigraft_text as text
from helpers.text_toys import grow, origin, relative
from multigraft.contracts.records import Origin
from multigraft.errors import WeightsError
from multigraft.models.untrusted import harmless_config, read_config, settings_of
from multigraft_speech.weights import KINDS, load_config
from multigraft_text.weights import DECODERS, ENCODERS, config_of
from multigraft_vision.detr.architectures import KINDS as DETECTORS
from multigraft_vision.detr.configuration import saved_config

OTHERS = (
    *("albert", "bart", "big_bird", "bigbird_pegasus", "bloom", "convbert", "data2vec-text"),
    *("deberta", "deberta-v2", "ernie", "esm", "funnel", "gemma", "longformer", "mamba", "marian"),
    *("mpnet", "nystromformer", "opt", "phi", "roformer", "squeezebert", "t5", "xlnet", "xmod"),
    *("data2vec-audio", "sew", "speech_to_text", "unispeech-sat", "wav2vec2-conformer"),
    *("wavlm", "whisper"),
)
"""Kinds of text and speech that a plugin could open tomorrow."""


def saved(kind: str, folder: Path, **changed: Any) -> dict[str, Any]:
    """Save the defaults of a kind as transformers does; what they say."""
    config = CONFIG_MAPPING[kind](**changed)
    config.save_pretrained(folder)
    said: dict[str, Any] = config.to_dict()
    return said


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_the_defaults_of_every_text_kind_are_opened_as_they_are(kind: str, tmp_path: Path) -> None:
    said = saved(kind, tmp_path)
    assert config_of(tmp_path, ENCODERS + DECODERS).to_dict() == said


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_of_every_speech_kind_are_opened_as_they_are(
    kind: str, tmp_path: Path
) -> None:
    said = saved(kind, tmp_path)
    where = Origin(backbone=kind, size="base", config={}, path=tmp_path, hub=None)
    assert load_config(where).to_dict() == said


@pytest.mark.parametrize("kind", DETECTORS)
def test_the_defaults_of_every_detector_are_opened_as_they_are(kind: str, tmp_path: Path) -> None:
    said = saved(kind, tmp_path)
    assert saved_config(tmp_path).to_dict() == said


@pytest.mark.parametrize("kind", OTHERS)
def test_the_defaults_of_other_kinds_pass(kind: str, tmp_path: Path) -> None:
    said = saved(kind, tmp_path)
    made = CONFIG_MAPPING[kind]
    assert (
        made(
            **harmless_config(read_config(tmp_path), settings_of(made, PreTrainedConfig))
        ).to_dict()
        == said
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_relative_positions", -2),
        ("type_vocab_size", -1),
        ("max_position_embeddings", -1),
        ("hidden_size", 0),
    ],
)
def test_beside_what_real_ones_say_a_number_is_refused(
    name: str, value: int, tmp_path: Path
) -> None:
    saved("deberta-v2", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, name: value}))
    with pytest.raises(WeightsError, match=rf"config\.json: {name} is {value}; at least .* needed"):
        read_config(tmp_path)


@pytest.mark.parametrize(
    ("family", "kind", "nothing"),
    [(text.BERT, "bert", {"type_vocab_size": 0}), (text.GPT, "qwen3", {"head_dim": 0})],
)
def test_a_size_that_its_kind_needs_is_refused_where_it_is_built(
    family: Any, kind: str, nothing: dict[str, int], tmp_path: Path
) -> None:
    relative(kind, grow(family), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, **nothing}))
    where = origin(family, path=tmp_path)
    with pytest.raises(WeightsError):
        family.build(where, family.reader(where, {}))
