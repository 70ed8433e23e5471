"""Pascal VOC: an XML file for each picture, in a folder of them or named by a list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from xml.etree.ElementTree import Element

from multigraft import RowError
from multigraft.contracts.formats import PLAIN, Layout, Parsed
from multigraft.data.sources.cells import open_text
from multigraft.errors import DataError
from multigraft_vision.annotations.boxes import corners, too_large
from multigraft_vision.annotations.rows import Marked, Pictures
from multigraft_vision.annotations.sizes import upright_size
from multigraft_vision.annotations.units import Units
from multigraft_vision.annotations.xml_tree import read_xml

ANNOTATIONS = "Annotations"
PICTURES = ("JPEGImages", "images", "Images")
SIDES = ("xmin", "ymin", "xmax", "ymax")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
FROM_ZERO = "a box begins at pixel 0, so pixels are counted from 0 here, and not from 1 as in VOC"
OTHER = "<filename> names another picture than the XML file's own name does, which is taken"


@dataclass(frozen=True)
class _Read:
    """What one file says, or why it cannot be used."""

    file: Path
    root: Element | None
    fault: str = ""


def read_voc(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a folder of XML files, one that holds ``Annotations``, or a list of their names, as
    ``ImageSets/Main/train.txt``: ``image``, ``objects``, ``width``, ``height``.

    VOC counts pixels from 1, and its last pixel belongs to the box: 1 to 10 are ten pixels from 0.
    Where any box begins at 0, the source counts from 0. An object is ``{label, box: [left, top,
    width, height], area, difficult, crowd}``. Raises DataError where there are none.
    """
    files = _listed(path, layout) if path.is_file() else _held(path)
    folder = _pictures(files[0].parent)
    source = _Source(folder, _names(folder))
    read = [_opened(file) for file in files]
    first = 0 if any(_from_zero(each.root) for each in read if each.root is not None) else 1
    for each in read:
        source.add(each, first)
    source.units.check(path.name)
    notes = [FROM_ZERO] if first == 0 else []
    paths = [file.name for file in files]
    return source.found.parsed(notes=notes, encoding=layout.encoding, folder=folder, paths=paths)


@dataclass
class _Source:
    """What all files say, picture by picture."""

    folder: Path
    names: Mapping[str, str]
    """Of pictures, by themselves and without their ending."""
    found: Pictures = field(default_factory=Pictures)
    units: Units = field(default_factory=Units)
    taken: dict[str, str] = field(default_factory=dict)
    """Picture -> the file whose objects it has."""

    def add(self, read: _Read, first: int) -> None:
        """Take a file as a row. What is wrong with it makes the row bad."""
        if read.root is None:
            self.found.lost(read.fault)
            return
        image, said = self._image(read.file, read.root)
        if image is None:
            self.found.lost(f"its picture {said!r} is not in {self.folder.name}"[:200])
            return
        row, size = len(self.found.rows), upright_size(self.folder / image)
        if fault := _other_size(read.root, size):
            self.found.refuse(row, f"{image}: {fault}")
        if (other := self.taken.setdefault(image, read.file.name)) != read.file.name:
            self.found.refuse(row, f"{image}: has the objects of {other} already")
        marks = [_marked(number, each, first) for number, each in _objects(read.root)]
        for box in (each.box for each in marks if each.box):
            self.units.add([box[0] + first, box[1] + first, *box[2:]], None)
        self.found.add(image, marks, size=size)

    def _image(self, file: Path, root: Element) -> tuple[str | None, str]:
        """The picture of a file, and what it is said to be. Where both the file's own name and
        what stands in it are pictures', the name decides, as in VOC's own tools."""
        said = PureWindowsPath(_text(root, "filename")).name  # some tools write a whole path
        stem = PureWindowsPath(said).stem
        told, own = self.names.get(said) or self.names.get(stem), self.names.get(file.stem)
        if told is None or own is None or stem == file.stem:
            return told or own, said
        self.found.tell(len(self.found.rows), OTHER)
        return own, said


def _names(folder: Path) -> Mapping[str, str]:
    pictures = [each for each in sorted(folder.iterdir()) if _is_picture(each)]
    return {each.stem: each.name for each in pictures} | {each.name: each.name for each in pictures}


def _held(folder: Path) -> list[Path]:
    inner = folder / ANNOTATIONS if (folder / ANNOTATIONS).is_dir() else folder
    found = sorted(each for each in inner.iterdir() if each.suffix.lower() == ".xml")
    if not found:
        raise DataError(f"{folder.name}: holds no .xml file, nor a folder {ANNOTATIONS} of them")
    return found


def _listed(path: Path, layout: Layout) -> list[Path]:
    """The files of a list: names without their ending, a line each; what follows a name is not
    read."""
    if path.suffix.lower() == ".xml":
        return [path]
    with open_text(path, layout.encoding) as lines:
        names = [line.split()[0] for line in lines if line.strip()]
    here = path.parent
    tried = [each / ANNOTATIONS for each in (here, here.parent, here.parent.parent)]
    folder = next((each for each in tried if each.is_dir()), here)
    if not names:
        raise DataError(f"{path.name}: names no picture")
    if strange := [name for name in names if PureWindowsPath(name).name != name or "\0" in name]:
        raise DataError(f"{path.name}: {strange[0]!r} is no name of a file in {folder.name}")
    return [folder / f"{name.removesuffix('.xml')}.xml" for name in names]


def _pictures(annotations: Path) -> Path:
    beside = (annotations.parent / name for name in PICTURES)
    return next((each for each in beside if each.is_dir()), annotations)


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES


def _opened(file: Path) -> _Read:
    try:
        root = read_xml(file)
    except RowError as error:
        return _Read(file, None, str(error))
    wrong = root.tag != "annotation"
    return _Read(file, None if wrong else root, f"holds <{root.tag}>, no <annotation>"[:80] * wrong)


def _from_zero(root: Element) -> bool:
    sides = (_text(each, f"bndbox/{side}") for each in root.iter("object") for side in SIDES[:2])
    return any(_number(side) == 0 for side in sides)


def _objects(root: Element) -> Iterator[tuple[int, Element]]:
    return enumerate(root.findall("object"), 1)


def _other_size(root: Element, size: tuple[int, int] | None) -> str:
    said = _number(_text(root, "size/width")), _number(_text(root, "size/height"))
    if size is None or not all(said) or said == size:  # some tools write 0 x 0
        return ""
    return (
        f"is said to have {said[0]:g} x {said[1]:g} pixels and has {size[0]} x {size[1]} "
        "(upright): its boxes would lie elsewhere"
    )


def _marked(number: int, element: Element, first: int) -> Marked:
    label = _text(element, "name").strip()
    name = f"object {number}"
    sides: Sequence[float | None] = [_number(_text(element, f"bndbox/{side}")) for side in SIDES]
    if not label:
        return Marked(name, fault="its <name> is missing or empty")
    try:
        box, mended = corners(list(sides), sized=False)
    except RowError:
        told = ", ".join(_text(element, f"bndbox/{side}")[:20] or "nothing" for side in SIDES)
        return Marked(
            name, fault=f"its bndbox is {told}; {', '.join(SIDES)} are needed{too_large(sides)}"
        )
    box = [box[0] - first, box[1] - first, *box[2:]]
    more = {"difficult": _text(element, "difficult").strip() == "1", "crowd": False}
    return Marked(name, label, box, more, frozenset(mended))


def _text(element: Element, path: str) -> str:
    return element.findtext(path) or ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
