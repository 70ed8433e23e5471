"""What is registered: the sizes of AST."""

from __future__ import annotations

from multigraft import Backbone, Lazy, Size
from multigraft_speech.options import SPECTROGRAM_AUGMENT

_KIND = {"model_type": "audio-spectrogram-transformer"}
_SMALL = {
    **{"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6},
    **{"intermediate_size": 1536},
}
# 2.6 seconds at a time and a position each 40 ms: for tests and trials
_TINY = {
    **{"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2},
    **{"intermediate_size": 64, "max_length": 256, "num_mel_bins": 32},
    **{"frequency_stride": 8, "time_stride": 4},
}

AST = Backbone(
    name="ast",
    modality="audio",
    sizes={
        "tiny": Size(config={**_KIND, **_TINY}),
        "small": Size(config={**_KIND, **_SMALL}),
        "base": Size(config=_KIND, hub="MIT/ast-finetuned-audioset-10-10-0.4593"),
    },
    build=Lazy("multigraft_speech.ast.build:build"),
    reader=Lazy("multigraft_speech.ast.specs:ast_spec"),
    options={"spec_augment": SPECTROGRAM_AUGMENT},
    quantization="dynamic",
)
