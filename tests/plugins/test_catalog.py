"""Admission: whole or not at all, and every refusal says who and why."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import multigraft as mg
import multigraft_series
from multigraft.errors import PluginError, UnknownName
from multigraft.plugins import catalog as catalog_module
from multigraft.plugins import discovery
from multigraft.plugins.catalog import Catalog
from multigraft.plugins.info import PluginInfo, PluginOff, SlowPlugin
from multigraft.system.signals import Interrupted, Stopping


def strategy(name: str) -> mg.Strategy:
    return mg.Strategy(name=name, plan=lambda plan, options: plan)


class Good:
    @mg.hookimpl
    def register_strategies(self) -> list[mg.Strategy]:
        return [strategy("sideways")]


class Clash:
    @mg.hookimpl
    def register_strategies(self) -> list[mg.Strategy]:
        return [strategy("brand-new"), strategy("full")]


class Misspelt:
    @mg.hookimpl
    def register_strategies(self) -> list[mg.Strategy]:
        return [strategy("lost")]

    @mg.hookimpl
    def step_ended(self, run: Any, step: int, logs: Any) -> None: ...


class Unmarked:
    def register_tasks(self) -> list[mg.Task]:
        return []


class WrongRecord:
    @mg.hookimpl
    def register_tasks(self) -> list[Any]:
        return [{"name": "a dict"}]


class ClassNotObject:
    @mg.hookimpl
    def register_tasks(self) -> list[Any]:
        return [mg.Task]


class NotAFunction:
    @mg.hookimpl
    def register_strategies(self) -> list[mg.Strategy]:
        return [mg.Strategy(name="odd", plan="module:function")]  # type: ignore[arg-type]


class WrongArgument:
    @mg.hookimpl
    def step_end(self, run: Any, step: int, loggs: Any) -> None: ...


class Twice:
    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        return [mg.Modality(name="echo", reader=lambda spec: None, columns=("echo",))] * 2  # type: ignore[arg-type, return-value]


class Raises:
    @mg.hookimpl
    def register_backbones(self) -> list[mg.Backbone]:
        raise RuntimeError("no licence found")


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (Clash(), "strategy 'full' is already registered by plugin 'engine'"),
        (Misspelt(), "step_ended"),
        (Unmarked(), "register_tasks is a hook but is not marked; write @multigraft.hookimpl"),
        (WrongRecord(), "register_tasks gave dict; Task records are needed"),
        (ClassNotObject(), "gave the class Task; did you forget its ()?"),
        (NotAFunction(), "plan of 'odd' must be a function, not 'module:function'"),
        (WrongArgument(), "loggs"),
        (Twice(), "modality 'echo' is registered twice"),
        (Raises(), "RuntimeError: no licence found"),
        (Good, "Good is a class; pass an object: Good()"),
    ],
)
def test_a_broken_plugin_is_refused_whole(plugin: object, said: str) -> None:
    catalog = Catalog(discover=False)
    before = {record.name for record in catalog.strategies()}
    with pytest.raises(PluginError, match=__import__("re").escape(said)):
        catalog.admit(plugin)
    assert {record.name for record in catalog.strategies()} == before
    assert not catalog.manager.is_registered(plugin)
    catalog.admit(Good())  # the catalog still works
    assert catalog.strategy("sideways").name == "sideways"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Pretend that these modules are installed plugins: name -> module, or an error to raise on
    import."""
    names: list[str] = []

    def install(**plugins: Any) -> None:
        entries = []
        for name, plugin in plugins.items():
            if isinstance(plugin, ModuleType):
                monkeypatch.setitem(sys.modules, plugin.__name__, plugin)
                names.append(plugin.__name__)
            module = plugin.__name__ if isinstance(plugin, ModuleType) else str(plugin)
            entries.append(EntryPoint(name=name, value=module, group="multigraft"))
        monkeypatch.setattr(discovery, "entry_points", lambda group: entries)

    yield install


def module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    for key, value in members.items():
        setattr(made, key, value)
    return made


@mg.hookimpl
def register_strategies() -> list[mg.Strategy]:
    return [strategy("from-a-module")]


def test_an_installed_plugin_is_admitted(installed: Callable[..., None]) -> None:
    installed(zebra=module("zebra_plugin", register_strategies=register_strategies))
    catalog = Catalog()
    assert catalog.strategy("from-a-module").name == "from-a-module"
    assert [info.name for info in catalog.plugins] == ["engine", "zebra"]
    assert catalog.owner("strategies", "from-a-module").name == "zebra"


