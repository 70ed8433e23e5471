from __future__ import annotations

import multigraft_text as text
from helpers.text_toys import grow
from multigraft.contracts.reader import WindowReader
from multigraft_text.reader import TextReader

WORDS = "the quick brown fox jumps over the lazy dog and runs home to sleep ".split() * 3


def test_a_long_text_is_read_whole_in_windows_that_overlap() -> None:
    reader = grow(text.BERT, max_length=16).reader
    assert isinstance(reader, WindowReader)
    roomy = TextReader({**reader.spec(), "max_length": 512})
    whole = roomy.read(" ".join(WORDS))["input_ids"].tolist()
    windows = [row["input_ids"].tolist() for row in reader.windows(" ".join(WORDS))]
    assert len(windows) > 2 and max(map(len, windows)) == 16
    # [CLS] and [SEP]
    assert all((window[0], window[-1]) == (whole[0], whole[-1]) for window in windows)
    joined = windows[0][1:-1]
    for window in windows[1:]:
        assert joined[-4:] == window[1:5]  # a quarter of 16 is shared
        joined += window[5:-1]
    assert joined == whole[1:-1]


def test_a_text_that_fits_is_one_row_and_truncation_is_as_it_was() -> None:
    reader = grow(text.BERT, max_length=16).reader
    before = reader.read(" ".join(WORDS))["input_ids"].tolist()
    (row,) = reader.windows("the dog")
    assert row["input_ids"].tolist() == reader.read("the dog")["input_ids"].tolist()
    assert len(reader.windows((" ".join(WORDS), "the dog"))) == 1  # a pair is cut off
    reader.windows(" ".join(WORDS))
    assert reader.read(" ".join(WORDS))["input_ids"].tolist() == before
