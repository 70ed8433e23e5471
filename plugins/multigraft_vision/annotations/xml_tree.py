"""Safe XML: strangers' elements as a tree, bounded in bytes, elements and depth, no entities."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from multigraft import RowError
from multigraft.contracts.readers import row_bytes

LIMIT = 2**22
"""The most bytes of a file; one with a thousand objects takes 300 KB."""
ELEMENTS = 200_000
DEPTH = 32


def read_xml(path: Path) -> Element:
    """The root of a file. Raises RowError for what is no XML, or more than an annotation is.

    A document type is refused: entities, and files that they name, come with one alone.
    """
    return parse_xml(row_bytes(path, limit=LIMIT))


def parse_xml(content: bytes) -> Element:
    """The root of a document. Raises RowError.

    >>> parse_xml(b"<a><b>1</b></a>").findtext("b")
    '1'
    """
    parser, tree = expat.ParserCreate(), _Tree()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.built.data
    parser.buffer_text = True
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise RowError(f"is no XML: {error}") from error
    return tree.built.close()


class _Tree:
    """Builds the tree, within bounds."""

    def __init__(self) -> None:
        self.built = TreeBuilder()
        self.depth = self.count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        self.count += 1
        if self.depth > DEPTH or self.count > ELEMENTS:
            raise RowError(f"has more than {ELEMENTS:,} elements, or is {DEPTH} deep")
        self.built.start(tag, attributes)

    def end(self, tag: str) -> None:
        self.depth -= 1
        self.built.end(tag)


def _refuse_doctype(*_: object) -> None:
    raise RowError("has a document type, which may hold entities; take <!DOCTYPE ...> out")
