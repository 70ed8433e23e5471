"""Recipe file, flags and --set become one recipe; a run becomes an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from multigraft.cli.choices import merge

FLAGS = ("--task", "text-classification", "--backbone", "bert-tiny", "--data", "rows.csv")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "recipe.yaml"
    raw = {
        "task": {"name": "text-classification", "dropout": 0.2},
        "backbone": {"name": "bert-tiny", "weights": "scratch"},
        "data": {"train": "rows.csv", "columns": {"text": "review"}},
        "training": {"epochs": 5, "batch_size": 8},
    }
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return str(path)


def test_flags_alone_are_a_recipe(cli: Any, calls: Any) -> None:
    said = cli(
        "finetune", *FLAGS, "--weights", "scratch", "--strategy", "layer-wise-decay",
        "--strategy", "full",
        "--epochs", "0.5", "--batch-size", "4", "--learning-rate", "1e-4",
        "--seed", "7", "--out", "runs/y",
    )  # fmt: skip
    assert said.code == 0, said.err
    (recipe,) = calls.recipes
    assert (recipe.backbone.name, recipe.backbone.weights, recipe.data.train) == (
        "bert-tiny",
        "scratch",
        "rows.csv",
    )
    assert [choice.name for choice in recipe.strategy] == ["layer-wise-decay", "full"]
    training = recipe.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (0.5, 4, 1e-4)
    assert (recipe.seed, recipe.output) == (7, "runs/y")


def test_flags_win_over_the_file_and_set_wins_over_flags(cli: Any, calls: Any, file: str) -> None:
    said = cli(
        "finetune", file, "--epochs", "2", "--batch-size", "16", "--set", "training.epochs=1"
    )
    assert said.code == 0, said.err
    (recipe,) = calls.recipes
    assert (recipe.training.epochs, recipe.training.batch_size) == (1, 16)
    assert recipe.task.options == {"dropout": 0.2}
    assert recipe.data.columns == {"text": "review"}


def test_data_on_the_command_line_keeps_the_file_s_columns(cli: Any, calls: Any, file: str) -> None:
    cli("finetune", file, "--data", "other.csv")
    (recipe,) = calls.recipes
    assert (recipe.data.train, recipe.data.columns) == ("other.csv", {"text": "review"})


@pytest.mark.parametrize("value", ["no", "1e5", "a: b", "[x", "#", "näh", "C:\\rows.csv", " "])
def test_a_flag_is_text_and_not_yaml(value: str) -> None:
    assert merge(None, {"data.train": value}, ()) == {"data": {"train": value}}


def test_trackers_are_named_once_each(cli: Any, calls: Any) -> None:
    said = cli("finetune", *FLAGS, "--track", "csv", "--track", "tensorboard", "--track", "csv")
    assert said.code == 0, said.err
    assert calls.recipes[0].track == ("csv", "tensorboard")
    said = cli("finetune", *FLAGS, "--track", "tensorbord")
    assert said.code == 2
    assert "track" in said.err


def test_set_is_yaml() -> None:
    raw = merge(None, {}, ["strategy=[{name: lora, rank: 4}]", "training.steps=3"])
    assert raw == {"strategy": [{"name": "lora", "rank": 4}], "training": {"steps": 3}}


def test_five_mistakes_are_five_lines(cli: Any, calls: Any, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "task: text-clasification\nbackbone: bert-tny\ndata: {train: x.csv, formt: csv}\n"
        "training: {epochs: -1, optimizer: adam}\n",
        encoding="utf-8",
    )
    for arguments in (("recipe", "check", str(path)), ("finetune", str(path))):
        said = cli(*arguments)
        assert said.code == 2
        head, *lines = said.err.splitlines()
        assert head == f"{path}: 5 problems"
        assert sorted(line.split(":")[0].strip() for line in lines) == [
            "backbone", "data.formt", "task", "training.epochs", "training.optimizer",
        ]  # fmt: skip
        assert all(len(line.split(": ", 1)[1]) > 10 for line in lines)
    assert calls.recipes == []


def test_nothing_to_train_says_what_to_give(cli: Any, calls: Any) -> None:
    said = cli("finetune")
    assert said.code == 2
    assert "--task, --backbone and --data" in said.err


def test_a_file_that_is_not_there(cli: Any, calls: Any) -> None:
    said = cli("finetune", "nowhere.yaml")
    assert said.code == 2
    assert "nowhere.yaml" in said.err


def test_the_answer_is_one_json_document(cli: Any, calls: Any) -> None:
    calls.stop = "enough"
    said = cli("pretrain", "--task", "masked-language-modeling", *FLAGS[2:], "--json")
    answer = json.loads(said.out)
    assert (answer["run"], answer["stopped"], answer["report"]["verb"]) == (
        "runs/x",
        "enough",
        "pretrain",
    )


def test_the_answer_for_people_says_what_is_next(cli: Any, calls: Any) -> None:
    calls.stop = "enough"
    said = cli("finetune", *FLAGS)
    assert "a title" in said.out and "0.75" in said.out
    assert "stopped early: enough" in said.err
    assert "multigraft evaluate runs/x" in said.err


def test_quiet_shows_no_progress(cli: Any, calls: Any) -> None:
    assert cli("finetune", *FLAGS, "--quiet").err == ""
    assert calls.plugins == []


def test_only_the_first_process_speaks(
    cli: Any, calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    said = cli("finetune", *FLAGS)
    assert (said.code, said.out, said.err) == (0, "", "")
    assert calls.plugins == []


def test_resume_takes_the_folder(cli: Any, calls: Any) -> None:
    assert cli("resume", "runs/x").code == 0
    assert (calls.verbs, calls.recipes) == (["resume"], [Path("runs/x")])


def test_evaluate_measures_the_split_that_is_asked_for(cli: Any, calls: Any) -> None:
    assert json.loads(cli("evaluate", "runs/x", "--json").out)["facts"] == {"split": "test"}
    said = cli("evaluate", "runs/x", "--split", "validation", "--json")
    assert json.loads(said.out)["facts"] == {"split": "validation"}


def test_evaluate_takes_other_data_by_names(cli: Any, calls: Any) -> None:
    said = cli(
        "evaluate", "runs/x", "--data", "a/books.csv", "--data", "b/test.csv", "--columns",
        "text=review", "--rows", "answers.jsonl", "--json",
    )  # fmt: skip
    facts = json.loads(said.out)["facts"]
    assert facts["data"] == str({"books": "a/books.csv", "b-test": "b/test.csv"})
    assert (facts["columns"], facts["rows"]) == ("{'text': 'review'}", "answers.jsonl")
    said = cli("evaluate", "runs/x", "--ask", "flip=true", "--json")
    assert json.loads(said.out)["facts"]["asked"] == "{'flip': True}"
    named = cli("evaluate", "runs/x", "--data", "books.csv", "--name", "mine", "--json")
    assert json.loads(named.out)["facts"]["data"] == "{'mine': 'books.csv'}"


def test_evaluate_refuses_names_that_fit_no_data(cli: Any, calls: Any) -> None:
    twice = cli("evaluate", "runs/x", "--data", "a/x.csv", "--data", "b/x.csv")
    assert twice.code != 0
    assert "'x' would stand for two of --data" in twice.err
    assert cli("evaluate", "runs/x", "--data", "x.csv", "--columns", "text").code == 2


def test_export_holds_the_precisions_that_are_asked_for(cli: Any, calls: Any) -> None:
    assert json.loads(cli("export", "runs/x", "--json").out)["facts"] == {"precisions": "fp32 int8"}
    said = cli("export", "runs/x", "--budget", "2.5", "--rows", "40", "--json")
    assert json.loads(said.out)["facts"]["rows"] == "40 for 2.5"
    assert cli("export", "runs/x", "--rows", "0").code == 2
    said = cli("export", "runs/x", "--precision", "fp32", "--json")
    assert json.loads(said.out)["facts"] == {"precisions": "fp32"}


def test_export_has_npm_fetch_where_the_person_says_web(
    cli: Any, calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    monkeypatch.setattr("multigraft.runtime.web.site.fetch_packages", fetched.append)
    assert cli("export", "runs/x").code == 0
    assert fetched == []
    assert cli("export", "runs/x", "--web").code == 0
    assert fetched == ["a modality"]
