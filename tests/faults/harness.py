"""Runs that are killed again and again where chance says so, and compared with one that was left
alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from faults.cases import Case
from faults.ends import differences, leftovers
from faults.life import End, Fate, Room, live
from faults.watch import Strike

SEED = "MULTIGRAFT_FAULT_SEED"
"""The environment variable that repeats the kill points of an earlier test or soak."""
SWAPS = ("os.rename", "os.replace", "rmtree", "half written", "os.rmdir", "os.unlink")
"""The rare events at which a file or folder takes another's place, or is half there."""
SHOWN = {
    "replay": {"replay build: rows are computed", "replay build: after os.rename"},
    "rows cache": {"rows cache: after os.rename"},
    "table cache": {"table cache: after os.rename"},
    "export": {"export: after export_graph", "export: after os.rename"},
}
"""Events without which a recipe does not have the feature it is there for."""
RESUMING = (
    "assembly: before assemble",
    "run.json: after os.replace",
    "journal: before MetricsLog.keep",
    "journal: before os.fsync",
    "journal: after os.replace",
    "checkpoint read: open to read",
    "checkpoint read: after Checkpoints.load",
)
"""Events of a life that goes on with a run; most of them are not in a calm one."""
SECOND = 0.5
"""The share of kills from outside that strike the second of two processes."""
WHILE_RESUMING, ASKED = 0.3, 0.15
"""The shares of lives that may be struck while they resume, and that are asked to stop by SIGTERM
instead."""


@dataclass(frozen=True)
class Calm:
    """A run that was left alone, and what happened in it."""

    case: Case
    data: Path
    room: Room
    events: Sequence[tuple[str, float]]
    seconds: float

    def second(self, index: int) -> float:
        """When the event with this number happened."""
        return self.events[index][1]

    def training(self) -> float:
        """When the first step began."""
        return next(at for name, at in self.events if name.startswith("step:"))


Undisturbed = Callable[[str], Calm]
"""The calm run of a recipe, by its name."""


@dataclass(frozen=True)
class Point:
    """A moment of a calm life: the event with number ``index``, or a second, at which a kill is
    due."""

    second: float
    index: int | None = None
    """None: from outside, wherever the process is then."""


@dataclass
class Trial:
    """One run that was killed again and again, and how it ended."""

    case: Case
    kills: Counter[str] = field(default_factory=Counter)
    """How often it was killed, by place."""
    asked: int = 0
    """How often SIGTERM ended a life."""
    lives: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)
    """What its end has that it should not."""
    story: list[str] = field(default_factory=list)
    """What was done to it, for people."""

    def told(self, seed: int) -> str | None:
        """What is wrong, and how to see it again; None where it was killed and ended well."""
        problems = self.wrong or ([] if self.kills else ["nothing was killed"])
        return "\n  ".join([f"{SEED}={seed}", *problems, *self.story]) if problems else None


def fresh_seed() -> int:
    """The seed of all kill points: that of the environment, else a new one."""
    asked = os.environ.get(SEED)
    return int(asked) if asked else int.from_bytes(os.urandom(4), "big")


def generator(seed: int, *names: str) -> np.random.Generator:
    """Chance of one test's own, so that it can be repeated alone."""
    return np.random.default_rng([seed, *(byte for name in names for byte in name.encode())])


def calm_life(case: Case, folder: Path) -> Calm:
    """Let a run pass undisturbed."""
    room = Room(folder / "calm")
    data = case.make_data(folder)
    end = live(case, data, room)
    assert end.code == 0, f"{case.name}, undisturbed, ended with {end.code}:\n{room.told()[-3000:]}"
    calm = Calm(case, data, room, room.events(), end.seconds)
    _check_features(calm)
    return calm


def _check_features(calm: Calm) -> None:
    """Raise AssertionError where a recipe does not go through the rooms it is there for."""
    case, seen = calm.case, {name for name, _ in calm.events}
    for feature in case.features:
        missing = SHOWN.get(feature, set()) - seen
        assert not missing, f"{case.name}: {feature}, but never {missing}"
    reason = json.loads((calm.room.run / "run.json").read_text(encoding="utf-8"))["reason"]
    stopped = reason is not None
    assert stopped == ("early stopping" in case.features), f"{case.name}: stopped early: {reason}"


