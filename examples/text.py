"""Answer a text with a bundle, without multigraft: python text.py BUNDLE "a fine film" """

import json
import os
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer


def main(folder: Path, text: str) -> None:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # unset, its makers are told of its use
    import onnxruntime

    bundle = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(bundle["reader"]["max_length"])
    tokens = tokenizer.encode(text)
    arrays = {
        "input_ids": tokens.ids,
        "attention_mask": tokens.attention_mask,
        "token_type_ids": tokens.type_ids,
    }
    file = bundle["precisions"][bundle["default"]]["file"]
    session = onnxruntime.InferenceSession(str(folder / file), providers=["CPUExecutionProvider"])
    wanted = [port.name for port in session.get_inputs()]
    feed = {name: np.array([arrays[name]], dtype=np.int64) for name in wanted}
    (probabilities,) = session.run(["probabilities"], feed)[0]
    scores = dict(zip(bundle["targets"]["labels"], map(float, probabilities), strict=True))
    print(json.dumps(dict(sorted(scores.items(), key=lambda pair: -pair[1]))))


main(Path(sys.argv[1]), sys.argv[2])
