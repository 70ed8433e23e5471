"""Ways to break bytes and values that were sound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

Bytes = bytes | bytearray

INTS = st.one_of(
    st.integers(-3, 300), st.sampled_from([-(2**63), 2**31, 2**63, 2**64, 10**30, 10**400])
)
FLOATS = st.floats(allow_nan=True, allow_infinity=True)
ODD_TEXTS = st.sampled_from(
    [
        *(
            "",
            " ",
            "\0",
            "\ud800",
            "a\udcffb",
            "\ufeff",
            "\ufffd",
            "../../etc/passwd",
            "/dev/zero",
            "~",
            "-",
        ),
        *(
            "nan",
            "inf",
            "null",
            "true",
            "1e999",
            "0x10",
            "!!python/object:os.system",
            "{}",
            "[",
            "&a *a",
        ),
        *(
            "a" * 5000,
            "\u202e" * 20,
            "e\u0301",
            "🎉" * 50,
            "\n\r\n",
            "name=",
            "%s%n",
            "${HOME}",
            "`id`",
        ),
    ]
)
TEXTS = st.one_of(
    ODD_TEXTS, st.text(max_size=40), st.text(st.characters(categories=None), max_size=20)
)
SCALARS = st.one_of(st.none(), st.booleans(), INTS, FLOATS, TEXTS)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(TEXTS.filter(lambda text: len(text) < 99), inner, max_size=4),
    ),
    max_leaves=8,
)
"""Any value that JSON and YAML can say, the odd ones often."""


@st.composite
def broken_bytes(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Sound bytes cut off, flipped, overwritten, repeated or mixed up; sometimes left as they
    are."""
    content = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 3))):
        content = bytearray(draw(_broken_once(bytes(content))))
    return bytes(content)


def _broken_once(content: bytes) -> st.SearchStrategy[bytes]:
    size = len(content)
    place = st.integers(0, max(0, size - 1))
    return st.one_of(
        st.integers(0, 10).map(lambda tenth: content[: size * tenth // 10]),
        place.map(lambda cut: content[:cut]),
        st.tuples(place, st.integers(0, 7)).map(lambda at: _flip(content, *at)),
        st.tuples(st.integers(0, min(size, 80)), st.integers(0, 255)).map(
            lambda at: _put(content, at[0], bytes([at[1]]))
        ),
        st.tuples(place, st.binary(min_size=1, max_size=8)).map(lambda at: _put(content, *at)),
        st.tuples(
            place,
            st.sampled_from([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f"]),
        ).map(lambda at: _put(content, *at)),
        st.binary(max_size=30).map(lambda junk: content + junk),
        st.binary(max_size=30).map(lambda junk: junk + content),
        st.tuples(place, place).map(lambda at: content[: min(at)] + content[max(at) :]),
        st.binary(max_size=64),
    )


def _flip(content: bytes, at: int, bit: int) -> bytes:
    return _put(content, at, bytes([content[at] ^ (1 << bit)])) if content else content


def _put(content: bytes, at: int, new: bytes) -> bytes:
    return content[:at] + new + content[at + len(new) :]


@st.composite
def broken_values(draw: st.DrawFn, sound: Any, junk: st.SearchStrategy[Any] = JUNK) -> Any:
    """A value of JSON with up to three of its parts replaced, removed, repeated or added to."""
    value = sound
    for _ in range(draw(st.integers(1, 3))):
        paths = list(_paths(value))
        value = _changed(value, draw(st.sampled_from(paths)), draw)
    return value if draw(st.integers(0, 30)) else draw(junk)


def _paths(value: Any, start: tuple[Any, ...] = ()) -> Any:
    yield start
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, (*start, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value[:5]):
            yield from _paths(inner, (*start, index))


def _changed(value: Any, path: Sequence[Any], draw: st.DrawFn) -> Any:
    """The value with the part at ``path`` broken; nothing of the old one is changed in place."""
    if path:
        part = dict(value) if isinstance(value, dict) else list(value)
        if len(path) == 1 and draw(st.integers(0, 4)) == 0:
            del part[path[0]]
        else:
            part[path[0]] = _changed(part[path[0]], path[1:], draw)
        return part
    if isinstance(value, dict) and draw(st.booleans()):
        return {**value, draw(TEXTS): draw(JUNK)}
    if isinstance(value, list) and draw(st.booleans()):
        return [*value, *(value[-1:] or [draw(JUNK)])]
    return draw(JUNK)
