from __future__ import annotations

import subprocess
import sys

import pytest

import multigraft_speech as speech
from multigraft import Catalog, Lazy
from multigraft_speech.layout import Layout


def test_is_admitted_whole() -> None:
    catalog = Catalog([speech], discover=False, strict=True)
    assert [record.name for record in catalog.modalities()] == ["audio"]
    assert {record.name for record in catalog.backbones()} == {
        "wav2vec2",
        "hubert",
        "logmel",
        "whisper",
        "ast",
    }
    info = catalog.plugins[-1]
    assert set(info.brings["tasks"]) == {
        "wav2vec2-contrastive",
        "masked-units",
        "masked-spectrogram",
        "audio-classification",
        "audio-multilabel",
        "audio-regression",
        "automatic-speech-recognition",
    }


def test_every_lazy_name_is_there() -> None:
    records = [
        *speech.register_modalities(),
        *speech.register_backbones(),
        *speech.register_tasks(),
    ]
    lazies = [
        value for record in records for value in vars(record).values() if isinstance(value, Lazy)
    ]
    assert len(lazies) >= 8
    for lazy in lazies:
        assert callable(lazy.resolve())


@pytest.mark.parametrize(
    "statement",
    [
        "import multigraft_speech as s; s.register_tasks(), s.register_backbones()",
        "import multigraft_speech as s; s.AUDIO.reader({'kind': 'audio'})",
        "import multigraft_speech as s; s.AUDIO.augment('light', None, {})",
    ],
)
def test_a_deployer_needs_no_torch(statement: str) -> None:
    check = (
        "import sys; heavy = {'torch', 'transformers', 'torchaudio', 'datasets'} & set(sys.modules)"
    )
    program = f"{statement}; {check}; sys.exit(', '.join(heavy) or 0)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


def test_every_log_mel_size_is_a_layout() -> None:
    for size in speech.LOGMEL.sizes.values():
        assert Layout(**size.config).window == 400
