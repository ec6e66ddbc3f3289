"""YAML and JSON text to plain trees in which every place knows its line.

Reads the YAML that Kubernetes users write, and nothing that could surprise them: `no` and `on` stay
words (a boolean field may still say `yes`), dates stay text, numbers with a leading zero stay text,
tags of other languages are refused. Bounded in size, depth and expanded aliases. Errors are
`Problem`s with a line, never exceptions. Knows no kind; Unicode and JSON are as in YAML 1.2.
"""

from __future__ import annotations

import contextlib
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias, cast

from yaml._yaml import CParser
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from gatereeve.core.findings import Finding
from gatereeve.core.report import describe

Plain: TypeAlias = bool | int | float | str | list["Plain"] | dict[str, "Plain"] | None

MAX_DEPTH = 64
MAX_NODES = 500_000
"""Of one stretch of text between two `---`, with aliases expanded."""
MAX_CHARACTERS = 16 * 1024 * 1024
_MAX_PATH = 512
_MAX_PROBLEMS = 50
_MAX_SHARED = 2000

_SEPARATOR = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
_NOTHING = re.compile(r"(?:---)?+(?:[ \t\r\n]++|#[^\n]*+(?:\n|\Z))*+\Z")
"""Possessive: what is repeated is never tried again, so a file of comments needs no memory for it."""
_SHALLOW = 300
"""Fewer openers, or characters before the text of a line, nest no deeper than the stack allows."""
_STAIRS = re.compile(r"[ \t\-?:]{300}")
_SURROGATES = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)")

