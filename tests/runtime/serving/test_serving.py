from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import numpy as np
import pytest

from helpers.toy_runs import LABELS, exported
from helpers.toy_server import Served, model, predictor, serving
from multigraft.runtime import Predictor
from multigraft.runtime.serving.model import Model


@pytest.fixture(scope="module")
def numbers() -> Iterator[Served]:
    with serving(model("numbers")) as served:
        yield served


@pytest.fixture(scope="module")
def both() -> Iterator[Served]:
    with serving(model("numbers", "first"), model("picture", "second")) as served:
        yield served


@pytest.fixture(scope="module")
def direct() -> Predictor:
    return predictor("numbers")


def raws(modality: str = "numbers") -> list[Any]:
    return list(exported(modality)[0].rows["test"].raws)


def assert_same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    assert [answer["label"] for answer in found] == [answer["label"] for answer in wanted]
    rows = [
        [[answer["scores"][label] for label in LABELS] for answer in side]
        for side in (found, wanted)
    ]
    np.testing.assert_allclose(*rows, atol=1e-6)


def test_a_list_is_answered_as_the_predictor_does(numbers: Served, direct: Predictor) -> None:
    said = numbers.predict(raws())
    assert said.status_code == 200
    assert said.json()["model"] == "numbers"
    assert_same(said.json()["answers"], direct.predict(raws()))


def test_one_value_is_a_list_of_one(numbers: Served, direct: Predictor) -> None:
    assert_same(numbers.predict("1 2 3").json()["answers"], [direct.predict("1 2 3")])


def test_several_columns_are_an_object(numbers: Served, direct: Predictor) -> None:
    said = numbers.predict([{"text": "1 2", "text_pair": "900"}, {"text": "1 2"}]).json()["answers"]
    assert_same(said, [direct.predict(("1 2", "900")), direct.predict("1 2")])


def test_a_model_of_single_texts_is_asked_for_no_pair() -> None:
    made = model("numbers")
    made._predictor.bundle = made._predictor.bundle.model_copy(update={"columns": ("text",)})
    single = Model("single", made._predictor, made._modality)
    assert single.form.columns == ("text",)
    with serving(single) as served:
        said = served.predict([{"text": "1 2", "text_pair": "900"}, {"text": "1 2"}]).json()[
            "answers"
        ]
    assert "unknown column 'text_pair'" in said[0]["error"] and "label" in said[1]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"text_pair": "1"}, "'text' is missing"),
        ({"text": "1", "txt_pair": "2"}, "did you mean 'text_pair'"),
        ({"text": 3}, "found a number; a text is needed"),
        ({"text": {"text": "1"}}, "a string is needed"),
        (["1"], "found a list"),
        (None, "found null"),
        ("x", "holds no known numbers"),
    ],
)
def test_a_bad_item_is_named_and_the_others_are_answered(
    numbers: Served, direct: Predictor, value: Any, said: str
) -> None:
    found = numbers.predict(["1 2", value, "900"])
    assert found.status_code == 200
    first, bad, last = found.json()["answers"]
    assert bad["item"] == 1
    assert said in bad["error"]
    assert_same([first, last], direct.predict(["1 2", "900"]))


def test_where_no_item_can_be_read_the_request_fails(numbers: Served) -> None:
    said = numbers.predict("x")
    assert said.status_code == 422
    assert "holds no known numbers" in said.json()["error"]
    assert said.json()["item"] == 0


def test_nothing_gives_nothing(numbers: Served) -> None:
    said = numbers.predict([])
    assert (said.status_code, said.json()["answers"]) == (200, [])


def test_a_reader_or_graph_that_breaks_is_one_items_fault(
    numbers: Served, direct: Predictor
) -> None:
    said = numbers.predict(["1 2", "poison 3", "900", "bug", "lost 4"])
    assert said.status_code == 200
    first, poison, last, bug, lost = said.json()["answers"]
    assert_same([first, last], direct.predict(["1 2", "900"]))
    assert poison == {"error": "the model could not answer it", "item": 1}
    assert bug == {"error": "it could not be read", "item": 3}
    assert lost == {"error": "it could not be measured", "item": 4}
    assert numbers.predict("poison 3").status_code == 500


def test_top_k_keeps_the_best(numbers: Served) -> None:
    answer = numbers.predict("1 2 3", top_k=1).json()["answers"][0]
    assert list(answer["scores"]) == [answer["label"]]


def test_text_may_come_as_form_or_file(numbers: Served, direct: Predictor) -> None:
    files = [("file", ("a.txt", b"1 2")), ("file", ("b.txt", b"\xff")), ("inputs", (None, b"900"))]
    said = numbers.client.post("/predict", files=files, data={"top_k": "2"})
    first, bad, last = said.json()["answers"]
    assert_same([first, last], direct.predict(["1 2", "900"]))
    assert "not UTF-8" in bad["error"]


