"""Answer a sound with a bundle, without multigraft: python audio.py BUNDLE sound.wav"""

import json
import os
import sys
from pathlib import Path

import numpy as np
import soundfile


def main(folder: Path, path: str) -> None:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # unset, its makers are told of its use
    import onnxruntime

    bundle = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    reader = bundle["reader"]
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    if rate != reader["sample_rate"]:
        sys.exit(f"{path} has {rate} samples a second; resample it to {reader['sample_rate']}")
    samples = samples.mean(axis=1)[: round(reader["max_seconds"] * rate)]
    arrays = {
        "input_values": samples[None],
        "attention_mask": np.ones((1, len(samples)), dtype=np.int64),
    }
    file = bundle["precisions"][bundle["default"]]["file"]
    session = onnxruntime.InferenceSession(str(folder / file), providers=["CPUExecutionProvider"])
    feed = {port.name: arrays[port.name] for port in session.get_inputs()}
    (probabilities,) = session.run(["probabilities"], feed)[0]
    scores = dict(zip(bundle["targets"]["labels"], map(float, probabilities), strict=True))
    print(json.dumps(dict(sorted(scores.items(), key=lambda pair: -pair[1]))))


main(Path(sys.argv[1]), sys.argv[2])