def trial(
    calm: Calm,
    folder: Path,
    points: Sequence[Point],
    rng: np.random.Generator,
    *,
    asked: float = ASKED,
) -> Trial:
    """Kill a run at the points, in order, let it end, and say what is wrong with the end.

    One that ends before its first point makes way for another, whose first is the next point.
    At the share ``asked`` of the events the process is asked to stop instead, with SIGTERM.
    """
    done, room, groups = Trial(calm.case), Room(folder), list[int]()
    before: Point | None = None
    began = time.perf_counter()
    for point in points:
        fate = _fate(calm, before, point, rng, asked)
        end = live(calm.case, calm.data, room, fate)
        groups.append(end.process)
        _note(done, fate, end)
        if end.code == 0 and before is None:  # quicker than the calm one: the moment came too late
            shutil.rmtree(room.root)
            continue
        if end.code == 0 or done.wrong:
            break
        before = point
    if not done.wrong:
        end = live(calm.case, calm.data, room)
        done.lives += 1
        if end.code:
            done.wrong.append(f"the last life ended with {end.code} at: {end.place}")
        else:
            done.wrong += [*differences(calm.room, room), *leftovers(room, [*groups, end.process])]
    done.seconds = time.perf_counter() - began
    if done.wrong:
        done.wrong.append(f"look into {room.root}")
    else:
        shutil.rmtree(room.root)
    return done


def _note(done: Trial, fate: Fate, end: End) -> None:
    done.lives += 1
    meant = " or ".join(
        f"{strike.deed} at {strike.event} #{strike.number}" for strike in fate.strikes
    )
    done.story.append(
        f"{meant or f'killed after {fate.after:.3f} s'}: ended with {end.code} at {end.place}"
    )
    if end.killed:
        done.kills[end.place] += 1
    elif end.code in (128 + signal.SIGTERM, -signal.SIGTERM):
        done.asked += 1
    elif end.code:
        done.wrong.append(f"a life ended with {end.code} at: {end.place}")


def _fate(
    calm: Calm, before: Point | None, point: Point, rng: np.random.Generator, asked: float
) -> Fate:
    """What to do to the next life so that it comes from one point about as far as the next."""
    if point.index is None:
        since, start = 0.0 if before is None else before.second, calm.training()
        done = max(0.0, since - start)
        second = calm.case.processes > 1 and bool(rng.random() < SECOND)
        return Fate(after=max(0.02, point.second - done), second=second)
    first = 0 if before is None else _index(calm, before)
    name = calm.events[point.index][0]
    number = sum(event == name for event, _ in calm.events[first : point.index + 1])
    deed = "SIGTERM" if rng.random() < asked else "SIGKILL"
    strikes = [Strike(name, max(1, number), deed)]
    if before is not None and rng.random() < WHILE_RESUMING:
        strikes.append(Strike(str(rng.choice(RESUMING)), int(rng.integers(1, 4))))
    return Fate(strikes)


def _index(calm: Calm, point: Point) -> int:
    """The number of the event from which on a resumed life repeats what came after the point."""
    if point.index is not None:
        return point.index + 1
    return next((index for index, (_, at) in enumerate(calm.events) if at >= point.second), 0)


def draw(
    calm: Calm, rng: np.random.Generator, chosen: int, *, chance: int = 0, musts: Sequence[str] = ()
) -> list[Point]:
    """``chosen`` events and ``chance`` moments, in order of time.

    Events are drawn from strata (a place, and whether a file takes another's place there), so that
    what is rare is met as often as what is frequent; ``musts`` are places that come first.
    """
    strata: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for index, (name, _) in enumerate(calm.events):
        strata[name.partition(":")[0], any(swap in name for swap in SWAPS)].append(index)
    order = [list(strata)[number] for number in rng.permutation(len(strata))]
    order.sort(key=lambda stratum: not (stratum[0] in musts and stratum[1]))
    exports = [stratum for stratum in order if stratum[0] == "export"]
    # one export takes long enough
    order = [stratum for stratum in order if stratum not in exports[1:]]
    points = []
    for stratum in order[:chosen]:
        name = rng.choice(sorted({calm.events[index][0] for index in strata[stratum]}))
        index = int(
            rng.choice([index for index in strata[stratum] if calm.events[index][0] == name])
        )
        points.append(Point(calm.second(index), index))
    points += [Point(float(rng.uniform(0, calm.seconds))) for _ in range(chance)]
    return sorted(points, key=lambda point: point.second)
