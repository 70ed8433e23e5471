"""HTTP routes of a server, put together for the models it holds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from multigraft.contracts.records import Option
from multigraft.errors import did_you_mean
from multigraft.runtime.serving import schema
from multigraft.runtime.serving.access import Token
from multigraft.runtime.serving.batcher import Batcher, Outcome
from multigraft.runtime.serving.explanations import explained, explains_of
from multigraft.runtime.serving.faults import Fault, Refusal
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.serving.memory_budget import Room
from multigraft.runtime.serving.metrics import CONTENT_TYPE, Meters
from multigraft.runtime.serving.middleware import Border
from multigraft.runtime.serving.model import Model
from multigraft.runtime.serving.pages import START, page_file
from multigraft.runtime.serving.reading import Reading
from multigraft.runtime.serving.request_values import asked
from multigraft.runtime.serving.responses import reply, respond
from multigraft.runtime.serving.streaming import stream, wants_events
from multigraft.runtime.serving.transcripts import transcribed, transcripts_of
from multigraft.system.about import __version__
from multigraft.system.cpu import usable_cores

log = logging.getLogger("multigraft")
SILENT: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""FastAPI can report to others where the environment says so; this server reports to nobody."""


@dataclass
class House:
    """State of a server: a queue for each model, the threads that read, the counters."""

    models: Sequence[Model]
    limits: Limits
    meters: Meters = field(default_factory=Meters)
    batchers: dict[str, Batcher] = field(default_factory=dict)
    warm: bool = False
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, app: FastAPI) -> AsyncIterator[None]:
        """Begin to compute, and to warm up beside it; at the end stop both."""
        del app
        workers = usable_cores()
        readers = ThreadPoolExecutor(workers, "multigraft-read")
        room = Room(self.limits.memory)  # one for all models: they share the machine
        for model in self.models:
            reading = Reading(
                model.read,
                model.memory,
                threads=readers,
                workers=workers,
                room=room,
                quick=model.form.typed,
                hold=model.rereads,
            )
            batcher = Batcher(model, self.limits, reading=reading, meters=self.meters)
            self.batchers[model.name] = batcher
            self.tasks.append(asyncio.create_task(batcher.run()))
        warming = asyncio.create_task(self._warm_up())
        try:
            yield
        finally:
            for task in [*self.tasks, warming]:
                task.cancel()
            await asyncio.gather(*self.tasks, warming, return_exceptions=True)
            for batcher in self.batchers.values():
                batcher.close()
            readers.shutdown(wait=False, cancel_futures=True)

    @property
    def alive(self) -> bool:
        """Tell whether every queue is still being worked on."""
        return not any(task.done() for task in self.tasks)

    def find(self, name: str) -> Batcher:
        """The queue of a model. Raises Refusal."""
        if name not in self.batchers:
            raise Refusal(
                HTTPStatus.NOT_FOUND, f"unknown model {name!r}; {did_you_mean(name, self.batchers)}"
            )
        return self.batchers[name]

    async def predict(self, name: str, request: Request) -> Response:
        """Answer a request to a model."""
        started = time.perf_counter()
        batcher = self.find(name)
        accept, writes = request.headers.get("accept", ""), batcher.model.writes
        streams = wants_events(accept, writes=writes)
        wanted = await asked(request, batcher.model, self.limits)
        if streams:
            return await stream(batcher, wanted, partial(self._respond, name, started))
        return self._respond(name, started, await batcher.answers(wanted.values, wanted.asked))

    async def transcribe(self, name: str, request: Request) -> Response:
        """Tell what is said in a sound of any length."""
        started = time.perf_counter()
        batcher = self.find(name)
        events = wants_events(request.headers.get("accept", ""), writes=True)
        wanted = await asked(request, transcripts_of(batcher), self.limits)
        respond = partial(self._respond, name, started)
        return await transcribed(batcher, wanted, respond, events=events)

    async def explain(self, name: str, request: Request) -> Response:
        """Tell why one value is answered as it is."""
        started = time.perf_counter()
        batcher = self.find(name)
        wanted = await asked(request, explains_of(batcher), self.limits)
        return self._respond(name, started, [await explained(batcher, wanted)])

    def only(self, path: str) -> str:
        """The name of the only model. Raises Refusal where there are several."""
        if len(self.models) > 1:
            names = ", ".join(sorted(model.name for model in self.models))
            raise Refusal(
                HTTPStatus.NOT_FOUND,
                f"several models are served: POST /models/NAME/{path}, NAME of {names}",
            )
        return self.models[0].name

    def _respond(self, name: str, started: float, outcomes: Sequence[Outcome]) -> Response:
        """The answers, counted."""
        faults = sum(isinstance(outcome, Fault) for outcome in outcomes)
        self.meters.errors.labels(name).inc(faults)
        self.meters.rows.labels(name).inc(len(outcomes) - faults)
        return respond(name, outcomes, seconds=time.perf_counter() - started)

    async def _warm_up(self) -> None:
        for model in self.models:
            try:
                await asyncio.to_thread(model.warm_up)
            except Exception as error:  # the row is made up; what real rows do, they will show
                log.warning(
                    "%s could not be warmed up, so its first answer is slow: %s", model.name, error
                )
        self.warm = True


