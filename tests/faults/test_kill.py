"""A run that is killed with SIGKILL, wherever it is, and resumed ends with the bits of the one left
alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.harness import Point, Trial, Undisturbed, draw, generator, trial

KILLS = {
    "text-gradual": 5,
    "text-replay": 3,
    "text-labels": 3,
    "text-answers": 3,
    "text-threads": 2,
    "image-contrastive": 4,
    "image-export": 3,
    "image-replay": 3,
    "audio-lora": 4,
    "audio-replay": 3,
}
"""How often each recipe is killed: 33 times together. `make soak` kills all recipes, and more
often."""


def judge(done: Trial, seed: int) -> None:
    told = done.told(seed)
    if told is not None:
        pytest.fail(told)


@pytest.mark.parametrize("name", KILLS)
def test_killed_anywhere_it_ends_with_the_same_bits(
    name: str, tmp_path: Path, seed: int, undisturbed: Undisturbed
) -> None:
    rng, calm = generator(seed, name), undisturbed(name)
    musts = (
        ("replay build", "checkpoint write")
        if "replay" in calm.case.features
        else ("checkpoint write",)
    )
    points = draw(calm, rng, KILLS[name] - 1, chance=1, musts=musts)
    judge(trial(calm, tmp_path / "killed", points, rng, asked=0), seed)


@pytest.mark.parametrize("name", ["text-replay", "image-replay", "audio-replay"])
def test_killed_three_times_in_one_build_it_ends_with_the_same_bits(
    name: str, tmp_path: Path, seed: int, undisturbed: Undisturbed
) -> None:
    """Parts of a replay cache that are whole are kept, a half-written one is never seen."""
    rng, calm = generator(seed, name, "build"), undisturbed(name)
    inside = [
        index for index, (event, _) in enumerate(calm.events) if event.startswith("replay build: ")
    ]
    chosen = sorted(rng.choice(inside, 3, replace=False).tolist())
    points = [Point(calm.second(index), index) for index in chosen]
    judge(trial(calm, tmp_path / "killed", points, rng, asked=0), seed)