def test_one_that_cannot_be_imported_is_kept_and_quoted(installed: Callable[..., None]) -> None:
    installed(
        broken="no_such_module_anywhere",
        zebra=module("zebra_plugin", register_strategies=register_strategies),
    )
    with pytest.warns(PluginOff, match="broken") as caught:
        catalog = Catalog()
    assert len(caught) == 1
    off = next(info for info in catalog.plugins if info.name == "broken")
    assert off.error is not None
    assert "no_such_module_anywhere" in off.error
    assert catalog.strategy("from-a-module")  # the others work
    with pytest.raises(UnknownName, match="plugin 'broken' is off: No module named"):
        catalog.backbone("bert-tiny")


ENDING = {
    "import sys; sys.exit()": r"it called sys.exit\(\)",
    "import sys; sys.exit('no licence')": r"it called sys.exit\('no licence'\)",
    "raise SystemExit(0)": r"it called sys.exit\(0\)",
    "class Stop(BaseException): ...\nraise Stop('mine')": "Stop: mine",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise KeyboardInterrupt('mine')": "KeyboardInterrupt: mine",
    "raise GeneratorExit": "GeneratorExit",
    "import asyncio; raise asyncio.CancelledError": "CancelledError",
    "import pytest; pytest.skip('not here', allow_module_level=True)": "Skipped: not here",
}


@pytest.mark.parametrize("code", ENDING)
def test_one_that_ends_the_process_at_its_import_is_off(
    code: str, installed: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ending_plugin.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "ending_plugin", raising=False)
    installed(
        ending="ending_plugin",
        zebra=module("zebra_plugin", register_strategies=register_strategies),
    )
    with pytest.warns(PluginOff, match=f"'ending' is off: {ENDING[code]}"):
        catalog = Catalog()
    assert catalog.strategy("from-a-module")
    with pytest.raises(PluginError, match=ENDING[code]):
        Catalog(strict=True)


def test_one_that_ends_the_process_when_it_is_asked_is_off() -> None:
    class Ending:
        @mg.hookimpl
        def register_tasks(self) -> list[mg.Task]:
            sys.exit("enough")

    with pytest.raises(PluginError, match=r"it called sys.exit\('enough'\)"):
        Catalog([Ending()], discover=False)


