"""Corpora that are prepared: what is kept, counted and written, and that nothing else matters."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

import multigraft as mg
from helpers.corpora import planted, rows_of, write_lines
from multigraft import preparing
from multigraft.data.prepare import corpus as corpus_module
from multigraft.data.prepare import shards, workspace
from multigraft.errors import DataError, RunError
from multigraft.plugins.catalog import Catalog

STEPS = [
    "spaces",
    "exact-duplicates",
    {"name": "near-duplicates", "near": 0.7},
    "gopher-word-length",
]


def prepared(folder: Path, **fields: Any) -> mg.Prepared:
    return mg.prepare(quiet=True, **{"output": folder / "out", "workers": 1, **fields})


def hashes(folder: Path) -> dict[str, str]:
    found = sorted(folder.glob("*/*.parquet"))
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
    }


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Three files of texts with duplicates among them."""
    texts = planted(300, share=0.3).texts
    (tmp_path / "in").mkdir()
    for part in range(3):
        write_lines(tmp_path / "in" / f"part-{part}.jsonl", texts[part * 100 : part * 100 + 100])
    return tmp_path


def test_counts_shards_and_manifest_agree(corpus: Path) -> None:
    found = prepared(corpus, source=f"{corpus}/in/*.jsonl", steps=STEPS)
    told = found.manifest
    rows = list(rows_of(found.folder / "train"))
    assert told["rows_read"] == 300
    assert told["rows"] == {"train": len(rows)}
    seen = [each["seen"] for each in told["steps"]]
    kept = [each["kept"] for each in told["steps"]]
    assert seen == [300, *kept[:-1]] and kept[-1] == len(rows) < 250
    assert [each["name"] for each in told["steps"]] == [
        *("spaces", "exact-duplicates", "near-duplicates", "gopher-word-length")
    ]
    assert {each["file"]: each["sha256"] for each in told["shards"]} == hashes(found.folder)
    assert told["recipe"]["steps"][2] == {"name": "near-duplicates", "column": None, "near": 0.7}
    assert told["versions"]["multigraft"] == mg.__version__
    part = corpus / "in" / "part-0.jsonl"
    assert told["source"][0]["sha256"] == hashlib.sha256(part.read_bytes()).hexdigest()
    assert sorted(path.name for path in found.folder.iterdir() if path.name[0] != ".") == [
        *("examples.json", "manifest.json", "recipe.yaml", "report.html", "train")
    ]
    assert not (found.folder / ".work").exists()


def test_near_duplicates_are_shown_with_what_stays(corpus: Path) -> None:
    found = prepared(corpus, source=f"{corpus}/in", steps=["near-duplicates"])
    shown = found.corpus.examples["0 near-duplicates"]["dropped"]
    assert len(shown) == 5
    assert all(each["told"].startswith("kept instead, row ") for each in shown)
    page = found.page.read_text()
    assert "near-duplicates" in page and "Kept instead" in page
    assert "<script" not in page and "prefers-color-scheme: dark" in page


