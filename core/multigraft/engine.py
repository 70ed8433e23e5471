"""The engine: a catalog of plugins, and the verbs called on runs."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from multigraft.contracts.report import Report
from multigraft.contracts.types import Stage
from multigraft.data.given import kept_rows, without_rows
from multigraft.errors import MultigraftError, PluginError, RecipeError, RunError
from multigraft.plugins.catalog import Catalog
from multigraft.plugins.tracing import Tell
from multigraft.recipe import Recipe, read_mapping
from multigraft.recipe.resolve import SCRATCH, read_recipe, resolve
from multigraft.recipe.resolved import ResolvedRecipe
from multigraft.runs import assembly
from multigraft.runs.compare import Comparison, compare
from multigraft.runs.conditions import recipe_changes, same_data, same_recipe, same_world, threads
from multigraft.runs.provenance import absent
from multigraft.runs.record import read_record
from multigraft.runs.report_files import read_report, report_file
from multigraft.runs.reports import keep_report
from multigraft.runs.run import RECIPE, Run
from multigraft.system import process_lock
from multigraft.system.compute.determinism import as_many_threads
from multigraft.system.compute.device import use_allowed_cores
from multigraft.system.compute.processes import World, join_world
from multigraft.system.disk import explaining
from multigraft.system.files import whole_path, write_text
from multigraft.system.libraries import house_compilers
from multigraft.system.lock import alone_in, claimed
from multigraft.system.resume_command import RECORD, resume_command
from multigraft.system.shortage import explaining_shortage
from multigraft.training.callbacks import asked_for, observing

log = logging.getLogger("multigraft")
TRAINING = ("pretrain", "finetune")
"""The verbs in which all processes take part."""


class Engine:
    """Runs recipes with the plugins of one catalog; two share only the process.

    ``plugins`` are further plugin objects (callbacks among them); ``discover=False`` leaves the
    installed ones out; ``strict=True`` raises where a plugin cannot be admitted, or fails while it
    watches a run. ``trace`` is told of every hook call: (hook, plugin, seconds, whether it
    answered). A ``catalog`` made before takes the place of these, and admits ``plugins`` too.
    """

    @explaining_shortage()
    def __init__(
        self,
        plugins: Sequence[object] = (),
        *,
        discover: bool = True,
        strict: bool = False,
        trace: Tell | None = None,
        catalog: Catalog | None = None,
    ) -> None:
        if process_lock.idle():  # a training goes on with the threads that it began with
            use_allowed_cores()
        house_compilers()
        if catalog is None:
            catalog = Catalog(plugins, discover=discover, strict=strict, trace=trace)
        else:
            for plugin in plugins:
                catalog.admit(plugin)
        self.catalog = catalog
        self._held: set[Path] = set()
        """Run folders whose lock this engine holds."""

    @explaining_shortage()
    def start(
        self,
        raw: Mapping[str, Any] | ResolvedRecipe,
        stage: Stage,
        *,
        source: str = "recipe",
        before: Mapping[str, Any] | None = None,
        beside: Path | None = None,
    ) -> Run:
        """Build and train a run of a recipe; ``before``: facts of a run that it must repeat.

        Its ``data`` may hold rows (see `multigraft.data.given`), which its folder then keeps.
        Its folder is the recipe's ``output``, else ``beside``, else one named after what it is; of
        the last two the next free name is taken. Raises RecipeError, DataError, WeightsError,
        RunError.
        """
        rows: Mapping[str, Any] = {}
        if not isinstance(raw, ResolvedRecipe):
            raw, rows = without_rows(raw)
            raw = read_recipe(raw, self.catalog, source=source)
        resolved = raw.anchored()
        recipe = resolved.recipe
        asked_for(recipe)  # what is not installed is told before the work
        if resolved.task.stage != stage:
            raise RecipeError(
                [
                    f"task: {resolved.task.name!r} is for {resolved.task.stage}; call: multigraft "
                    f"{resolved.task.stage}"
                ],
                source=source,
            )
        world = join_world()
        wanted = beside or _new_folder(recipe.output, resolved.task.name, recipe.backbone_name)
        fresh = beside is not None or recipe.output is None
        with (
            process_lock.training(_training(wanted)),
            as_many_threads(threads(before or {})),
            self._begun(wanted, world, fresh=fresh) as folder,
        ):
            with kept_rows(resolved, rows, folder, world) as kept:
                run = assembly.assemble(kept, self.catalog, folder, dispatch=self.call, world=world)
            if before is not None:
                same_data(before, run.facts, folder)
                run.facts["precision"] = before.get("precision")
            if world.leads:
                write_text(folder / RECIPE, kept.recipe.to_yaml())
                run.facts["recipe"] = read_mapping(folder / RECIPE)
                run.facts |= assembly.saved_facts(run.reader, run.targets, folder)
            with self._recorded(run):
                self.call(stage, run)
            return run

    @explaining_shortage()
    def resume(self, folder: Path) -> Run:
        """Go on with a run that was interrupted; it ends with the bits of the undisturbed one.

        Raises RunError where there is no run, or where the data changed since.
        """
        folder, world = whole_path(folder), join_world()
        read_record(folder)  # where there is none, nothing is made
        with process_lock.training(_training(folder)), self._at_work(folder, world):
            facts = read_record(folder)
            if facts["state"] == "finished":
                raise RunError(
                    f"{folder}: is finished; evaluate it with: multigraft evaluate {folder}"
                )
            same_world(facts, folder, world)
            pinned = same_recipe(facts, folder)
            run = self._build(folder, facts, trained=False)
            run.facts = {**facts, "recipe": pinned, "resumed": facts.get("resumed", 0) + 1}
            with self._recorded(run):
                self.call(run.resolved.task.stage, run)
            return run

    def rerun(self, folder: Path, output: Path | None = None) -> Comparison:
        """Train a finished run again, in ``output`` (unset: beside it), and compare the two.

        With the threads, the processes and on the data it had. Raises RunError where it is not
        finished, or where its data or recipe changed.
        """
        folder = whole_path(folder)
        facts = read_record(folder)
        assembly.check_trained(folder)
        same_world(facts, folder, join_world(), verb="rerun")
        raw = {**same_recipe(facts, folder), "output": None if output is None else str(output)}
        beside = folder.with_name(f"{folder.name}-again") if output is None else None
        again = self.start(
            raw, facts["stage"], source=str(folder / RECIPE), before=facts, beside=beside
        )
        return compare(folder, again.folder)

    @explaining_shortage()
    def open(self, folder: Path) -> Run:
        """A trained run, ready to be evaluated and exported. Raises RunError."""
        folder = whole_path(folder)
        facts = read_record(folder)
        assembly.check_trained(folder)
        with process_lock.beside(f"opening {folder}"):
            run = self._build(folder, facts, trained=True)
        for line in recipe_changes(facts, read_mapping(folder / RECIPE)):
            log.warning("%s: %s, and that is how the model was trained", folder / RECIPE, line)
        run.facts = facts
        return run

    @explaining_shortage()
    def call(self, verb: str, run: Run) -> Report:
        """Call a verb's hook and keep its report in the run's folder.

        Of several processes the first measures and exports; the others wait and read its report.
        Raises PluginError where the answer is no `Report`, naming who gave it, RunError where
        another process is at work in the folder.
        """
        if not run.world.leads and verb not in TRAINING:
            run.world.wait()
            run.report = read_report(report_file(run.folder, verb, run.other_data))
            return run.report
        with ExitStack() as stack:
            if verb not in TRAINING:
                stack.enter_context(process_lock.beside(f"{verb} of {run.folder}"))
            stack.enter_context(self._at_work(run.folder, run.world))
            stack.enter_context(observing(run.recipe, self.catalog.manager, verb))
            report = self._kept(verb, run, getattr(self.catalog.manager.hook, verb)(run=run))
        if verb not in TRAINING:
            run.world.wait()
        return report

    def _kept(self, verb: str, run: Run, report: object) -> Report:
        """A verb's answer, kept in the run's folder. Raises PluginError where it is no `Report`."""
        if not isinstance(report, Report):
            raise PluginError(
                f"{verb} was answered with {type(report).__name__} instead of a Report by one of: "
                + ", ".join(self._answering(verb))
            )
        run.report = report
        if run.world.leads:
            keep_report(report, run.folder, other_data=run.other_data)
        return report

    @contextmanager
    def _begun(self, wanted: Path, world: World, *, fresh: bool) -> Iterator[Path]:
        """The new folder of a run, made and held before anything is written into it."""
        if not world.leads:
            yield world.agree(wanted)
            return
        with explaining(wanted), claimed(wanted, fresh=fresh) as folder, self._holding(folder):
            if (folder / RECORD).exists():
                raise RunError(
                    f"{folder}: already holds a run; go on with: {resume_command(folder)}, or name "
                    "another output"
                )
            yield world.agree(folder)

    @contextmanager
    def _at_work(self, folder: Path, world: World) -> Iterator[None]:
        """Keep other processes out of a run's folder, and explain what its disk refuses."""
        if folder in self._held or not world.leads:
            yield
            return
        with explaining(folder), alone_in(folder), self._holding(folder):
            yield

    @contextmanager
    def _holding(self, folder: Path) -> Iterator[None]:
        self._held.add(folder)
        try:
            yield
        finally:
            self._held.discard(folder)

    @contextmanager
    def _recorded(self, run: Run) -> Iterator[None]:
        """Write into the run's record how its training goes and ends."""
        started = time.time()
        with self._at_work(run.folder, run.world):
            run.record(state="running")
            try:
                yield
            except KeyboardInterrupt:
                run.record(state="interrupted")
                raise
            except MultigraftError as error:
                run.record(state="failed", reason=str(error))
                raise
            run.record(
                state="finished", reason=run.stop, finished=time.strftime("%Y-%m-%dT%H:%M:%S%z")
            )
        log.info("finished %s in %.1f s", run.folder, time.time() - started)

    def _build(self, folder: Path, facts: Mapping[str, Any], *, trained: bool) -> Run:
        source = folder / RECIPE
        recipe = Recipe.parse(read_mapping(source), source=str(source))
        if lines := absent(
            recipe, facts.get("modality", ""), facts.get("owners", {}), self.catalog
        ):
            raise RunError("\n  ".join([f"{folder}: was made with what is not here", *lines]))
        if trained:  # its own model is opened, so what it grew from may be gone
            named = recipe.with_weights(SCRATCH)
        else:
            asked_for(named := recipe)
        resolved = resolve(named, self.catalog, source=str(source))
        run = assembly.assemble(
            replace(resolved, recipe=recipe),
            self.catalog,
            folder,
            dispatch=self.call,
            saved=assembly.read_saved(facts, folder, trained=trained),
            trained=trained,
            world=join_world(),
        )
        same_data(facts, run.facts, folder)
        return run

    def _answering(self, verb: str) -> list[str]:
        callers = getattr(self.catalog.manager.hook, verb).get_hookimpls()
        return [str(caller.plugin_name) for caller in callers]


def _new_folder(output: str | None, task: str, backbone: str) -> Path:
    if output is not None:
        return whole_path(output)
    name = f"{task}-{backbone.replace('/', '-')}-{time.strftime('%Y%m%d-%H%M%S')}"
    return whole_path(Path("runs") / name)


def _training(folder: Path) -> str:
    return f"training {folder}"
