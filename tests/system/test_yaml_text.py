from __future__ import annotations

from pathlib import Path

import pytest

from multigraft.system.yaml_text import DEPTH, LIMIT, VALUES, YamlError, parse_yaml, read_yaml


def test_plain_data_and_anchors_are_read() -> None:
    assert parse_yaml("a: &x [1, two]\nb: *x\nc: {<<: {d: 1}}") == {
        "a": [1, "two"],
        "b": [1, "two"],
        "c": {"d": 1},
    }
    assert parse_yaml("# nothing") is None


def laughs(levels: int) -> str:
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels + 1)]
    return "\n".join(["a0: &a0 [x]", *lines])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (laughs(9), f"stands for more than {VALUES:,} values"),
        ("[" * (DEPTH + 2) + "]" * (DEPTH + 2), "nested more than 50 deep"),
        ("[" * 100_000, "nested more than 50 deep"),
        ("a: &a {b: *a}", "holds itself"),
        ("seed: 1\nseed: 2", "says 'seed' twice, again in line 2"),
        ("x: " + "y" * LIMIT, "larger than 128 KB"),
        (
            "x: !!python/object/apply:os.system ['id']",
            "is not YAML: could not determine a constructor",
        ),
        ("x: 2001-99-99", "is not YAML: month"),
        ("x: !!timestamp y", "is not YAML"),
        ("x: !!int y", "is not YAML: invalid literal"),
        ("{[a]: 1, ", "is not YAML"),
        ("a: 1\n--- b", "is not YAML: expected a single document"),
        ("\0", "is not YAML: unacceptable character"),
    ],
)
def test_what_is_not_plain_data_is_refused(text: str, message: str) -> None:
    with pytest.raises(YamlError, match=message):
        parse_yaml(text)


def test_few_copies_are_fine_and_many_are_not() -> None:
    assert len(parse_yaml(laughs(2))["a2"]) == 10
    with pytest.raises(YamlError):
        parse_yaml(laughs(4))


def test_a_file_is_read_no_further_than_the_limit() -> None:
    with pytest.raises(YamlError, match="larger than 128 KB"):
        read_yaml(Path("/dev/zero"))


def test_a_byte_order_mark_is_no_key_and_latin_1_is_named(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_bytes(b"\xef\xbb\xbftask: x")
    assert read_yaml(file) == {"task": "x"}
    file.write_bytes("task: é".encode("latin-1"))
    with pytest.raises(YamlError, match="not UTF-8: byte 6 is 0xe9"):
        read_yaml(file)
