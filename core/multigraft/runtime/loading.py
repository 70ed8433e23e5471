"""Opening a bundle: its files are checked, what it names is found here, and its graph is made
ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from multigraft.contracts.readers import load_spec
from multigraft.errors import BundleError, refused_as
from multigraft.plugins.catalog import Catalog
from multigraft.runtime.asking import check_counts
from multigraft.runtime.branches import BranchSession, whole_session
from multigraft.runtime.bundle import MANIFEST, Bundle, manifest_hash, open_bundle
from multigraft.runtime.explain.precise import PRECISE, Precise
from multigraft.runtime.generation.generator import DECODER, ENCODER, generator_of
from multigraft.runtime.lookup import choose, look_up
from multigraft.runtime.predictor import Predictor
from multigraft.runtime.providers import prefers_half
from multigraft.runtime.session import Session


@dataclass(frozen=True)
class Opening:
    """How a predictor was opened, so that another process can do the same."""

    folder: Path
    precision: str
    threads: int | None
    providers: str | Sequence[str] | None
    catalog: Catalog | None
    manifest: str
    """The hash of what was opened."""

    def again(self, precision: str | None = None) -> Predictor:
        """Check and open the bundle once more, or in another precision. Raises BundleError where
        another has taken its place."""
        found = load(
            self.folder,
            precision=precision or self.precision,
            threads=self.threads,
            providers=self.providers,
            catalog=self.catalog,
        )
        if _hash(found.bundle) != self.manifest:
            raise BundleError(
                f"{self.folder}: holds another bundle than when the predictor was opened; load it "
                "anew"
            )
        return found


def load(
    folder: str | Path,
    *,
    precision: str | None = None,
    threads: int | None = None,
    providers: str | Sequence[str] | None = None,
    catalog: Catalog | None = None,
) -> Predictor:
    """Check a bundle and open it. Raises BundleError, or PredictError for ``threads``.

    ``precision`` is one that the bundle holds (unset or ``auto``: the one it prefers, on a graphics
    processor fp16 or else fp32); ``threads`` compute one call; ``providers`` are ``cpu``, ``cuda``,
    ``openvino``, ``coreml`` and so on, or onnxruntime's own names (unset: the processor);
    ``catalog`` knows the modality and the task (unset: the installed plugins).
    """
    check_counts(threads=threads)
    folder = Path(folder).expanduser().absolute()  # not resolved: a name may lead through links
    half = prefers_half(providers)
    bundle = open_bundle(folder)
    wanted = None if precision == "auto" else precision
    chosen, file = choose(bundle, wanted or (_on_graphics(bundle) if half else None))
    known = catalog if catalog is not None else Catalog()
    modality, answers = look_up(bundle, known)
    with refused_as(BundleError, f"{folder}: cannot be opened"):
        main = Session(folder / file, threads=threads, providers=providers)
        roles = {
            role: Session(folder / name, threads=threads, providers=providers)
            for role, name in bundle.precisions[chosen].graphs.items()
        }
        session = whole_session(bundle, main, roles, folder)
        _check_ports(bundle, session, folder / file)
        reader = modality.reader(load_spec(bundle.reader, folder))
        _check_memory(bundle, roles, folder)
        graphs = {DECODER: main, **roles}
        generator = generator_of(bundle.generation, reader, graphs, bundle.columns)
    opening = Opening(folder, chosen, threads, providers, catalog, _hash(bundle))
    return Predictor(
        bundle,
        precision=chosen,
        session=session,
        reader=reader,
        modality=modality,
        answers=answers,
        generator=generator,
        explainers=known.explainers(),
        precise=_precise(opening, bundle),
        opening=opening,
    )


def _precise(opening: Opening, bundle: Bundle) -> Precise | None:
    """The bundle in fp32, where that is another graph and may be used."""
    entry = bundle.precisions.get(PRECISE)
    if opening.precision == PRECISE or entry is None or not entry.accepted or entry.file is None:
        return None
    size = sum(bundle.files[name].size for name in (entry.file, *entry.graphs.values()))
    return Precise(partial(opening.again, PRECISE), size)


def _hash(bundle: Bundle) -> str:
    """The manifest's own, which bundles of earlier versions lack."""
    return bundle.sha256 or manifest_hash(bundle.model_dump(mode="json"))


def _check_ports(bundle: Bundle, session: Session | BranchSession, path: Path) -> None:
    """Raise BundleError where a graph does not take and give what the manifest says."""
    for side, listed, found in (
        ("input", bundle.inputs, session.inputs),
        ("output", bundle.outputs, session.outputs),
    ):
        if odd := sorted({port.name for port in listed} ^ set(found)):
            which = "lists" if odd[0] not in found else "does not list"
            raise BundleError(
                f"{path}: the graph and {MANIFEST} do not belong together: it {which} the {side} "
                f"{odd[0]!r}; export the run again"
            )


def _check_memory(bundle: Bundle, roles: Mapping[str, Session], folder: Path) -> None:
    """Raise BundleError where no graph gives what the decoder is to remember."""
    memory = () if bundle.generation is None else bundle.generation.memory
    given = roles[ENCODER].outputs if ENCODER in roles else ()
    if lacking := [name for name in memory if name not in given]:
        raise BundleError(
            f"{folder}: no encoder gives {lacking[0]!r}, which {MANIFEST} says that its decoder "
            "remembers; export the run again"
        )


def _on_graphics(bundle: Bundle) -> str | None:
    """The precision for a graphics processor, which computes our int8 slowly."""
    held = [
        name
        for name in ("fp16", "fp32")
        if name in bundle.precisions and bundle.precisions[name].accepted
    ]
    return held[0] if held else None