@pytest.mark.parametrize("workers", [2, 3])
def test_the_shards_do_not_depend_on_workers(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    fields: dict[str, Any] = {
        "source": f"{corpus}/in",
        "steps": STEPS,
        "split": {"test": 0.2, "validation": 0.1},
    }
    one = prepared(corpus, **fields, output=corpus / "one")
    many = prepared(corpus, **fields, output=corpus / "many", workers=workers)
    assert hashes(one.folder) == hashes(many.folder)
    assert one.manifest["steps"] == many.manifest["steps"]
    assert one.corpus.examples == many.corpus.examples
    assert set(one.manifest["rows"]) == {"train", "validation", "test"}


def test_it_goes_on_wherever_it_was_ended(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended at each place in turn where something is kept, it ends with the same shards."""
    fields: dict[str, Any] = {
        "source": f"{corpus}/in/*.jsonl",
        "steps": [*STEPS, "markup"],
        "split": {"test": 0.2},
    }
    whole = hashes(prepared(corpus, **fields, output=corpus / "whole").folder)
    for calls in range(0, 100, 2):
        output = corpus / f"ended-{calls}"
        try:
            with monkeypatch.context() as patched:
                _end_after(calls, patched)
                prepared(corpus, **fields, output=output)
        except KeyboardInterrupt:
            found = prepared(corpus, **fields, output=output)
            assert hashes(found.folder) == whole
        else:
            break
    assert calls > 15


def _end_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """End the run at the first such call behind so many."""
    left = iter(range(calls))

    def ending(real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return real(*args, **kwargs)

        return call

    for owner, name in (
        *((workspace.Workspace, name) for name in ("write", "finish", "join_keys", "keep_match")),
        (workspace.Workspace, "drop_pass"),
        (workspace.Workspace, "discard"),
        (shards._Shards, "_open"),
        (shards._Shards, "_close"),
        (corpus_module, "write_json"),
    ):
        monkeypatch.setattr(owner, name, ending(getattr(owner, name)))


def test_what_is_there_already_is_not_made_again(corpus: Path) -> None:
    first = prepared(corpus, source=f"{corpus}/in", steps=STEPS)
    times = {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.parquet")}
    again = prepared(corpus, source=f"{corpus}/in", steps=STEPS, workers=2)
    assert again.manifest == first.manifest
    assert times == {path: path.stat().st_mtime_ns for path in first.folder.rglob("*.parquet")}
    with pytest.raises(RunError, match="a corpus of another recipe; name another output"):
        prepared(corpus, source=f"{corpus}/in", steps=["spaces"])
    write_lines(corpus / "in" / "part-0.jsonl", ["another text"])
    with pytest.raises(RunError, match="a corpus of another source"):
        prepared(corpus, source=f"{corpus}/in", steps=STEPS)


def test_what_was_begun_otherwise_is_refused(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace.Workspace, "finish", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepared(corpus, source=f"{corpus}/in", steps=["spaces"])
    with pytest.raises(RunError, match="was begun with another recipe; go on as it was begun"):
        prepared(corpus, source=f"{corpus}/in", steps=["markup"])


def test_a_recipe_that_came_to_nothing_may_be_mended(tmp_path: Path) -> None:
    """Nothing is begun before a row was read, nor where no row is left."""
    path = write_lines(tmp_path / "a.jsonl", ["a text"])
    for wrong in (
        {"columns": {"text": "bdy"}},
        {"steps": [{"name": "length", "column": "title"}]},
        {"steps": [{"name": "length", "low": 9}]},
        {"source": tmp_path / "none.jsonl"},
    ):
        with pytest.raises(DataError):
            prepared(tmp_path, **{"source": path, **wrong})
    assert prepared(tmp_path, source=path, steps=["spaces"]).manifest["rows"] == {"train": 1}


@pytest.mark.parametrize("name", ["train", "test", "recipe.yaml", "report.html", "examples.json"])
def test_what_somebody_else_wrote_is_not_written_over(tmp_path: Path, name: str) -> None:
    path = write_lines(tmp_path / "a.jsonl", ["a text"])
    output = tmp_path / "out"
    if "." in name:
        output.mkdir()
        (output / name).write_text("mine")
    else:
        write_lines(output / name / "00000.parquet", ["mine"])
    with pytest.raises(RunError, match=f"holds {name} already, .* name another output"):
        prepared(tmp_path, source=path)
    assert not (output / "manifest.json").exists()


def test_shards_without_their_manifest_are_not_taken_for_others(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", ["a  text", "another text"])
    first = prepared(tmp_path, source=path)
    (first.folder / "manifest.json").unlink()
    with pytest.raises(RunError, match=r"holds train, recipe\.yaml"):
        prepared(tmp_path, source=path, steps=["spaces"])


def test_a_shard_that_is_gone_is_told(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.jsonl", ["a text"])
    first = prepared(tmp_path, source=path)
    (first.folder / "train" / "00000.parquet").write_bytes(b"other")
    with pytest.raises(RunError, match=r"00000\.parquet: is not as it was written; remove"):
        prepared(tmp_path, source=path)
    (first.folder / "manifest.json").write_text('{"format": 2}')
    with pytest.raises(RunError, match=r"manifest\.json: is of something else"):
        prepared(tmp_path, source=path)


def test_an_output_within_its_source_is_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "in" / "a.jsonl", ["a text"])
    with pytest.raises(RunError, match=r"lies in the source .*, and would be read with it"):
        prepared(tmp_path, source=tmp_path / "in", output=tmp_path / "in" / "clean")
    assert not (tmp_path / "in" / "clean").exists()
    found = prepared(tmp_path, source=f"{tmp_path}/in/*.jsonl", output=tmp_path / "in" / "clean")
    assert found.manifest["rows"] == {"train": 1}


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def test_equal_values_are_never_in_two_splits(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [f"text {number % 200}" for number in range(1000)])
    found = prepared(
        tmp_path, source=tmp_path / "a.jsonl", split={"test": 0.2, "validation": 0.2}, seed=3
    )
    splits = {name: {row["text"] for row in rows_of(Path(p))} for name, p in found.data.items()}
    assert sum(map(len, splits.values())) == 200
    shares = {name: len(texts) / 200 for name, texts in splits.items()}
    assert shares["test"] == pytest.approx(0.2, abs=0.1)
    assert shares["validation"] == pytest.approx(0.2, abs=0.1)


def test_groups_stay_together(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"text {number}", "page": number % 30} for number in range(300)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = prepared(tmp_path, source=path, split={"test": 0.3, "group": "page"})
    pages = [{row["page"] for row in rows_of(Path(folder))} for folder in found.data.values()]
    assert not pages[0] & pages[1] and all(pages)


def test_shards_are_cut_by_size(tmp_path: Path) -> None:
    texts = planted(4000, share=0).texts
    for part in range(4):
        write_lines(tmp_path / f"{part}.jsonl", texts[1000 * part : 1000 * part + 1000])
    found = prepared(tmp_path, source=f"{tmp_path}/*.jsonl", shard_mb=1)
    assert [each["file"] for each in found.manifest["shards"]] == [
        f"train/{number:05d}.parquet" for number in range(len(found.manifest["shards"]))
    ]
    assert len(found.manifest["shards"]) > 1
    assert [row["text"] for row in rows_of(found.folder / "train")] == texts


def test_other_files_columns_and_types(tmp_path: Path) -> None:
    """Files of several kinds and columns become one table; what Arrow cannot join is JSON."""
    (tmp_path / "a.csv").write_text("body,year\nfirst,1999\nsecond,\n")
    with gzip.open(tmp_path / "b.jsonl.gz", "wt") as file:
        file.write('{"body": "third", "year": 2001, "tags": ["x", {"y": 1}]}\n')
    parquet.write_table(
        pa.table({"body": ["fourth"], "year": [2.5], "raw": [b"\x00"]}), tmp_path / "c.parquet"
    )
    found = prepared(
        tmp_path,
        source=[str(tmp_path / name) for name in ("a.csv", "b.jsonl.gz", "c.parquet")],
        columns={"text": "body"},
    )
    rows = list(rows_of(found.folder / "train"))
    assert [row["text"] for row in rows] == ["first", "second", "third", "fourth"]
    assert [json.loads(str(row["year"] or "null")) for row in rows] == ["1999", None, 2001, 2.5]
    assert json.loads(str(rows[2]["tags"])) == ["x", {"y": 1}]
    assert [row["raw"] for row in rows] == [None, None, None, b"\x00"]


def test_rows_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "good"}\n{"text": null}\n{"text": "b\xffd"}\n{"text": 3}\n')
    found = prepared(tmp_path, source=path, steps=["spaces"], encoding="utf-8")
    assert found.manifest["rows_read"] == 4
    assert sum(found.manifest["unread"].values()) == 2
    assert any("is not utf-8" in why for why in found.manifest["unread"])
    assert found.manifest["steps"][0]["dropped"] == {"the value is no text": 1}


def test_reasons_tell_nothing_of_a_value(tmp_path: Path) -> None:
    """Rows are counted by them, and they are kept where no example may be."""
    path = tmp_path / "a.jsonl"
    path.write_text(
        "".join(f'{{"text": "secret{n} \\ud800"}}\n' for n in range(5)) + '{"text": "a"}'
    )
    found = prepared(tmp_path, source=path, steps=["spaces"], examples=0)
    assert list(found.manifest["unread"].values()) == [5]
    assert not any("secret" in file.read_text() for file in found.folder.glob("*.*"))


def test_pictures_that_are_cut_off_are_one_reason(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    whole = io.BytesIO()
    Image.fromarray(noise).save(whole, "JPEG")
    for size in (2000, 2501, 3003, len(whole.getvalue())):
        (tmp_path / "in" / f"{size}.jpg").write_bytes(whole.getvalue()[:size])
    found = prepared(tmp_path, source=tmp_path / "in", modality="image", steps=["image-broken"])
    assert list(found.manifest["steps"][0]["dropped"].values()) == [3]
    examples = found.corpus.examples["0 image-broken"]["dropped"]
    assert len({each["told"] for each in examples}) > 1


def test_shards_of_files_can_be_prepared_again(tmp_path: Path) -> None:
    """Names in a shard start where it says, which is not beside it."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    (tmp_path / "in").mkdir()
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number}.png")
    fields: dict[str, Any] = {"modality": "image", "steps": ["image-broken"]}
    once = prepared(tmp_path, source=tmp_path / "in", **fields)
    again = prepared(tmp_path, source=once.folder / "train", output=tmp_path / "again", **fields)
    assert again.manifest["rows"] == {"train": 3}
    assert list(rows_of(again.folder / "train")) == list(rows_of(once.folder / "train"))


def test_a_column_that_loses_its_name_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "mine", "body": "b"}\n')
    found = prepared(tmp_path, source=path, columns={"text": "body"}, steps=["spaces"])
    assert found.manifest["notes"] == [
        "column 'text' of the source is left out, since columns gives its name to 'body'; to keep "
        "it, give it another: columns: {..., other: text}"
    ]
    columns = {"text": "body", "other": "text"}
    kept = prepared(tmp_path, source=path, columns=columns, output=tmp_path / "kept")
    assert list(rows_of(kept.folder / "train")) == [{"other": "mine", "text": "b"}]
    assert not kept.manifest["notes"]


