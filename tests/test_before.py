"""Runs and bundles of an earlier multigraft open, answer, measure and go on as they did.

They lie in ``before/kept``; ``before/make.py`` made them, at 0.1.0.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from before import pocket
from before.ends import KEPT, answers, fingerprint, machine, metrics, weights
from multigraft.cli import main

CLOSE = {"fp32": 1e-4, "int8": 0.02}
"""Between scores; int8 is computed otherwise where a processor lacks an instruction."""
ELSEWHERE = 0.02
"""Between the ends of a training that went on with other kernels."""
EXPECTED: Mapping[str, Any] = {
    path.parent.name: json.loads(path.read_text("utf-8")) for path in KEPT.glob("*/expected.json")
}
QUESTIONS = [
    pytest.param(name, question, id=f"{name}-{question['precision']}-{'-'.join(question['asked'])}")
    for name, expected in sorted(EXPECTED.items())
    for question in expected["questions"]
]
CUT_SHORT = [("image", "interrupted"), ("text", "interrupted"), ("text", "probe")]


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stand in a copy of one of the kept folders, where its runs find their data."""

    def stand(name: str) -> Mapping[str, Any]:
        monkeypatch.chdir(shutil.copytree(KEPT / name, tmp_path / name))
        expected: Mapping[str, Any] = EXPECTED[name]
        return expected

    yield stand


class Steps:
    """Notes the steps that a training takes."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    @mg.hookimpl
    def step_end(self, step: int) -> None:
        self.taken.append(step)


def same_kind() -> bool:
    """Whether sums have the bits here that they had where the runs were made."""
    made = json.loads((KEPT / "made.json").read_text(encoding="utf-8"))
    return {name: made[name] for name in machine()} == machine()


def check_metrics(report: mg.Report, expected: Mapping[str, Any], tolerance: float) -> None:
    found = metrics(report)
    assert found.keys() == expected.keys()
    for name, numbers in expected.items():
        assert found[name] == pytest.approx(numbers, abs=tolerance), name


def check_answer(found: Any, expected: Any, tolerance: float) -> None:
    """Words and whole numbers are equal, scores are close."""
    if isinstance(expected, Mapping):
        assert found.keys() == expected.keys()
        for name, item in expected.items():
            check_answer(found[name], item, tolerance)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=tolerance)
    else:
        assert found == expected


def test_every_modality_is_here() -> None:
    assert EXPECTED.keys() == {"text", "writing", "image", "audio"}
    cut_short = {path.parts[-3:-1] for path in KEPT.glob("*/*/checkpoints")}
    assert cut_short == set(CUT_SHORT)


@pytest.mark.parametrize(("name", "question"), QUESTIONS)
def test_a_bundle_answers_as_it_did(stand: Any, name: str, question: Mapping[str, Any]) -> None:
    stand(name)
    found = answers(Path("finished/bundle"), question)
    assert len(found) == len(question["answers"])
    for answer, expected in zip(found, question["answers"], strict=True):
        check_answer(answer, expected, CLOSE[question["precision"]])


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_run_measures_what_it_did(stand: Any, name: str) -> None:
    expected = stand(name)["runs"]["finished"]
    run = mg.open_run("finished", plugins=[pocket])
    assert fingerprint(weights(run.folder)) == expected["weights"]  # the files came here unharmed
    check_metrics(run.evaluate(), expected["metrics"], CLOSE["fp32"])


@pytest.mark.parametrize(("name", "run"), CUT_SHORT)
def test_a_run_that_was_cut_short_goes_on_to_the_same_end(stand: Any, name: str, run: str) -> None:
    if run == "probe" and not same_kind():
        pytest.skip("what rests in it was drawn at random, and other kernels draw other bits")
    expected, steps = stand(name)["runs"][run], Steps()
    (checkpoint,) = Path(run, "checkpoints").glob("step-*")
    saved = int(checkpoint.name.removeprefix("step-"))
    resumed = mg.resume(run, plugins=[pocket, steps])
    assert steps.taken[0] == saved + 1  # it was not trained anew, which would end the same
    facts = json.loads(Path(run, "run.json").read_text(encoding="utf-8"))
    assert (facts["state"], facts["resumed"]) == ("finished", 1)
    found = weights(resumed.folder)
    if same_kind():
        assert fingerprint(found) == expected["weights"]
    else:  # beside it lies what was trained in one go
        for tensor, wanted in zip(found.values(), weights(Path("finished")).values(), strict=True):
            np.testing.assert_allclose(tensor, wanted, atol=ELSEWHERE)
    tolerance = CLOSE["fp32"] if same_kind() else ELSEWHERE
    check_metrics(resumed.evaluate(), expected["metrics"], tolerance)


def test_the_command_line_opens_them_too(stand: Any, capsys: pytest.CaptureFixture[str]) -> None:
    expected = stand("text")
    question = expected["questions"][0]
    assert main(["predict", "finished", *question["inputs"], "--precision", "fp32", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [each["input"] for each in said] == question["inputs"]
    for each, answer in zip(said, question["answers"], strict=True):
        check_answer(each["answer"], answer, CLOSE["fp32"])
    assert main(["evaluate", "finished", "--json"]) == 0
    check_metrics(
        mg.Report.from_dict(json.loads(capsys.readouterr().out)),
        expected["runs"]["finished"]["metrics"],
        CLOSE["fp32"],
    )
    assert main(["resume", "interrupted"]) == 0
    assert (
        json.loads(Path("interrupted/run.json").read_text(encoding="utf-8"))["state"] == "finished"
    )


def test_the_command_line_writes_as_it_did(stand: Any, capsys: pytest.CaptureFixture[str]) -> None:
    question = stand("writing")["questions"][0]
    asked = ["--max-new-tokens", str(question["asked"]["max_new_tokens"]), "--precision", "fp32"]
    for prompt, answer in zip(question["inputs"], question["answers"], strict=True):
        assert main(["generate", "finished", prompt, *asked]) == 0
        assert capsys.readouterr().out == f"{answer['text']}\n"
