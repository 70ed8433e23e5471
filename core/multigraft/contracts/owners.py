"""Ownership of records: what a run or a bundle remembers of the plugin that brought one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Owner(BaseModel):
    """The plugin that registered a modality, backbone, task or strategy."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    plugin: str
    """Its name among the entry points, or that of the object."""
    version: str = Field("", pattern=r"^[\w.+!-]*$")
    distribution: str = Field("", pattern=r"^[\w.-]*$")
    """What `pip install` knows it as; empty where the plugin was handed over as an object."""


def advice(noun: str, owner: Owner | None, *, keeper: str, door: str) -> str:
    """Say what to do where a record is missing; ``keeper`` remembers it, ``door`` takes objects.

    >>> print(advice("task",
    ...              Owner(plugin="series", version="0.1", distribution="multigraft-series"),
    ...              keeper="run", door=""))
    the task came from plugin 'series' 0.1  ->  pip install "multigraft-series==0.1"
    """
    if owner is None:
        return f"the {keeper} does not say which plugin brings this {noun}"
    of = f"the {noun} came from plugin {owner.plugin!r}" + (
        f" {owner.version}" if owner.version else ""
    )
    if not owner.distribution:
        return f"{of}, which was handed over as an object: {door}"
    pin = f"=={owner.version}" if owner.version else ""
    return f'{of}  ->  pip install "{owner.distribution}{pin}"'
