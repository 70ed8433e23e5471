"""Settings, stops and pieces of generation, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multigraft.contracts.options import types_like
from multigraft.errors import GenerationError
from multigraft.runtime.answers import ANSWERS
from multigraft.runtime.bundle import CachePort, Generation
from multigraft.runtime.generation.beam_search import best_of
from multigraft.runtime.generation.decoder_cache import Decoding, left_padded
from multigraft.runtime.generation.options import ASKS, settings
from multigraft.runtime.generation.sampling import keep_top_p
from multigraft.runtime.generation.text import Pieces, Stops


def text(tokens: Sequence[int]) -> str:
    """Tokens that are bytes of UTF-8; 256 is special."""
    return bytes(token for token in tokens if token < 256).decode(errors="replace")


def stops(*texts: str, tokens: Sequence[int] = (256,)) -> Stops:
    return Stops(frozenset(tokens), texts, text)


def told(tokens: Sequence[int], ends: Stops) -> list[str]:
    pieces = Pieces(ends)
    return [*(pieces.add(token) for token in tokens), pieces.close()]


@given(st.text(max_size=20))
def test_pieces_are_whole_characters_and_together_the_text(words: str) -> None:
    pieces = told(list(words.encode()), stops())
    assert "".join(pieces) == words
    if "\ufffd" not in words:
        assert not any("\ufffd" in piece for piece in pieces)


@given(st.binary(max_size=20), st.sampled_from([(), ("ab",), ("a", "bab"), ("\u00e9",)]))
def test_pieces_are_the_text_before_its_first_stop_whatever_the_bytes(
    raw: bytes, texts: tuple[str, ...]
) -> None:
    ends = stops(*texts)
    assert "".join(told(list(raw), ends)) == ends.cut(raw.decode(errors="replace"))


def test_what_may_become_a_stop_is_held_back() -> None:
    assert told(list(b"go STOP"), stops("STOP")) == ["g", "o", " ", "", "", "", "", ""]
    assert told(list(b"go STAY"), stops("STOP")) == ["g", "o", " ", "", "", "STA", "Y", ""]
    assert told(list("né".encode()), stops()) == ["n", "", "é", ""]


def test_why_a_text_ends() -> None:
    ends = stops("END", tokens=(256, 7))
    assert ends.ended([65, 256], 9) == "stop"
    assert ends.ended([65, 7], 9) == "stop"
    assert ends.ended(list(b"the END"), 9) == "stop"
    assert ends.ended(list(b"the EN"), 9) is None
    assert ends.ended(list(b"the EN"), 6) == "length"
    assert ends.ended([*b"an END", 256], 7) == "stop"  # the end is a stop, though room ran out too
    assert ends.cut("a END b") == "a " and ends.cut("a") == "a"


def test_settings_have_defaults_and_take_one_stop_or_many() -> None:
    assert settings({}).method == "greedy"
    assert settings({"stop": "x"}).stop == ("x",)
    assert settings({"stop": 3}).stop == (3,)
    assert settings({"stop": ["x", 3]}).stop == ("x", 3)


COUNTS = ("max_new_tokens", "beams", "top_k", "batch_size", "seed")


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize(
    "value", [1.5, 2.0, True, "3", float("inf"), np.float64(2), np.bool_(True)]
)
def test_a_setting_that_counts_is_a_whole_number(name: str, value: Any) -> None:
    told = rf"{name}: found .*; it should be a whole number"
    with pytest.raises(GenerationError, match=told):
        settings({name: value, "method": "beam" if name == "beams" else "sample"})  # type: ignore[misc]


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "sample", "temperature": 0},
        {"method": "sample", "temperature": 1e-300},
        {"method": "sample", "temperature": 1e300},
        {"method": "beam", "length_penalty": 1e6},
        {"method": "beam", "length_penalty": -1e6},
    ],
)
def test_a_number_that_no_score_can_be_held_to_is_refused(asked: Any) -> None:
    with pytest.raises(GenerationError, match=r"found .*; it should be at (least|most)"):
        settings(asked)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"max_new_tokens": 10**6}, "found 1000000; it should be at most 65536"),
        ({"method": "beam", "beams": 65}, "found 65; it should be at most 64"),
        ({"batch_size": 1025}, "found 1025; it should be at most 1024"),
        ({"stop": ["a"] * 17}, "found 17; at most 16 may end a text"),
        ({"stop": "a" * 257}, "has 257 characters; 256 may be"),
    ],
)
def test_what_work_and_memory_grow_with_is_bounded(asked: Any, says: str) -> None:
    with pytest.raises(GenerationError, match=says):
        settings(asked)


def test_every_number_that_may_be_asked_of_answers_has_an_end() -> None:
    asks = [ASKS, *(each({"labels": ["a"]}).asks for each in ANSWERS.values())]
    numbers = {
        name: option
        for each in asks
        for name, option in each.items()
        if {int, float} & set(option.types or types_like(option.default))
    }
    assert {"beams", "max_new_tokens", "threshold", "seed"} <= numbers.keys()
    endless = {name for name, option in numbers.items() if option.high is None}
    assert endless == {"top_k", "stop"}, "more of which costs nothing, or is counted by itself"


@pytest.mark.parametrize("stop", [1.5, True, [2.0], ["x", None]])
def test_a_stop_is_a_text_or_a_whole_number(stop: Any) -> None:
    told = r"stop: found .*; it should be a text or a token's id"
    with pytest.raises(GenerationError, match=told):
        settings({"stop": stop})
    (found,) = settings({"stop": np.int64(3)}).stop  # type: ignore[typeddict-item]
    assert (found, type(found)) == (3, int), "as Python's, by which stops are told from texts"


def test_all_wrong_settings_are_told_at_once() -> None:
    asked: dict[str, Any] = {
        "max_new_tokens": 0,
        "temperature": 0.5,
        "top_p": 0,
        "beams": True,
        "stop": [""],
        "repetition_penalty": float("nan"),
        "seeds": 3,
    }
    with pytest.raises(GenerationError) as caught:
        settings(asked)  # type: ignore[arg-type]
    said = str(caught.value)
    for part in (
        "seeds: no such setting; did you mean 'seed'?",
        "max_new_tokens: found 0; it should be at least 1",
        "temperature: belongs to method='sample', and the method is 'greedy'",
        "top_p: found 0; it should be at least 1e-12",
        "beams: found True; it should be a whole number",
        "stop: found ''; it should be a text or a token's id",
        "repetition_penalty: found nan; it should be finite",
    ):
        assert part in said
    with pytest.raises(GenerationError, match="did you mean 'greedy'"):
        settings({"method": "gredy"})  # type: ignore[typeddict-item]


def test_top_p_keeps_the_likeliest_that_reach_it() -> None:
    scores = np.log(np.array([[0.5, 0.1, 0.3, 0.1]], dtype=np.float32))
    assert np.isinf(keep_top_p(scores, 0.75)).tolist() == [[False, True, False, True]]
    assert np.isinf(keep_top_p(scores, 0.4)).tolist() == [[False, True, True, True]]


class Recorder:
    """A session that gives its own inputs back as cache, and remembers what it was fed."""

    def __init__(self) -> None:
        self.fed: list[dict[str, np.ndarray]] = []

    def value(self, array: np.ndarray) -> Any:
        from onnxruntime import OrtValue

        return OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array))

    def chain(self, values: Any) -> Any:
        from onnxruntime import OrtValue

        arrays = {name: value.numpy().copy() for name, value in values.items()}
        self.fed.append(arrays)
        tokens = arrays["t"]
        present = np.concatenate(
            [arrays["past"], tokens[:, None, :, None].astype(np.float32)], axis=2
        )
        self.held = {
            "logits": OrtValue.ortvalue_from_numpy(np.zeros((len(tokens), 1, 9), np.float32)),
            "present": OrtValue.ortvalue_from_numpy(present),
        }
        return self.held


def ports(**changed: Any) -> Generation:
    return Generation(
        **{
            "tokens": "t",
            "mask": "m",
            "positions": "p",
            "kept": "k",
            "logits": "logits",
            "cache": (
                CachePort(
                    past="past", present="present", dtype="float32", shape=("batch", 1, "past", 1)
                ),
            ),
            "pad": 0,
            "vocabulary": 9,
            "max_length": 8,
            **changed,
        }
    )


def test_a_decoder_is_fed_masks_places_and_its_own_cache() -> None:
    session = Recorder()
    decoding = Decoding(session, ports(), rows=2)  # type: ignore[arg-type]
    decoding.advance(*left_padded([np.array([5]), np.array([6, 7, 8])], 0))
    decoding.advance(np.array([[1], [2]]))
    decoding.choose([1, 1, 0])
    decoding.advance(np.array([[3], [4], [5]]))
    first, second, third = session.fed
    assert first["past"].shape == (2, 1, 0, 1)
    assert first["t"].tolist() == [[0, 0, 5], [6, 7, 8]]
    assert first["m"].tolist() == [[0, 0, 1], [1, 1, 1]]
    assert first["p"].tolist() == [[0, 0, 0], [0, 1, 2]]
    assert first["k"].tolist() == [2]
    assert second["m"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert (second["p"].tolist(), second["k"].tolist()) == ([[1], [3]], [0])
    assert third["past"][:, 0, :, 0].tolist() == [[6, 7, 8, 2], [6, 7, 8, 2], [0, 0, 5, 1]]
    assert third["p"].tolist() == [[4], [4], [2]]
    decoding.choose([2])  # only the short row is left, and its padding goes
    decoding.advance(np.array([[6]]))
    assert session.fed[3]["past"][0, 0, :, 0].tolist() == [5, 1, 5]
    assert session.fed[3]["m"].tolist() == [[1, 1, 1, 1]]


def test_a_state_of_one_size_begins_as_zeros_and_follows_its_row() -> None:
    class Counts(Recorder):
        """Adds each token to a state, [B, 1]."""

        def chain(self, values: Any) -> Any:
            from onnxruntime import OrtValue

            arrays = {name: value.numpy().copy() for name, value in values.items()}
            self.fed.append(arrays)
            added = (arrays["t"] * arrays["m"][:, -arrays["t"].shape[1] :]).sum(1, keepdims=True)
            self.held = {
                "logits": OrtValue.ortvalue_from_numpy(np.zeros((len(added), 1, 9), np.float32)),
                "present": OrtValue.ortvalue_from_numpy((arrays["past"] + added).astype("float32")),
            }
            return self.held

    port = CachePort(past="past", present="present", dtype="float32", shape=("batch", 1))
    session = Counts()
    decoding = Decoding(session, ports(cache=(port,)), rows=2)  # type: ignore[arg-type]
    decoding.advance(*left_padded([np.array([5]), np.array([6, 7, 8])], 4))
    decoding.choose([1, 1, 0])
    decoding.advance(np.array([[3], [4], [2]]))
    decoding.choose([2])
    decoding.advance(np.array([[1]]))
    assert [fed["past"].tolist() for fed in session.fed] == [[[0], [0]], [[21], [21], [5]], [[7]]]
    assert session.fed[2]["m"].tolist() == [[1, 1, 1]]  # no padding is left


def test_a_memory_is_copied_only_where_a_row_reads_another_source() -> None:
    session = Recorder()
    memory = {"keys": np.array([[1.0], [2.0]], dtype=np.float32)}
    decoding = Decoding(session, ports(), rows=2, memory=memory)  # type: ignore[arg-type]
    decoding.advance(np.array([[5], [6]]))
    decoding.choose([0, 0, 1, 1])
    beams = decoding._memory["keys"]
    decoding.choose([1, 1, 3, 2])  # beams change places within their prompts
    assert decoding._memory["keys"] is beams
    decoding.advance(np.array([[1], [2], [3], [4]]))
    decoding.choose([2, 3])  # the first prompt is done
    decoding.advance(np.array([[1], [2]]))
    assert [fed["keys"].ravel().tolist() for fed in session.fed] == [[1, 2], [1, 1, 2, 2], [2, 2]]


def test_inputs_that_a_graph_does_not_have_are_not_fed() -> None:
    session = Recorder()
    decoding = Decoding(session, ports(mask=None, positions=None, kept=None), rows=1)  # type: ignore[arg-type]
    decoding.advance(np.array([[5]]))
    assert session.fed[0].keys() == {"t", "past"}


@pytest.mark.parametrize("size", [1, 63, 64, 65, 5000])
@pytest.mark.parametrize("kind", ["all differ", "many are equal", "most are never"])
def test_the_best_candidates_are_those_of_sorting_all(size: int, kind: str) -> None:
    rng = np.random.default_rng(size)
    scores = rng.normal(size=size).astype(np.float32)
    if kind == "many are equal":
        scores = scores.round()
    elif kind == "most are never":
        scores[rng.random(size) < 0.9] = -np.inf
    wanted = np.lexsort((np.arange(size), -scores))
    for count in {1, 2, 8, size}:
        if count <= size:
            assert best_of(scores, count).tolist() == wanted[:count].tolist()