@pytest.mark.parametrize("steps", [["exact-duplicates"], ["spaces"], ["exact-duplicates", "title"]])
def test_empty_values_are_unread_whatever_looks_at_them(tmp_path: Path, steps: list[str]) -> None:
    """In the column of a later pass too."""
    rows = [{"text": "", "title": "a"}, {"text": " ", "title": "b"}, {"text": "c", "title": "d"}]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"text": "e"}]))
    named = [{"name": "spaces", "column": "title"} if each == "title" else each for each in steps]
    found = prepared(tmp_path, source=path, steps=named)
    left = ["c"] if "title" in steps else ["c", "e"]
    assert [row["text"] for row in rows_of(found.folder / "train")] == left
    assert sum(found.manifest["unread"].values()) == 4 - len(left)


def test_texts_stay_texts_beside_a_number_that_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "plain", "n": 1}\n{"text": 3, "n": "x"}\n')
    found = prepared(tmp_path, source=path, steps=["spaces"])
    assert list(rows_of(found.folder / "train")) == [{"text": "plain", "n": "1"}]
    assert not found.manifest["notes"]
    mixed = prepared(tmp_path, source=path, steps=["exact-duplicates"], output=tmp_path / "mixed")
    assert [row["text"] for row in rows_of(mixed.folder / "train")] == ['"plain"', "3"]
    assert "column 'text' is written as JSON" in mixed.manifest["notes"][0]