def build_app(
    models: Sequence[Model], *, limits: Limits, token: Token | None, local: bool
) -> Border:
    """The whole app. ``local``: without a token, only names of this machine are answered to."""
    models = [model.within(limits) for model in models]
    house = House(models, limits)
    app = FastAPI(
        title="multigraft",
        version=__version__,
        lifespan=house.open,
        docs_url=None,  # FastAPI's own page loads its script from elsewhere
        redoc_url=None,
        telemetry=SILENT,
    )
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _refused)
    _add_models(app, house)
    for verb in _verbs(models):
        _add_verb(app, house, verb)
    _add_states(app, house)
    _add_page(app)
    return Border(app, limits=limits, meters=house.meters, token=token, local=local)


@dataclass(frozen=True)
class Verb:
    """What can be asked of a model: the method of `House` that answers, and its description."""

    name: str
    summary: str
    asks: Sequence[Mapping[str, Option]]
    """What each model may be asked."""
    responses: dict[int | str, dict[str, Any]] = field(default_factory=lambda: schema.RESPONSES)


def _verbs(models: Sequence[Model]) -> list[Verb]:
    said = "What is said in a sound of any length, and when"
    why = "Why a value is answered as it is: what each of its units adds"
    speaks = [found.asks for model in models if (found := model.transcripts)]
    explains = [each.asks for model in models if (each := model.explains)]
    return [
        Verb("predict", "Answer one value or many", [model.asks for model in models]),
        Verb("transcribe", said, speaks, schema.TRANSCRIPTS),
        Verb("explain", why, explains),
    ]


def _add_models(app: FastAPI, house: House) -> None:
    @app.get("/models", summary="What is served")
    async def models() -> Response:
        return reply({"models": [model.describe() for model in house.models]})

    @app.get("/models/{name}", summary="One model", responses=schema.ERRORS)
    async def one(name: str) -> Response:
        return reply(house.find(name).model.describe())


def _add_verb(app: FastAPI, house: House, verb: Verb) -> None:
    """Of a model by its name, and of the only one without."""
    answer: Callable[[str, Request], Awaitable[Response]] = getattr(house, verb.name)
    told: dict[str, Any] = {
        "openapi_extra": schema.body(verb.asks),
        "responses": verb.responses,
    }

    @app.post(f"/models/{{name}}/{verb.name}", summary=verb.summary, operation_id=verb.name, **told)
    async def of_named(name: str, request: Request) -> Response:
        return await answer(name, request)

    @app.post(
        f"/{verb.name}",
        summary="The same, of the only model",
        operation_id=f"{verb.name}_only",
        **told,
    )
    async def of_only(request: Request) -> Response:
        return await answer(house.only(verb.name), request)


def _add_states(app: FastAPI, house: House) -> None:
    @app.get("/healthz", summary="Whether the process works")
    async def health() -> Response:
        return reply({"alive": house.alive}, 200 if house.alive else HTTPStatus.SERVICE_UNAVAILABLE)

    @app.get("/readyz", summary="Whether every model is warm")
    async def ready() -> Response:
        is_ready = house.warm and house.alive
        return reply({"ready": is_ready}, 200 if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)

    @app.get("/metrics", summary="Counters for Prometheus")
    async def metrics() -> Response:
        return Response(house.meters.text(), headers={"content-type": CONTENT_TYPE})


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def start() -> Response:
        return page_file(START)

    @app.get("/page/{name}", include_in_schema=False)
    async def part(name: str) -> Response:
        return page_file(name)


async def _refused(request: Request, error: Exception) -> Response:
    """An error as JSON."""
    del request
    if isinstance(error, HTTPException):
        error = Refusal(error.status_code, str(error.detail), error.headers)
    if not isinstance(error, Refusal):
        raise error
    return reply(error.body(), error.status, error.headers)
