"""Text to plain trees: what words mean, where they stand, and what is too much."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from gatereeve.api import yaml


def value(text: str) -> object:
    trees, problem = yaml.read(text)
    assert problem is None
    (tree,) = trees
    assert tree.problems == ()
    return tree.value


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("y", "y"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("8080", 8080),
        ("-1", -1),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("010", "010"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("2027-01-31", "2027-01-31"),
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
        ("9" * 5000, "9" * 5000),
        ("'8080'", "8080"),
        ('"true"', "true"),
        ("!!str 8080", "8080"),
        ("!!int 8080", 8080),
        ("!!binary aGk=", "aGk="),
        ("=", "="),
    ],
)
def test_plain_words_mean_what_kubernetes_users_think(text: str, meant: object) -> None:
    assert value(f"a: {text}") == {"a": meant}


def test_places_know_their_lines() -> None:
    trees, _ = yaml.read("---\na: 1\nb:\n  - x\n  - c: [1,\n      2]\n")
    assert dict(trees[0].lines) == {
        "": 2, "a": 2, "b": 3, "b[0]": 4, "b[1]": 5,
        "b[1].c": 5, "b[1].c[0]": 5, "b[1].c[1]": 6,
    }  # fmt: skip


def test_keys_are_text_whatever_they_look_like() -> None:
    assert value("1: a\ntrue: b\nno: c\n2027-01-31: d\n") == {
        "1": "a", "true": "b", "no": "c", "2027-01-31": "d",
    }  # fmt: skip


def test_a_key_given_twice_is_a_problem_at_the_second() -> None:
    trees, _ = yaml.read("a:\n  b: 1\n  c: 2\n  b: 3\n")
    (problem,) = trees[0].problems
    assert (problem.finding.code, problem.path, problem.line) == ("duplicate-key", "a.b", 4)


@pytest.mark.parametrize("text", ["a: !foo 1", "a: !!python/name:os.system x", "a: !!int x"])
def test_foreign_tags_are_refused_and_nothing_is_built(text: str) -> None:
    trees, problem = yaml.read(text)
    assert problem is None
    assert [p.finding.code for p in trees[0].problems] == ["invalid-field"]


@pytest.mark.parametrize("text", ["? [a, b]\n: 1", "? {a: b}\n: 1", "a: {{ .Values.x }}"])
def test_a_key_that_is_no_text_is_refused(text: str) -> None:
    trees, _ = yaml.read(text)
    assert [p.finding.message for p in trees[0].problems] == ["a key is not text"]


def test_aliases_and_merge_keys_read_as_their_author_meant() -> None:
    text = """
    base: &base {a: 1, b: 2}
    other: &other {b: 3, c: 4}
    one: {<<: *base, b: 9}
    two: {<<: [*base, *other]}
    """
    read = value(text)
    assert isinstance(read, dict)
    assert read["one"] == {"a": 1, "b": 9}
    assert read["two"] == {"a": 1, "b": 2, "c": 4}


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefghijk", "bcdefghijkl", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "a: &a [*a]",
        "a: &a {b: *a}",
        "a: &a {<<: *a}",
        "a: &a {<<: [*a, *a]}",
        "&a {kind: List, items: [*a, *a]}",
        "[" * 100 + "]" * 100,
        "- " * 100 + "x",
        "? " * 100,
        "{a: " * 100 + "}" * 100,
        "a: [" + "x," * 1_100_000 + "]",
        "x" * (yaml.MAX_CHARACTERS + 1),
        "? " + "k" * 5000 + "\n: 1",
        "[" * 100_000,
        "{" * 100_000,
        "- " * 100_000,
    ],
    ids=lambda text: text[:24],
)
def test_documents_that_would_not_end_are_refused_quickly(text: str) -> None:
    start = time.process_time()
    _, problem = yaml.read(text)
    took = time.process_time() - start
    if problem is not None:
        assert problem.finding.code in {"document-too-large", "yaml-syntax"}
    assert took < 5


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("a:\n\t- b", 2, "indent with spaces"),
        ("a: 1\nb: c: d", 2, "put quotes around"),
        ("a: 1\nb: 'x\nc: 2\n", 2, "close the quote"),
        ("a: *nowhere", 1, "an alias"),
        ("a: 1\n{{ if .Values.x }}\nb: 1", 2, "template"),
        ("a: \x00", 1, "check the indentation"),
        ("a: \ud800", 1, "check the indentation"),
    ],
)
def test_syntax_errors_say_where_and_what_to_do(text: str, line: int, hint: str) -> None:
    _, problem = yaml.read(text)
    assert problem is not None
    assert (problem.finding.code, problem.line) == ("yaml-syntax", line)
    assert hint in problem.finding.hint


def test_what_precedes_a_syntax_error_is_read() -> None:
    trees, problem = yaml.read("a: 1\n...\nb: 2\nc: [\n")
    assert [tree.value for tree in trees] == [{"a": 1}]
    assert problem is not None


def test_a_file_is_divided_at_its_separators_only() -> None:
    text = "# head\n---\na: |\n  ---\n  x\n--- # two\nb: 1\n---\n# nothing\n---not: one\n"
    chunks = yaml.split(text)
    assert [(c.before, c.text.splitlines()[0]) for c in chunks] == [
        (1, "---"), (5, "--- # two"), (7, "---"),
    ]  # fmt: skip
    assert yaml.read(chunks[0].text)[0][0].value == {"a": "---\nx\n"}


def test_directives_reach_over_separators_so_the_file_stays_whole() -> None:
    assert len(yaml.split("%YAML 1.2\n---\na: 1\n---\nb: 1\n")) == 1


def test_windows_line_ends_and_byte_order_marks_do_not_disturb() -> None:
    chunks = yaml.split("\ufeffa: 1\r\n---\r\nb: 2\r\n")
    assert [yaml.read(c.text)[0][0].value for c in chunks] == [{"a": 1}, {"b": 2}]


def test_json_escapes_read_alike() -> None:
    text = yaml.from_json('{"a": "\\ud83d\\ude00 \\\\ud83d\\\\ude00 \\/ \\n", "b":1}')
    assert value(text) == {"a": "😀 \\ud83d\\ude00 / \n", "b": 1}


def test_documents_of_one_shape_share_their_paths() -> None:
    (one,), _ = yaml.read("a: {b: 1}")
    (two,), _ = yaml.read("\n\na: {b: 2}")
    assert one.lines["a.b"] == 1
    assert two.lines["a.b"] == 3
    assert one.lines._index is two.lines._index


def test_comments_cost_no_memory() -> None:
    """A file of comments once took fifty times its size."""
    text = "# x\n" * 500_000
    tracemalloc.start()
    try:
        assert yaml.split(text) == ()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(text)