_CONSTANTS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER_START = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,308})")
_BASED = re.compile(r"0o[0-7]{1,64}|0x[0-9a-fA-F]{1,64}")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]{0,308})(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?"
)
BOOLEAN_WORDS: dict[str, bool] = {
    word: value
    for base, value in (("yes", True), ("on", True), ("no", False), ("off", False))
    for word in (base, base.capitalize(), base.upper())
}
_TAG = "tag:yaml.org,2002:"
_TEXT_TAGS = frozenset({_TAG + "str", _TAG + "binary", _TAG + "timestamp"})
_TYPED_TAGS: dict[str, tuple[type, ...]] = {
    _TAG + "int": (int,),
    _TAG + "float": (int, float),
    _TAG + "bool": (bool,),
    _TAG + "null": (type(None),),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with the text. line: 1-based in that text; path: in the document."""

    finding: Finding
    line: int
    path: str = ""


class Lines(Mapping[str, int]):
    """Path to line of one document. Documents of one shape share their paths: 4 bytes a place."""

    __slots__ = ("_base", "_index", "_rows")

    def __init__(self, index: Mapping[str, int], rows: array[int], base: int) -> None:
        self._index = index
        self._rows = rows
        self._base = base

    def __getitem__(self, path: str) -> int:
        return self._rows[self._index[path]] + self._base

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, path: object) -> bool:
        return path in self._index

    def shifted(self, by: int) -> Lines:
        """The same places `by` lines further down."""
        return Lines(self._index, self._rows, self._base + by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One document. words: where a bare `yes`, `no`, `on` or `off` stands, as text in `value`."""

    value: Plain
    lines: Lines
    problems: tuple[Problem, ...]
    words: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A stretch of a file from one `---` to the next. before: lines that stand above it."""

    text: str
    before: int


def split(text: str) -> tuple[Chunk, ...]:
    """The chunks of a file that hold something; a broken one does not hurt the others.

    `---` at the start of a line ends a document wherever it stands (YAML 1.2, 9.1.2), so this needs
    no parser. Only directives (`%TAG`) reach across, so a file with one is a single chunk.
    """
    text = text.removeprefix("\ufeff")
    starts = [] if _DIRECTIVE.search(text) else [m.start() for m in _SEPARATOR.finditer(text)]
    chunks = []
    before = 0
    for start, end in zip([0, *starts], [*starts, len(text)], strict=True):
        piece = text[start:end]
        if not _NOTHING.match(piece):
            chunks.append(Chunk(text=piece, before=before))
        before += piece.count("\n")
    return tuple(chunks)


def from_json(text: str) -> str:
    """JSON as text that YAML reads alike: pairs of surrogate escapes become their character."""

    def joined(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        high, low = int(match[1], 16) - 0xD800, int(match[2], 16) - 0xDC00
        return chr(0x10000 + (high << 10) + low)

    return _SURROGATES.sub(joined, text)


def read(text: str) -> tuple[tuple[Tree, ...], Problem | None]:
    """The documents of a chunk up to the first syntax error, and that error.

    Items of a `List` come one by one. Lines count from 1 in `text`.
    """
    refusal = _too_large(text)
    if refusal is not None:
        return (), refusal
    nodes, problem = _compose(text)
    budget = _Budget()
    trees: list[Tree] = []
    line = 1
    try:
        for node in nodes:
            for item in _expand(node, budget):
                line = item.start_mark.line + 1
                trees.append(_Walk(budget).tree(item))
    except _BoundError as error:
        problem = _bound(str(error), line)
    return tuple(trees), problem


def _bound(message: str, line: int) -> Problem:
    return Problem(
        line=line,
        finding=describe(
            "document-too-large",
            problem=message,
            bounds=f"{MAX_CHARACTERS // 2**20} MiB, {MAX_NODES} values (aliases expanded) and {MAX_DEPTH} levels",
        ),
    )


def _too_large(text: str) -> Problem | None:
    """Refuses before libyaml builds anything: every value needs one of these characters."""
    if len(text) > MAX_CHARACTERS:
        return _bound(f"the document has {len(text)} characters", 1)
    most = 2 * (text.count(":") + text.count("?")) + sum(map(text.count, "-,[{&*!"))
    if most > 2 * MAX_NODES:
        return _bound("the document has too many values", 1)
    if text.count("[") + text.count("{") > _SHALLOW or _STAIRS.search(text):
        return _too_deep(text)
    return None


def _too_deep(text: str) -> Problem | None:
    """Measures the depth from events, which need no stack.

    libyaml's composer recurses for every level without a bound, so enough of them end the process.
    Errors are left to the composer, which meets them at the same place.
    """
    depth = 0
    with contextlib.suppress(YAMLError, UnicodeError):
        parser = _Composer(text)
        try:
            while (event := parser.get_event()) is not None:
                if isinstance(event, CollectionStartEvent):
                    depth += 1
                    if depth > MAX_DEPTH:
                        line = event.start_mark.line if event.start_mark else 0
                        return _bound("nested too deep", line + 1)
                elif isinstance(event, CollectionEndEvent):
                    depth -= 1
        finally:
            parser.dispose()
    return None


class _Composer(CParser):
    """libyaml's parser and composer, leaving the meaning of plain text to us (tag None)."""

    def resolve(self, _kind: object, _value: object, _implicit: object) -> None:
        return None

    def descend_resolver(self, _node: object, _index: object) -> None:
        return None

    def ascend_resolver(self) -> None:
        return None


def _compose(text: str) -> tuple[list[Node], Problem | None]:
    nodes: list[Node] = []
    try:
        parser = _Composer(text)
        try:
            while parser.check_node():
                nodes.append(cast("Node", parser.get_node()))
        finally:
            parser.dispose()
    except (YAMLError, UnicodeError) as error:
        return nodes, _syntax(error, text)
    return nodes, None


def _syntax(error: Exception, text: str) -> Problem:
    rows = text.rstrip().split("\n")
    line, what = 1, "the text is not Unicode"
    if isinstance(error, MarkedYAMLError):
        what = ", ".join(part for part in (error.context, error.problem) if part)
        line = min(_line(error, rows), len(rows))
    elif isinstance(error, ReaderError):
        before = text.encode("utf-8", "replace")[: error.position]
        line = min(before.count(b"\n") + 1, len(rows))
        what = f"a character is not allowed: {error.reason}"
    case = _syntax_case(what, rows[line - 1])
    return Problem(line=line, finding=describe(f"yaml-syntax{case}", what=what))


def _line(error: MarkedYAMLError, rows: list[str]) -> int:
    """Where it begins for quotes left open and templates, else where it is noticed."""
    begin, noticed = error.context_mark, error.problem_mark
    row = rows[begin.line] if begin is not None and begin.line < len(rows) else ""
    if begin is not None and ("quoted scalar" in str(error.context) or "{{" in row):
        return begin.line + 1
    mark = noticed or begin
    return mark.line + 1 if mark is not None else 1


def _syntax_case(what: str, row: str) -> str:
    if "{{" in row:
        return ".template"
    if "\t" in row[: len(row) - len(row.lstrip())]:
        return ".tabs"
    if "mapping values are not allowed" in what:
        return ".colon"
    if "quoted scalar" in what:
        return ".quotes"
    if "alias" in what:
        return ".alias"
    return ""


def _expand(node: Node, budget: _Budget, depth: int = 0) -> Iterator[Node]:
    """The items of a `List` one by one, anything else as it is."""
    budget.spend()
    if isinstance(node, MappingNode) and depth < MAX_DEPTH:
        pairs = {k.value: v for k, v in node.value if isinstance(k, ScalarNode)}
        kind, items = pairs.get("kind"), pairs.get("items")
        named = isinstance(kind, ScalarNode) and kind.value == "List"
        if named and isinstance(items, SequenceNode):
            for item in items.value:
                yield from _expand(item, budget, depth + 1)
            return
    yield node


class _BoundError(Exception):
    """A document beyond the bounds; caught in `read`."""


class _Budget:
    """Values that may still be built, shared by the documents of one chunk."""

    def __init__(self) -> None:
        self._left = MAX_NODES

    def spend(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise _BoundError("too many values, or aliases that expand to too many")


class _Walk:
    """One document: its places, problems and words as they are met."""

    def __init__(self, budget: _Budget) -> None:
        self._budget = budget
        self._paths: list[str] = [""]
        self._rows: array[int] = array("I")
        self._problems: list[Problem] = []
        self._words: list[str] = []

    def tree(self, node: Node) -> Tree:
        self._rows.append(node.start_mark.line + 1)
        value = self._value(node, "", 0)
        return Tree(
            value=value,
            lines=Lines(_index_of(tuple(self._paths)), self._rows, 0),
            problems=tuple(self._problems),
            words=frozenset(self._words),
        )

    def _value(self, node: Node, path: str, depth: int) -> Plain:
        self._budget.spend()
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if depth >= MAX_DEPTH:
            raise _BoundError("nested too deep")
        if node.tag is not None and node.tag not in (_TAG + "map", _TAG + "seq"):
            self._problem(node, path, "invalid-field.tag", tag=node.tag)
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        items: list[Plain] = []
        for index, item in enumerate(node.value):
            place = f"{path}[{index}]"
            self._place(place, item.start_mark.line + 1)
            items.append(self._value(item, place, depth + 1))
        return items

    def _mapping(self, node: MappingNode, path: str, depth: int) -> dict[str, Plain]:
        merged: dict[str, Plain] = {}
        own: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._problem(key_node, path, "invalid-field.key")
                continue
            key: str = key_node.value
            if key == "<<" and not key_node.style:
                merged = {**merged, **self._merge(value_node, path, depth)}
                continue
            place = f"{path}.{key}" if path else key
            if key in own:
                self._problem(key_node, place, "duplicate-key", key=key[:80])
                continue
            self._place(place, key_node.start_mark.line + 1)
            own[key] = self._value(value_node, place, depth + 1)
        return {**merged, **own} if merged else own

    def _merge(self, node: Node, path: str, depth: int) -> dict[str, Plain]:
        """`<<: *base`: what stands in the mapping itself wins, then the first of several bases."""
        bases = node.value if isinstance(node, SequenceNode) else [node]
        merged: dict[str, Plain] = {}
        if depth >= MAX_DEPTH:
            raise _BoundError("merge keys go too deep")
        for base in bases:
            self._budget.spend()
            if not isinstance(base, MappingNode):
                self._problem(node, path, "invalid-field.merge")
                continue
            merged = {**self._mapping(base, path, depth + 1), **merged}
        return merged

    def _scalar(self, node: ScalarNode, path: str) -> Plain:
        text: str = node.value
        if node.tag is not None:
            return self._tagged(node, path)
        if node.style:
            return text
        if text in BOOLEAN_WORDS:
            self._words.append(path)
            return text
        return plain(text)

    def _tagged(self, node: ScalarNode, path: str) -> Plain:
        text: str = node.value
        if node.tag in _TEXT_TAGS:
            return text
        value = plain(text)
        if node.tag in _TYPED_TAGS and isinstance(value, _TYPED_TAGS[node.tag]):
            return value
        name = node.tag.removeprefix(_TAG)[:80]
        self._problem(node, path, "invalid-field.tag", tag=name)
        return text

    def _place(self, path: str, row: int) -> None:
        """Remember where `path` stands; overlong paths fall back to what encloses them."""
        if len(path) <= _MAX_PATH:
            self._paths.append(path)
            self._rows.append(row)
        elif len(path) > _MAX_PATH * 8:
            raise _BoundError("keys are too long")

    def _problem(self, node: Node, path: str, name: str, **values: object) -> None:
        if len(self._problems) < _MAX_PROBLEMS:
            line = node.start_mark.line + 1
            problem = describe(name, **values)
            self._problems.append(Problem(line=line, path=path[:_MAX_PATH], finding=problem))


def plain(text: str) -> bool | int | float | str | None:
    """What unquoted text means: YAML 1.2's core schema, less what people misread.

    `010`, `1_000`, `1:30`, `.inf` and dates stay text: a field that wants a number says so.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if abs(value) != float("inf") else text
    return text


def _index_of(paths: tuple[str, ...]) -> Mapping[str, int]:
    """Row by path; shared by all documents of one shape, which is most of them."""
    if len(paths) > _MAX_SHARED:
        return {path: row for row, path in enumerate(paths)}
    return _shared_index(paths)


@lru_cache(maxsize=1024)
def _shared_index(paths: tuple[str, ...]) -> Mapping[str, int]:
    return {path: row for row, path in enumerate(paths)}