def test_columns_can_be_chosen_and_limits_set(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", [f"text {number}" for number in range(50)])
    found = prepared(tmp_path, source=tmp_path / "a.jsonl", keep="text", limit=7)
    rows = list(rows_of(found.folder / "train"))
    assert [set(row) for row in rows] == [{"text"}] * 7


@pytest.mark.parametrize(
    ("content", "fields", "said"),
    [
        (
            '{"text": "a"}',
            {"steps": [{"name": "length", "low": 9}]},
            "length, drops most of them, 1, and 1 of these for: fewer than 9",
        ),
        ('{"text": "a"}', {"columns": {"text": "body"}}, "columns: there is no column 'body'"),
        ("", {}, "is empty"),
        ('{"text": "a"}', {"keep": "txt"}, "keep: there is no column 'txt'; did you mean 'text'"),
        (
            '{"text": "a"}',
            {"split": {"test": 0.5, "group": "pag"}, "steps": [{"name": "spaces", "column": "x"}]},
            "spaces: there is no column 'x'(.|\n)*split.group: there is no column 'pag'",
        ),
    ],
)
def test_what_cannot_be_prepared_is_told(
    tmp_path: Path, content: str, fields: dict[str, Any], said: str
) -> None:
    (tmp_path / "a.jsonl").write_text(content)
    with pytest.raises(DataError, match=said):
        prepared(tmp_path, source=tmp_path / "a.jsonl", **fields)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("rowz.jsonl", "does not exist; did you mean 'rows.jsonl'"),
        ("/dev/zero", "is no plain file"),
        ("no/*.csv", "matches no file"),
        ("rows.odd", "cannot tell its format by the ending '.odd'"),
    ],
)
def test_a_source_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("rows.jsonl", "rows.odd"):
        (tmp_path / name).write_text('{"text": "a"}')
    with pytest.raises(DataError, match=said):
        prepared(tmp_path, source=source)


def test_a_step_on_a_column_that_is_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("body\na\n")
    for made in (prepared, tried):
        with pytest.raises(DataError, match="spaces: there is no column 'text'; allowed: body"):
            made(tmp_path, source=tmp_path / "a.csv", steps=["spaces"])


def tried(folder: Path, **fields: Any) -> object:
    return preparing.tried(preparing.planned(None, fields, Catalog())[0])


def test_a_prepared_corpus_is_the_data_of_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": f"a {w} film {n}", "label": w} for n in range(60) for w in ("good", "bad")]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = prepared(tmp_path, source=path, split={"test": 0.2, "validation": 0.2})
    run = mg.finetune(
        task="text-classification",
        backbone="bert-tiny",
        data={**found.data, "leakage": {"allowed": 1}},
        training={"steps": 1},
        output=tmp_path / "run",
        quiet=True,
    )
    assert run.facts["data"]["train"]["rows"] == found.manifest["rows"]["train"]
