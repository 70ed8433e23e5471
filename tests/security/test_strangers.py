"""Weights, runs, bundles and names of unknown origin: opened as data, and kept to their folder."""

from __future__ import annotations

import json
import pickle
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import multigraft as mg
from fuzz.runs import sound_run
from helpers.samples import TINY, WRITERS
from multigraft.contracts.answers import Window
from multigraft.contracts.options import defaults
from multigraft.contracts.readers import load_spec, save_spec
from multigraft.contracts.report import Report
from multigraft.data.cache.row_file import map_array
from multigraft.errors import (
    BundleError,
    DataError,
    MultigraftError,
    RowError,
    RunError,
    WeightsError,
)
from multigraft.evaluation.report.page import render
from multigraft.runtime.answers import ANSWERS
from multigraft.runtime.bundle import Owner
from multigraft.system.files import write_json
from multigraft.system.terminal import harmless


class Canary:
    """Leaves a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture(params=list(WRITERS))
def finished(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path, dict[str, Any]]:
    """A modality, the model folder of a run of it, and the fields of a run that grows from it."""
    modality = request.param
    fields: dict[str, Any] = {
        "task": f"{modality}-classification",
        "backbone": {"name": TINY[modality], "weights": "scratch"},
        "data": str(WRITERS[modality](tmp_path, 24)),
        "training": {"steps": 1, "precision": "fp32", "workers": 0, "compile": "off"},
    }
    run = mg.finetune(**fields, output=tmp_path / "run")
    model = tmp_path / "weights"
    shutil.copytree(run.folder / "model", model)
    return modality, model, {**fields, "backbone": {"name": TINY[modality], "weights": str(model)}}


def test_weights_are_never_unpickled(
    finished: tuple[str, Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, model, fields = finished
    canary = tmp_path / "canary"
    for name in ("model.safetensors", "pytorch_model.bin"):
        for old in model.glob("*.safetensors"):
            old.unlink()
        for save in (torch.save, lambda what, file: file.write_bytes(pickle.dumps(what))):
            save({"weight": Canary(canary)}, model / name)
            with pytest.raises(WeightsError):
                mg.finetune(**fields, output=tmp_path / "next")
            assert not canary.exists()
        (model / name).unlink()
    pickle.loads(pickle.dumps(Canary(canary)))
    assert canary.exists(), "the canary would have sung"


def test_a_repository_s_own_code_is_not_run(
    finished: tuple[str, Path, dict[str, Any]], tmp_path: Path
) -> None:
    _, model, fields = finished
    config = json.loads((model / "config.json").read_text())
    names = ("AutoConfig", "AutoModel", "AutoModelForSequenceClassification", "AutoTokenizer")
    config |= {"model_type": "unheard-of", "auto_map": dict.fromkeys(names, "evil.Evil")}
    (model / "config.json").write_text(json.dumps(config))
    (model / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\nclass Evil: pass\n")
    with suppress(MultigraftError):  # timm reads its own names alone, and goes on without these
        mg.finetune(**fields, output=tmp_path / "next")
    assert not (tmp_path / "canary").exists()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run that a stranger sent."""
    return Path(shutil.copytree(sound_run()[0], tmp_path / "run"))


def change(folder: Path, **facts: Any) -> None:
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, **facts}))


