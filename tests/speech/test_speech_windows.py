from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from multigraft.contracts.reader import WindowReader
from multigraft.errors import RowError
from multigraft_speech.reader import AudioReader

READER = AudioReader(max_seconds=1.0)


def test_a_long_sound_is_read_whole_in_windows_that_overlap(tmp_path: Path) -> None:
    sound = np.linspace(-0.5, 0.5, 45_000, dtype=np.float32)
    soundfile.write(tmp_path / "long.wav", sound, 16_000, subtype="FLOAT")
    assert isinstance(READER, WindowReader)
    windows = [row["input_values"] for row in READER.windows(tmp_path / "long.wav")]
    assert [len(window) for window in windows] == [16_000] * 4  # the last ends with the sound
    np.testing.assert_array_equal(windows[0], sound[:16_000])
    np.testing.assert_array_equal(windows[-1], sound[-16_000:])
    starts = [int(np.searchsorted(sound, window[0])) for window in windows]
    assert max(np.diff(starts)) <= 12_000  # a quarter is shared at least


def test_a_sound_that_fits_is_one_row() -> None:
    sound = np.full(8_000, 0.1, dtype=np.float32)
    (row,) = READER.windows(sound)
    np.testing.assert_array_equal(row["input_values"], READER.read(sound)["input_values"])
    assert row["attention_mask"].sum() == 8_000


def test_what_cannot_be_read_is_refused_as_before() -> None:
    with pytest.raises(RowError, match="holds no sound"):
        READER.windows(np.zeros(0, dtype=np.float32))


def test_more_than_an_hour_is_refused_with_both_counts() -> None:
    reader = AudioReader(sample_rate=1000, max_seconds=30.0)
    assert len(reader.windows(np.full(3600 * 1000, 0.1, dtype=np.float32))) > 120
    with pytest.raises(RowError, match=r"has 3,600.5 seconds, and 3,600 are read; cut it"):
        reader.windows(np.full(3_600_500, 0.1, dtype=np.float32))


@pytest.mark.parametrize("rate", [16_000, 44_100, 8_000])
def test_a_sound_is_one_window_where_nothing_of_it_is_cut(rate: int) -> None:
    """By which a task whose target describes all of a sound, as a transcript, knows that it was
    cut."""
    for seconds, cut in ((0.5, False), (1.0, False), (1.01, True), (3.0, True)):
        sound = np.full(round(seconds * rate), 0.1, dtype=np.float32)
        assert (len(READER.windows((sound, rate))) > 1) is cut
        assert len(READER.read((sound, rate))["input_values"]) >= (
            15_990 if seconds >= 1 else 7_000
        )
