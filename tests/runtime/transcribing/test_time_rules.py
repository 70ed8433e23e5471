"""Rules of times, held to transformers' own logits processor on random texts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GenerationConfig
from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

from multigraft.runtime.bundle import Speech
from multigraft.runtime.transcribing.time_rules import TimeRules

END, NO_TIMES, FIRST, VOCABULARY = 10, 12, 13, 40
TOKENS = st.lists(st.integers(0, VOCABULARY - 1).filter(lambda t: t < END or t >= FIRST))


@pytest.mark.parametrize("latest", [None, 5])
@settings(max_examples=60, deadline=None)
@given(TOKENS, st.integers(0, 1000))
def test_they_are_those_of_transformers(latest: int | None, written: list[int], seed: int) -> None:
    scores = np.random.default_rng(seed).normal(0, 2, VOCABULARY).astype(np.float32)
    speech = Speech(
        first_timestamp=FIRST, no_timestamps=NO_TIMES, no_speech=11, previous=9, latest_first=latest
    )
    config = GenerationConfig(
        eos_token_id=END, no_timestamps_token_id=NO_TIMES, max_initial_timestamp_index=latest
    )
    theirs = WhisperTimeStampLogitsProcessor(config, begin_index=1)
    wanted = theirs(torch.tensor([[0, *written]]), torch.from_numpy(scores)[None])[0].numpy()
    with np.errstate(divide="ignore"):
        found = TimeRules(speech, END).allowed(scores, written)
    np.testing.assert_array_equal(found, wanted)