def test_a_run_s_names_stay_in_its_folder(run: Path, tmp_path: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    for name in ("../outside.json", "/tmp/outside.json", "a\\b.json", "inner/outside.json"):
        for value in (None, {}):
            change(run, reader={**record["reader"], name: value})
            with pytest.raises(BundleError, match="must lie in"):
                mg.open_run(run).export()
    with pytest.raises(BundleError, match="must lie in"):
        save_spec({"../outside.json": {}}, tmp_path)
    with pytest.raises(BundleError, match="must lie in"):
        load_spec({"../outside.json": {}}, tmp_path)


def test_a_run_s_links_stay_in_its_folder(run: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text("{}")
    (run / "model" / "vocab.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(RunError, match="link out of the folder"):
        mg.open_run(run)


def test_a_record_says_all_that_is_wrong_with_it(run: Path) -> None:
    change(run, frozen="2", notes=3)
    with pytest.raises(RunError, match='frozen: found "2"') as caught:
        mg.open_run(run)
    assert "notes: found 3" in str(caught.value)


def test_a_damaged_report_is_left_out_of_the_page(
    run: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (run / "reports" / "finetune.json").write_text('{"verb": 1}')
    mg.open_run(run).evaluate()
    assert "finetune.json: cannot be read" in caplog.text
    assert "it is left out of report.html" in caplog.text
    assert (run / "report.html").exists()


def ranked(labels: Any, probabilities: list[float]) -> Any:
    """What the engine's answers make of a stranger's targets and graph."""
    answers = ANSWERS["classification"]({"labels": labels})
    window = Window({}, {"probabilities": np.array(probabilities)})
    return answers.answer("raw", [window], defaults(answers.asks))


@pytest.mark.parametrize("labels", [["a"], ["a", "b", "c"], ["a", "a"], "ab", None])
def test_labels_that_do_not_fit_their_graph_give_no_answer(labels: Any) -> None:
    with pytest.raises(BundleError, match="2 labels"):
        ranked(labels, [0.5, 0.5])


def test_a_graph_that_gives_nan_gives_no_answer() -> None:
    with pytest.raises(BundleError, match="no numbers"):
        ranked(["a", "b"], [np.nan, 0.5])


@pytest.mark.parametrize("name", ["x; rm -rf /", "a b", "$(id)", "x\x1b[2J"])
def test_what_a_bundle_advises_to_install_is_a_name(name: str) -> None:
    with pytest.raises(ValueError, match="distribution"):
        Owner(plugin="x", distribution=name)


def test_paths_in_rows_leave_their_folder_only_where_they_say_so(tmp_path: Path) -> None:
    inside = tmp_path / "data"
    inside.mkdir()
    (tmp_path / "secret.png").touch()
    from fuzz.tables import FILES
    from multigraft.data import load_table

    (inside / "metadata.csv").write_text(
        f"file_name,label\n../secret.png,x\n{tmp_path}/secret.png,y\n"
    )
    table = load_table(str(inside), modality=FILES, columns={})
    with pytest.raises(RowError, match="leaves the data"):
        table.raw(0)
    assert table.raw(1) == f"{tmp_path}/secret.png"


def test_a_device_is_no_source_of_rows() -> None:
    from fuzz.tables import TEXT
    from multigraft.data import load_table

    with pytest.raises(DataError, match="no plain file"):
        load_table("/dev/zero", format="csv", modality=TEXT, columns={})


def test_the_cache_is_never_unpickled(tmp_path: Path) -> None:
    np.save(
        tmp_path / "x.npy", np.array([Canary(tmp_path / "canary")], dtype=object), allow_pickle=True
    )
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        map_array(tmp_path / "x.npy")
    assert not (tmp_path / "canary").exists()


def test_a_page_shows_a_stranger_s_words_as_words() -> None:
    script = "<script>alert(1)</script>"
    page = render(
        [Report(verb="evaluate", title=script, notes=(script,), facts={script: script})],
        title=script,
    )
    assert "alert(1)" in page
    assert script not in page


def test_a_terminal_gets_no_control_characters() -> None:
    assert harmless("a\x1b[31mb\x07\u202ec\x9b2J\td\n") == "a\\x1b[31mb\\x07\\u202ec\\x9b2J\td\n"


def test_a_tokenizer_that_contradicts_itself_is_refused() -> None:
    from fuzz.texts import reader
    from multigraft_text.reader import TextReader

    spec = json.loads(json.dumps(reader().spec()))
    spec["tokenizer.json"]["post_processor"]["special_tokens"] = {}
    with pytest.raises(BundleError, match=r"tokenizer\.json contradicts itself"):
        TextReader(spec).read("a fine film")


def test_a_name_that_is_no_text_comes_back_from_a_record(tmp_path: Path) -> None:
    for value in ({"source": "a\udcffb"}, {"source": "日本"}):
        write_json(tmp_path / "x.json", value)
        assert json.loads((tmp_path / "x.json").read_text(encoding="utf-8")) == value
    assert "日本" in (tmp_path / "x.json").read_text(encoding="utf-8")


def test_a_report_of_other_types_is_none() -> None:
    sound = Report(verb="evaluate", title="x").to_dict()
    assert Report.from_dict(sound).verb == "evaluate"
    for wrong in (
        {"title": ["x"]},
        {"metrics": {"a": {"value": ["1"]}}},
        {"curves": {"loss": [[1]]}},
    ):
        with pytest.raises(ValueError, match="validation error"):
            Report.from_dict({**sound, **wrong})


def test_a_report_that_cannot_be_kept_is_said(run: Path) -> None:
    (run / "reports" / "evaluate.json").unlink()
    (run / "reports" / "evaluate.json").mkdir()
    with pytest.raises(RunError, match="the report cannot be kept"):
        mg.open_run(run).evaluate()


def test_a_disk_that_refuses_is_said_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from multigraft import api
    from multigraft.cli import main

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device", "runs/x/run.json")

    monkeypatch.setattr(api, "open_run", full)
    assert main(["evaluate", str(tmp_path)]) == 1
    assert capsys.readouterr().err.strip() == "runs/x/run.json: No space left on device"