@pytest.mark.parametrize(
    "code",
    [
        "import signal; signal.raise_signal(signal.SIGINT)",
        "import _thread; _thread.interrupt_main(); list(range(10**5))",
    ],
)
def test_a_person_may_still_interrupt_an_import(
    code: str, installed: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "slow_plugin.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "slow_plugin", raising=False)
    installed(slow="slow_plugin")
    # in the background it is ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Catalog()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_scheduler_may_stop_an_import_too(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = PluginInfo("slow", "", "", lambda: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(catalog_module, "installed", lambda: [slow])
    with pytest.raises(Interrupted), Stopping().heeding():
        Catalog()


def test_a_handler_that_a_plugin_sets_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def load() -> object:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        return module("deaf_plugin")

    monkeypatch.setattr(catalog_module, "installed", lambda: [PluginInfo("deaf", "", "", load)])
    try:
        Catalog()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_one_that_seems_interrupted_in_another_thread_is_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python answers signals in the main thread alone."""

    def load() -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(catalog_module, "installed", lambda: [PluginInfo("odd", "", "", load)])
    with (
        ThreadPoolExecutor(1) as pool,
        pytest.warns(PluginOff, match="'odd' is off: KeyboardInterrupt"),
    ):
        pool.submit(Catalog).result()


def test_strict_raises(installed: Callable[..., None]) -> None:
    installed(broken="no_such_module_anywhere")
    with pytest.raises(PluginError, match="broken"):
        Catalog(strict=True)


def test_of_two_that_clash_the_newcomer_is_off(installed: Callable[..., None]) -> None:
    installed(
        beta=module("beta_plugin", register_strategies=register_strategies),
        alpha=module("alpha_plugin", register_strategies=register_strategies),
    )
    with pytest.warns(
        PluginOff,
        match="'beta' is off: strategy 'from-a-module' is already registered by plugin 'alpha'",
    ):
        catalog = Catalog()
    assert catalog.owner("strategies", "from-a-module").name == "alpha"


def test_a_slow_plugin_is_named(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    @mg.hookimpl
    def slow() -> list[mg.Strategy]:
        time.sleep(0.05)
        return [strategy("late")]

    monkeypatch.setattr(catalog_module, "SLOW_SECONDS", 0.04)
    installed(snail=module("snail_plugin", register_strategies=slow))
    with pytest.warns(SlowPlugin, match="'snail' took"):
        catalog = Catalog()
    assert catalog.strategy("late")


def test_names_are_suggested() -> None:
    catalog = Catalog([multigraft_series], discover=False)
    with pytest.raises(UnknownName, match=r"unknown backbone 'tcn-tny': did you mean 'tcn-tiny'\?"):
        catalog.backbone("tcn-tny")
    with pytest.raises(UnknownName, match=r"unknown strategy 'loar': did you mean 'lora'\?"):
        catalog.strategy("loar")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("bert-base-uncased", "did you mean 'bert-base', which has these weights?"),
        ("google-bert/bert-base-uncased", "did you mean 'bert-base', which has these weights?"),
        ("gpt2", "did you mean 'gpt-small', which has these weights?"),
        ("bert-base-cased", "did you mean 'bert-base'?"),
        ("microsoft/resnet-50", "did you mean 'resnet-50'?"),
        ("wav2vec2", "its size is missing: wav2vec2-base, wav2vec2-large, wav2vec2-tiny"),
        ("resnet50", "did you mean 'resnet-50'?"),
        (
            "distilbert-base-uncased",
            "others by their own names: clip-image/<name>, clip-text/<name>, detr",
        ),
    ],
)
def test_names_of_other_libraries_are_known(name: str, meant: str) -> None:
    with pytest.raises(UnknownName) as caught:
        Catalog().backbone(name)
    assert meant in str(caught.value)


def test_a_size_can_be_resolved_by_the_family() -> None:
    class Open:
        @mg.hookimpl
        def register_backbones(self) -> list[mg.Backbone]:
            return [
                mg.Backbone(
                    name="open",
                    modality="series",
                    sizes={},
                    build=lambda origin, spec: None,  # type: ignore[arg-type, return-value]
                    reader=lambda origin, options: {},
                    find=lambda size: mg.Size(hub=size) if size.startswith("net") else None,
                )
            ]

    catalog = Catalog([Open()], discover=False)
    assert catalog.backbone("open/net50")[2].hub == "net50"
    with pytest.raises(UnknownName):
        catalog.backbone("open/other")


def test_two_catalogs_share_nothing() -> None:
    first, second = Catalog([Good()], discover=False), Catalog(discover=False)
    assert first.strategy("sideways")
    with pytest.raises(UnknownName):
        second.strategy("sideways")


def test_the_in_tree_plugins_are_admitted_strictly_and_without_torch() -> None:
    import subprocess

    script = (
        "import sys; from multigraft.plugins.catalog import Catalog; c = Catalog(strict=True); "
        "print([i.name for i in c.plugins]); bad = {'torch', 'transformers', 'timm', 'torchaudio', "
        "'datasets'} & set(sys.modules); sys.exit(f'imported {bad}' if bad else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['engine', 'speech', 'table', 'text', 'vision']"


@pytest.mark.parametrize(
    ("asked", "on"),
    [
        ("good", {"good"}),
        ("good, other", {"good", "other"}),
        ("", set()),
        (None, {"good", "other"}),
    ],
)
def test_the_environment_names_those_to_load(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch, asked: str | None, on: set[str]
) -> None:
    installed(
        good=module("good_plugin", register_strategies=register_strategies),
        other=module("other_plugin"),
    )
    if asked is not None:
        monkeypatch.setenv("MULTIGRAFT_PLUGINS", asked)
    found = Catalog().plugins
    assert {info.name for info in found if info.error is None} == {"engine", *on}
    off = [info.error for info in found if info.error]
    assert off == [f"not asked for: MULTIGRAFT_PLUGINS is {asked!r}"] * (2 - len(on))


def test_a_name_that_is_not_installed_is_an_error(
    installed: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(good=module("good_plugin"))
    monkeypatch.setenv("MULTIGRAFT_PLUGINS", "goood")
    with pytest.raises(PluginError, match="no plugin 'goood' is installed; did you mean 'good'"):
        Catalog()


def test_a_plugin_for_other_versions_is_off_and_names_both() -> None:
    class Old:
        requires_multigraft = "<0.0.1"

    with pytest.raises(PluginError, match=r"needs multigraft <0.0.1, and \S+ is installed"):
        Catalog([Old()], discover=False)

    class Garbled(Old):
        requires_multigraft = "about one"

    with pytest.raises(PluginError, match=r"write it as '>=0\.1,<0\.3'"):
        Catalog([Garbled()], discover=False)

    class Fits(Old):
        requires_multigraft = ">=0.0.1"

    assert Catalog([Fits()], discover=False).plugins[-1].error is None


def test_what_is_known_of_a_plugin(installed: Callable[..., None]) -> None:
    installed(good=module("good_plugin", register_strategies=register_strategies), bad="not_there")
    with pytest.warns(PluginOff):
        found = {info.name: info for info in Catalog().plugins}
    assert found["good"].hooks == ("register_strategies",)
    assert found["good"].target == "good_plugin"
    assert "ModuleNotFoundError" in found["bad"].details
    assert found["engine"].file.endswith("builtin.py")