def test_files_come_in_base64_or_as_uploads(both: Served) -> None:
    pictures = [picture.tobytes() for picture in raws("picture")[:4]]
    wanted = predictor("picture").predict(pictures)
    path = "/models/second/predict"
    plain = [base64.b64encode(picture).decode() for picture in pictures]
    addressed = [f"data:image/x-toy;base64,{text}" for text in plain]
    for inputs in (plain, addressed):
        assert_same(both.predict(inputs, path=path).json()["answers"], wanted)
    files = [("any", (f"{place}.toy", picture)) for place, picture in enumerate(pictures)]
    assert_same(both.client.post(path, files=files).json()["answers"], wanted)


@pytest.mark.parametrize(
    "text", ["/etc/passwd", "file.toy", "not base64", "QUJ", "§", "data:,x", ""]
)
def test_a_text_is_never_a_path(both: Served, text: str) -> None:
    said = both.predict(text, path="/models/second/predict")
    assert said.status_code == 422
    assert "base64" in said.json()["error"] or "bytes are no picture" in said.json()["error"]


def test_several_models_are_listed_and_asked_by_name(both: Served) -> None:
    first, second = both.client.get("/models").json()["models"]
    assert first["name"] == "first"
    assert (first["labels"], first["media"], first["columns"]) == (
        LABELS,
        None,
        ["text", "text_pair"],
    )
    assert (second["suffixes"], second["media"]) == ([".toy"], "file")
    assert both.client.get("/models/second").json() == second
    assert both.predict("1 2", path=first["path"]).status_code == 200
    assert "first, second" in both.predict("1 2").json()["error"]
    lost = both.predict("1 2", path="/models/frist/predict")
    assert (lost.status_code, "did you mean 'first'?" in lost.json()["error"]) == (404, True)


def test_many_clients_get_their_own_answers(numbers: Served, direct: Predictor) -> None:
    values = [f"{number} {number + 1}" for number in range(32)]
    wanted = direct.predict(values)
    batches = numbers.metric("multigraft_batch_rows_count")
    rows = numbers.metric("multigraft_batch_rows_sum")
    begin = threading.Barrier(32)

    def ask(place: int) -> list[dict[str, Any]]:
        begin.wait(20)
        found: list[dict[str, Any]] = []
        for _ in range(5):
            found += numbers.predict(values[place]).json()["answers"]
        return found

    with ThreadPoolExecutor(32) as pool:
        for place, found in enumerate(pool.map(ask, range(32))):
            assert_same(found, [wanted[place]] * 5)
    assert numbers.metric("multigraft_batch_rows_sum") - rows == 160
    # some were computed together
    assert numbers.metric("multigraft_batch_rows_count") - batches < 160


def test_a_slow_row_does_not_hold_others_up(numbers: Served) -> None:
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(numbers.predict, "slow 1 2")
        quick = [numbers.predict("1 2").json()["milliseconds"] for _ in range(5)]
        assert slow.result().json()["milliseconds"] >= 400
    assert min(quick) < 300


def test_a_model_that_answers_in_one_step_has_nothing_to_stream(numbers: Served) -> None:
    def asked(accept: str) -> httpx2.Response:
        return numbers.client.post("/predict", json={"inputs": "1 2"}, headers={"Accept": accept})

    refused = asked("text/event-stream")
    assert refused.status_code == 406 and "in one step" in refused.json()["error"]
    assert asked("text/event-stream, application/json").json()["answers"]
    assert numbers.client.get("/models/numbers").json()["streams"] is False


def test_metrics_count_what_happened(numbers: Served) -> None:
    def counted() -> list[float]:
        return [
            numbers.metric("multigraft_rows_total", model="numbers"),
            numbers.metric("multigraft_row_errors_total", model="numbers"),
            numbers.metric("multigraft_requests_total", route="/predict", status="200"),
            numbers.metric("multigraft_request_seconds_count", route="/predict"),
        ]

    before = counted()
    numbers.predict(["1", "2", "x"])
    assert [after - old for old, after in zip(before, counted(), strict=True)] == [2, 1, 1, 1]
    assert numbers.metric("multigraft_queue_rows", model="numbers") == 0


def test_the_api_describes_itself(numbers: Served) -> None:
    described = numbers.client.get("/openapi.json").json()
    assert set(described["paths"]) == {
        *("/predict", "/models", "/models/{name}", "/models/{name}/predict"),
        *("/transcribe", "/models/{name}/transcribe"),
        *("/explain", "/models/{name}/explain"),
        *("/healthz", "/readyz", "/metrics"),
    }
    body = described["paths"]["/predict"]["post"]["requestBody"]["content"]
    assert set(body) == {"application/json", "multipart/form-data"}


def test_health_and_readiness(numbers: Served) -> None:
    assert numbers.client.get("/healthz").json() == {"alive": True}
    assert numbers.client.get("/readyz").json() == {"ready": True}


def test_errors_are_json(numbers: Served) -> None:
    for said, status in (
        (numbers.client.get("/nowhere"), 404),
        (numbers.client.get("/predict"), 405),
        (numbers.client.get("/page/..%2fapp.py"), 404),
        (
            numbers.client.post("/predict", content=b"x", headers={"content-type": "text/plain"}),
            415,
        ),
    ):
        assert said.status_code == status
        assert set(said.json()) == {"error", "item"}


def test_nothing_is_reported_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with serving(model("numbers")) as served:  # FastAPI would look for an exporter at its start
        assert served.predict("1 2").status_code == 200
