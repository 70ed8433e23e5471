"""Inputs from arguments and stdin; answers as a table or as JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import multigraft as mg
import multigraft.runtime as runtime

asked: list[tuple[float | None, str, str | None]] = []


class Predictor:
    bundle = SimpleNamespace(
        modality="text",
        task="text-classification",
        generation=None,
        columns=(),
        facts={"columns": {"text": "comment"}},
    )
    modality = mg.Catalog().modality("text")

    def predict(
        self,
        values: list[Any],
        *,
        top_k: int | None = None,
        threshold: float | None = None,
        unit: str | None = None,
        long: str | None = None,
        on_error: str,
    ) -> list[dict[str, Any]]:
        assert on_error == "return"
        asked.append((threshold, long, unit))
        ranked = {"good": 0.9, "bad": 0.1}
        kept = dict(list(ranked.items())[: top_k or 2])
        return [
            {"label": "good", "score": float("nan") if value == "nan" else 0.9, "scores": kept}
            if isinstance(value, tuple) or value.strip()
            else {"error": f"item {item}: the text is empty"}
            for item, value in enumerate(values)
        ]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str | None]]:
    calls: list[tuple[Path, str | None]] = []

    def load(
        folder: Path, *, precision: str | None, providers: str | None, catalog: Any
    ) -> Predictor:
        assert providers in (None, "cpu")
        calls.append((folder, precision))
        return Predictor()

    monkeypatch.setattr(runtime, "load", load)
    return calls


def test_json_pairs_each_input_with_its_answer(cli: Any, loaded: list[Any]) -> None:
    said = cli(
        "predict", "bundle", "[red] ünd", "nan", "--json", "--top-k", "1", "--precision", "int8"
    )
    answers = json.loads(said.out)
    assert [each["input"] for each in answers] == ["[red] ünd", "nan"]
    assert answers[0]["answer"] == {"label": "good", "score": 0.9, "scores": {"good": 0.9}}
    assert answers[1]["answer"]["score"] is None
    assert loaded == [(Path("bundle"), "int8")]


def test_what_is_kept_and_cut_reaches_the_predictor(cli: Any, loaded: list[Any]) -> None:
    asked.clear()
    assert cli("predict", "bundle", "x").code == 0
    options = ("--threshold", "0.5", "--long", "window", "--provider", "cpu")
    assert cli("predict", "bundle", "x", *options).code == 0
    assert cli("predict", "bundle", "x", "--ask", "threshold=0.25", "--ask", "unit=m").code == 0
    assert asked == [
        (None, None, None),
        (0.5, "window", None),
        (0.25, None, "m"),
    ]
    assert "must look like top_k=3" in cli("predict", "bundle", "x", "--ask", "threshold").err


def test_the_table_shows_text_as_it_is(cli: Any, loaded: list[Any]) -> None:
    said = cli("predict", "bundle", "[red]x[/red]")
    assert "[red]x[/red]" in said.out and "0.9000" in said.out


@pytest.mark.parametrize("arguments", [["--stdin"], ["-"], ["-", "--stdin"]])
def test_stdin_gives_a_line_each(
    cli: Any, loaded: list[Any], monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo words\n"))
    said = cli("predict", "bundle", *arguments, "--json")
    assert [each["input"] for each in json.loads(said.out)] == ["one", "two words"]


@pytest.mark.parametrize(
    ("typed", "lines"),
    [
        ("one\n\ntwo\n", ["one", "", "two"]),
        ("a\u2028b\u0085c\x0cd\x1ee\x0bf\n", ["a\u2028b\u0085c\x0cd\x1ee\x0bf"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("one\rtwo", ["one\rtwo"]),
        ("\ufeffone\n \n", ["one", " "]),
        ("\n\n", ["", ""]),
        ("rows.csv\n-\n@x", ["rows.csv", "-", "@x"]),
        ("", []),
    ],
)
def test_there_are_as_many_answers_as_lines(
    cli: Any, loaded: list[Any], monkeypatch: pytest.MonkeyPatch, typed: str, lines: list[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode()), encoding="ascii"))
    said = cli("predict", "bundle", "--stdin", "--json")
    found = json.loads(said.out)
    assert [each["input"] for each in found] == lines
    blank = [not line.strip() for line in lines]
    assert ["error" in each["answer"] for each in found] == blank
    assert said.code == int(any(blank))
    assert (
        not any(blank) or f"{sum(blank)} of {len(lines)} inputs could not be answered" in said.err
    )


def test_a_line_that_is_no_text_keeps_its_place(
    cli: Any, loaded: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\xff\nc\n"), encoding="utf-8")
    )
    said = cli("predict", "bundle", "-", "--json")
    assert [each["input"] for each in json.loads(said.out)] == ["a", "b\udcff", "c"]


def test_an_error_stands_beside_its_input(cli: Any, loaded: list[Any]) -> None:
    said = cli("predict", "bundle", "fine", " ", "fine too")
    assert said.code == 1
    assert (
        said.out.count("0.9000") == 4 and "the text is empty" in said.out and "item" not in said.out
    )


TABLES = {
    "rows.csv": 'text,label\n"one, two",a\n,b\nthree,a\n',
    "rows.tsv": "text\tlabel\none, two\ta\n\tb\nthree\ta\n",
    "rows.jsonl": '{"text": "one, two"}\n{"text": null}\n{"text": "three"}\n',
    "rows.json": '[{"text": "one, two"}, {"text": null}, {"text": "three"}]',
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_stands_for_its_rows(
    cli: Any, loaded: list[Any], tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(TABLES[name])
    said = cli("predict", "bundle", "before", str(tmp_path / name), "--json")
    found = json.loads(said.out)
    assert [each["input"] for each in found] == ["before", "one, two", f"{name} row 2", "three"]
    assert "column 'text' is empty" in found[2]["answer"]["error"]
    assert said.code == 1


@pytest.mark.parametrize(
    ("heading", "flags"),
    [("text", ()), ("comment", ()), ("said", ("--columns", "text=said"))],
    ids=["ours", "as in training", "as is said"],
)
def test_columns_may_be_called_as_in_training_or_as_is_said(
    cli: Any, loaded: list[Any], tmp_path: Path, heading: str, flags: tuple[str, ...]
) -> None:
    (tmp_path / "a.csv").write_text(f"{heading},id\nfine,1\n")
    said = cli("predict", "b", str(tmp_path / "a.csv"), "--json", *flags)
    assert [each["input"] for each in json.loads(said.out)] == ["fine"]


def test_a_run_without_a_bundle_says_how_to_make_one(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    said = cli("predict", str(tmp_path), "a")
    assert "multigraft resume" in said.err and "multigraft export" in said.err
    (tmp_path / "model").mkdir()
    said = cli("predict", str(tmp_path), "a")
    assert "multigraft resume" not in said.err and "multigraft export" in said.err


def test_parquet_pairs_and_lines_are_read_too(cli: Any, loaded: list[Any], tmp_path: Path) -> None:
    from pyarrow import parquet, table

    parquet.write_table(
        table({"text": ["a", "b"], "text_pair": ["c", None]}), tmp_path / "rows.parquet"
    )
    (tmp_path / "lines.txt").write_text("d\u2028e\n")
    said = cli(
        "predict", "bundle", str(tmp_path / "rows.parquet"), str(tmp_path / "lines.txt"), "--json"
    )
    assert said.err == ""
    assert [each["input"] for each in json.loads(said.out)] == [["a", "c"], "b", "d\u2028e"]
    assert said.code == 0
    assert cli("predict", "bundle", str(tmp_path / "rows.parquet")).code == 0


@pytest.mark.parametrize("name", ["notes.md", "folder", "@notes.md", "@lines.txt", "."])
def test_the_name_of_another_file_is_no_text(
    cli: Any, loaded: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("notes.md", "lines.txt"):
        (tmp_path / file).write_text("a")
    (tmp_path / "folder").mkdir()
    said = cli("predict", "bundle", "a text", name)
    assert (said.code, said.out) == (2, "")
    assert "a text is wanted" in " ".join(said.err.replace("│", "").split())


def test_a_table_that_is_not_there_or_holds_no_text_is_told(
    cli: Any, loaded: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "rows.csv").write_text("review\na\n")
    for name, told in (
        ("rwos.csv", "does not exist; did you mean 'rows.csv'?"),
        ("rows.csv", "'text' is missing"),
    ):
        said = cli("predict", "bundle", str(tmp_path / name))
        assert said.code == 1 and told in said.err
    assert cli("predict", "bundle", "I looked into data.csv").code == 0
    assert cli("predict", "bundle", "x" * 5000).code == 0


def test_a_folder_of_pictures_stands_for_its_files(
    cli: Any, loaded: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Predictor, "modality", mg.Catalog().modality("image"))
    for name in ("b.png", "a.jpg", "notes.md"):
        (tmp_path / name).touch()
    said = cli("predict", "bundle", str(tmp_path), "other.png", "--json")
    wanted = [str(tmp_path / "a.jpg"), str(tmp_path / "b.png"), "other.png"]
    assert [each["input"] for each in json.loads(said.out)] == wanted


def test_stdin_stands_where_its_dash_stands(
    cli: Any, loaded: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("b\nc\n"))
    said = cli("predict", "bundle", "a", "-", "d", "--json")
    assert [each["input"] for each in json.loads(said.out)] == ["a", "b", "c", "d"]


def test_no_inputs_is_wrong_usage(cli: Any, loaded: list[Any]) -> None:
    said = cli("predict", "bundle")
    assert said.code == 2
    assert "no inputs" in said.err
    assert loaded == []


def test_the_folder_of_a_run_stands_for_its_bundle(
    cli: Any, loaded: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "bundle.json").write_text("{}")
    cli("predict", str(tmp_path), "x", "--json")
    assert loaded == [(tmp_path / "bundle", None)]


def test_a_column_that_is_missing_is_named_with_what_predict_takes(
    cli: Any, loaded: list[Any], tmp_path: Path
) -> None:
    table = tmp_path / "said.csv"
    table.write_text("my text,id\nfine,1\n")
    told = cli("predict", "bundle", str(table))
    assert told.code == 1 and "data.columns" not in told.err
    assert "did you mean 'my text'? write --columns 'text=my text'" in told.err
    odd = cli("predict", "bundle", str(table), "--columns", "text=mytext")
    assert "--columns text=mytext: there is no column 'mytext'; did you mean 'my text'?" in odd.err


class TestFiles:
    @pytest.fixture
    def filled(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
        """What was asked for; three rows of five fail, or all where the data is ``bad.csv``."""
        from multigraft.evaluation.file_answers import answer_file

        calls: list[tuple[Any, ...]] = []

        def fill(predictor: Any, data: str, into: Path, **settings: Any) -> Any:
            settings.pop("display"), settings.pop("catalog")
            calls.append((data, into, settings))
            if data == "slow.csv":
                raise KeyboardInterrupt
            failed = 5 if data == "bad.csv" else 3
            return answer_file.FileAnswers(into, 5, failed, resumed=2, seconds=1.5)

        monkeypatch.setattr(answer_file, "predict_file", fill)
        return calls

    def test_a_file_is_filled(self, cli: Any, loaded: list[Any], filled: list[Any]) -> None:
        said = cli(
            *("predict", "bundle", "--data", "a.csv", "--into", "b.parquet", "--keep", "id"),
            *("--columns", "text=review", "--top-k", "1", "--ask", "unit=m", "--long", "window"),
        )
        assert (said.code, said.out) == (0, "b.parquet\n")
        assert "5 rows answered, 2 of them before, 2 a second" in said.err
        assert "3 of 5 rows could not be answered: answer_error says why" in said.err
        wanted = {"top_k": 1, "unit": "m", "long": "window"}
        columns = {"text": "review"}
        assert filled == [
            ("a.csv", Path("b.parquet"), {"keep": ["id"], "columns": columns} | wanted)
        ]

    def test_a_log_gets_a_line_now_and_then(
        self, cli: Any, loaded: list[Any], filled: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from multigraft.evaluation.file_answers import answer_file
        from multigraft.training.callbacks import stage_lines

        monkeypatch.setattr(stage_lines, "EVERY", 0.0)

        def fill(predictor: Any, data: str, into: Path, *, display: Any, **_: Any) -> Any:
            display.begin("answering", 1024)
            display.advance(512)
            return answer_file.FileAnswers(into, 1024, 0, 0, seconds=1.0)

        monkeypatch.setattr(answer_file, "predict_file", fill)
        arguments = ("predict", "bundle", "--data", "a.csv", "--into", "b.csv")
        assert "answering: 512 of 1,024 rows" in cli(*arguments).err
        assert cli(*arguments, "--quiet").err == ""

    def test_where_no_row_can_be_answered_that_is_a_failure(
        self, cli: Any, loaded: list[Any], filled: list[Any]
    ) -> None:
        assert cli("predict", "bundle", "--data", "bad.csv", "--into", "b.csv").code == 1

    def test_one_that_was_stopped_says_how_it_goes_on(
        self, cli: Any, loaded: list[Any], filled: list[Any]
    ) -> None:
        said = cli("predict", "bundle", "--data", "slow.csv", "--into", "b.csv")
        assert said.code == 130 and "the same command goes on where it was" in said.err

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("--data", "a.csv"), "belong together"),
            (("--into", "a.csv"), "belong together"),
            (("--data", "a.csv", "--into", "b.csv", "a text"), "leave the other inputs out"),
            (("--data", "a.csv", "--into", "b.csv", "--stdin"), "leave the other inputs out"),
            (("--keep", "id", "a text"), "--keep names columns of --data"),
        ],
    )
    def test_half_a_wish_is_wrong_usage(
        self, cli: Any, loaded: list[Any], arguments: tuple[str, ...], told: str
    ) -> None:
        said = cli("predict", "bundle", *arguments)
        assert said.code == 2 and told in " ".join(said.err.replace("│", "").split())
        assert loaded == []


def test_a_packed_table_stands_for_its_rows(cli: Any, loaded: list[Any], tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"text\na\nb\n"))
    said = cli("predict", "bundle", str(path), "--json")
    assert [each["input"] for each in json.loads(said.out)] == ["a", "b"]
    assert "does not exist" in cli("predict", "bundle", str(tmp_path / "rwos.csv.gz")).err
