"""What is registered: the sizes of Whisper."""

from __future__ import annotations

from typing import Any

from multigraft import Backbone, Lazy, Option, Size, Trial
from multigraft_speech.options import SPECTROGRAM_AUGMENT


def _size(layers: int, width: int, heads: int, **more: Any) -> dict[str, Any]:
    both = {"layers": layers, "attention_heads": heads, "ffn_dim": 4 * width}
    stacks = {f"{side}_{name}": n for side in ("encoder", "decoder") for name, n in both.items()}
    return {"model_type": "whisper", "d_model": width, **stacks, **more}


_SHAPES = {"tiny": _size(4, 384, 6), "base": _size(6, 512, 8), "small": _size(12, 768, 12)}

WHISPER = Backbone(
    name="whisper",
    modality="audio",
    sizes={
        # two seconds at a time, for tests and trials
        "micro": Size(config=_size(2, 32, 2, num_mel_bins=16, max_source_positions=100)),
        **{
            f"{name}{ending}": Size(config=shape, hub=f"openai/whisper-{name}{ending}")
            for name, shape in _SHAPES.items()
            for ending in ("", ".en")
        },
    },
    build=Lazy("multigraft_speech.whisper.build:build"),
    reader=Lazy("multigraft_speech.whisper.specs:whisper_spec"),
    options={
        "spec_augment": SPECTROGRAM_AUGMENT,
        "language": Option(
            default=None,
            types=(str,),
            help="the language of the transcripts, as 'pt', where the weights know several",
        ),
        "task": Option(
            default=None,
            types=(str,),
            help="transcribe, or translate into English, where the weights know both; unset: "
            "transcribe",
        ),
    },
    quantization="dynamic",
    trial=Trial(size="micro"),
)
