"""Speech synthesis by eSpeak NG, through the shared library that espeakng-loader brings.

It runs as a process of its own (``python -m multigraft.cli.demo.speak``): the library keeps noise
and flutter from one word to the next, so only a fresh process speaks the same list with the same
samples.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from multigraft.errors import MultigraftError

RATE = 22_050
SYNCHRONOUS = 2
DONT_EXIT = 0x8000
RATE_PARAMETER, PITCH_PARAMETER = 1, 3
UTF8 = 1
CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@dataclass(frozen=True)
class Utterance:
    """A text to be said, and how."""

    text: str
    voice: str
    """A language and a variant, as ``en-us+f3``."""
    words_per_minute: int = 175
    pitch: int = 50
    """0 to 99."""


def speak(utterances: Sequence[Utterance], folder: Path) -> list[np.ndarray]:
    """Say each utterance: int16 samples at `RATE`. ``folder`` briefly holds the process's files."""
    folder.mkdir(parents=True, exist_ok=True)
    asked, said = folder / "utterances.json", folder / "utterances.npz"
    asked.write_text(json.dumps([asdict(each) for each in utterances]), encoding="utf-8")
    command = [sys.executable, "-m", "multigraft.cli.demo.speak", str(asked), str(said)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MultigraftError(f"eSpeak NG could not speak: {(done.stderr or 'it crashed').strip()}")
    with np.load(said) as sounds:
        joined, ends = sounds["samples"], sounds["ends"]
    asked.unlink()
    said.unlink()
    return np.split(joined, ends[:-1])


class Speaker:
    """The library, ready to speak in this process."""

    def __init__(self) -> None:
        import espeakng_loader

        self.library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.chunks: list[np.ndarray] = []
        self.callback = CALLBACK(self._hear)  # kept, as the library does not own it
        data = espeakng_loader.get_data_path().encode()
        self.library.espeak_Initialize.argtypes = [
            ctypes.c_int,
            ctypes.c_int,
            ctypes.c_char_p,
            ctypes.c_int,
        ]
        rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, data, DONT_EXIT)
        if rate != RATE:
            raise MultigraftError(
                f"eSpeak NG speaks at {rate} samples a second; {RATE} are expected"
            )
        self.library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        self.library.espeak_ng_SetRandSeed(1)  # otherwise it is the time
        self.library.espeak_SetSynthCallback(self.callback)

    def say(self, utterance: Utterance) -> np.ndarray:
        """Samples, int16. Raises MultigraftError for an unknown voice."""
        self.chunks.clear()
        if self.library.espeak_SetVoiceByName(utterance.voice.encode()):
            raise MultigraftError(f"eSpeak NG has no voice {utterance.voice!r}")
        self.library.espeak_SetParameter(RATE_PARAMETER, utterance.words_per_minute, 0)
        self.library.espeak_SetParameter(PITCH_PARAMETER, utterance.pitch, 0)
        text = utterance.text.encode() + b"\0"
        self.library.espeak_Synth(text, ctypes.c_size_t(len(text)), 0, 1, 0, UTF8, None, None)
        return np.concatenate(self.chunks) if self.chunks else np.zeros(0, np.int16)

    def _hear(self, samples: object, count: int, events: object) -> int:
        del events
        if samples and count > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0


def main(asked: Path, said: Path) -> None:
    """Speak what the file ``asked`` lists and keep it as ``said``."""
    speaker = Speaker()
    utterances = [Utterance(**each) for each in json.loads(asked.read_text(encoding="utf-8"))]
    sounds = [speaker.say(utterance) for utterance in utterances]
    np.savez(said, samples=np.concatenate(sounds), ends=np.cumsum([len(sound) for sound in sounds]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
