"""The command line: any command with any arguments, and files and folders that are not what they
seem."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from fuzz import recipes
from fuzz.breaking import TEXTS, broken_bytes
from fuzz.harness import Border, WrongAnswer
from multigraft.cli import main
from multigraft.errors import MultigraftError

FILES = (
    "recipe.yaml",
    "broken.yaml",
    "rows.csv",
    "empty",
    "folder",
    "run",
    "bundle",
    "/dev/null",
    "no/such/file",
)
VALUES = st.one_of(
    TEXTS.filter(lambda text: "\0" not in text), st.sampled_from(FILES), st.integers().map(str)
)
TRAINING_FLAGS = (
    "--task --backbone --data --weights --strategy --epochs --batch-size --learning-rate --seed "
    "--out --set"
).split()
OTHER_FLAGS = (
    "--json --quiet -q --debug --help -h --version --split --precision --top-k --stdin --clear"
).split()
FLAGS = st.sampled_from([*TRAINING_FLAGS, *OTHER_FLAGS])
NAMED = st.tuples(
    st.sampled_from(["finetune", "pretrain"]),
    st.sampled_from(FILES),
    st.lists(st.tuples(st.sampled_from(TRAINING_FLAGS), VALUES), max_size=3),
).map(lambda said: [said[0], said[1], *[word for pair in said[2] for word in pair]])
ASSIGNED = st.tuples(recipes.FIELDS, VALUES).map(
    lambda pair: ["finetune", "recipe.yaml", "--set", "=".join(pair)]
)
OPENING = st.tuples(
    st.sampled_from(
        ["resume", "evaluate", "compare", "runs", "export", "predict", "rank", "doubts", "prepare"]
    ),
    VALUES,
    st.lists(VALUES | st.sampled_from(["--stdin", "-", "--json"]), max_size=3),
).map(lambda said: [said[0], said[1], *said[2]])
LOOKING = st.tuples(
    st.sampled_from([["recipe"], ["recipe", "check"], ["schema"], ["plugins"], ["cache"], []]),
    st.lists(st.one_of(FLAGS, VALUES), max_size=3),
).map(lambda said: [*said[0], *said[1]])
ANY = st.lists(
    st.one_of(FLAGS, VALUES, st.sampled_from("finetune evaluate predict cache".split())), max_size=5
)
ARGUMENTS = st.one_of(NAMED, ASSIGNED, OPENING, LOOKING, ANY)
STDIN = st.one_of(st.binary(max_size=40), st.just(b"\xff\xfe\n"), st.just(b"a film\n"))
INPUTS = st.tuples(ARGUMENTS, STDIN, broken_bytes(st.just(recipes.TEXT.encode())))


class Refused(MultigraftError):
    """The command line said no, with a word and the right exit code."""


def prepare(folder: Path) -> None:
    """Files that exist, none of which can be trained on."""
    recipes.catalog()
    (folder / "recipe.yaml").write_text(recipes.TEXT)
    (folder / "rows.csv").write_text("text,label\na,b\n")
    for name in ("empty", "reviews.csv"):
        (folder / name).touch()
    for name in ("folder", "run", "bundle"):
        (folder / name).mkdir()
    (folder / "run" / "run.json").write_text('{"state": "finished"}')
    (folder / "bundle" / "bundle.json").write_text('{"format": 1}')


def feed(folder: Path, given: tuple[list[str], bytes, bytes]) -> None:
    """An exit code of 1 or 2 comes with a word and without a traceback; no error is one nobody
    foresaw."""
    arguments, typed, broken = given
    (folder / "broken.yaml").write_bytes(broken)
    with _desk(folder, typed) as (out, err):
        code = main([word for word in arguments if word != "--debug"])
    said = (err.getvalue() + out.getvalue()).decode(errors="replace")
    if code not in (0, 1, 2) or "Traceback" in said or "not an error we foresaw" in said:
        raise WrongAnswer(f"exit code {code}\n{said[-1500:]}")
    if code and not said.strip():
        raise WrongAnswer(f"exit code {code} without a word")
    if code:
        raise Refused(said)


@contextmanager
def _desk(folder: Path, typed: bytes) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """A working folder, and streams as strict as a terminal's."""
    out, err = io.BytesIO(), io.BytesIO()
    before, streams = Path.cwd(), (sys.stdin, sys.stdout, sys.stderr)
    os.chdir(folder)
    sys.stdin = io.TextIOWrapper(io.BytesIO(typed), encoding="utf-8")
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(
        err, encoding="utf-8", errors="backslashreplace", write_through=True
    )
    try:
        yield out, err
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.detach()  # else closed with what it wrote
        sys.stdin, sys.stdout, sys.stderr = streams
        os.chdir(before)


def sound() -> list[tuple[list[str], bytes, bytes]]:
    """Commands that succeed."""
    lines = [
        "--version",
        "plugins --json",
        "recipe",
        "recipe check recipe.yaml",
        "schema",
        "cache --json",
        "recipe -h",
    ]
    return [(line.split(), b"", b"") for line in lines]


BORDER = Border("cli", INPUTS, feed, sound, prepare)
