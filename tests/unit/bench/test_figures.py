"""Figures, bars, the table and the file: what a bar means must not depend on who reads it."""

import json
import pathlib

import pytest
from bench import __main__ as main
from bench import figures
from bench.figures import BARS, Bar, Figure


def test_a_bar_holds_at_its_limit() -> None:
    assert Bar("at most", 50).holds(50)
    assert not Bar("at most", 50).holds(50.001)
    assert Bar("at least", 0.6).holds(0.6)
    assert not Bar("at least", 0.6).holds(0.599)


def test_every_bar_is_a_figure_of_some_benchmark() -> None:
    measured = {name for benchmark in main.BENCHMARKS for name in benchmark.names}
    assert measured >= BARS.keys()


def test_no_figure_belongs_to_two_benchmarks() -> None:
    names = [name for benchmark in main.BENCHMARKS for name in benchmark.names]
    assert len(names) == len(set(names))


def test_an_entry_says_everything() -> None:
    entry = Figure("change-enforced-1000", 41.2345, "ms", "p50 30").entry()
    assert entry == {"value": 41.2, "unit": "ms", "bar": "<= 80", "holds": True, "note": "p50 30"}


def test_rounding_does_not_decide() -> None:
    entry = Figure("change-enforced-1000", 80.01, "ms").entry()
    assert entry["holds"] is False


def test_what_was_not_measured_holds_nothing() -> None:
    entry = Figure("litellm-throughput-ratio", None, "", "skipped: needs Go").entry()
    assert entry["value"] is None
    assert entry["holds"] is None
    assert entry["bar"] == ">= 50"


def test_a_figure_without_a_bar_informs() -> None:
    figure = Figure("plain-throughput", 20_000.0, "requests/s")
    assert figure.bar is None
    assert figure.holds is None


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 2), (0.51, 3), (0.99, 4), (1, 4), (0.01, 1)])
def test_percentiles_are_by_nearest_rank(share: float, wanted: float) -> None:
    assert figures.percentile([4, 2, 3, 1], share) == wanted


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing"):
        figures.percentile([], 0.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (41.26, "41.3"), (999.4, "999"), (12345.6, "12,346"), (0.3, "0.3")],
)
def test_numbers_as_people_read_them(value: float, text: str) -> None:
    assert figures.number(value) == text


def test_the_table_names_misses_and_gaps() -> None:
    text = figures.table(
        [
            Figure("change-enforced-1000", 90, "ms"),
            Figure("governed-added-latency-p50", 0.2, "ms"),
            Figure("litellm-throughput-ratio", None, ""),
            Figure("machine", 2, "cores"),
        ]
    )
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert lines["change-enforced-1000"].endswith("MISSED")
    assert lines["governed-added-latency-p50"].endswith("holds")
    assert lines["litellm-throughput-ratio"].endswith("not measured")
    assert lines["machine"].endswith("cores")


def test_one_benchmark_leaves_the_figures_of_the_others(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "build" / "bench.json"
    figures.write(file, [Figure("a", 1.0, "s"), Figure("b", 2.0, "s")])
    figures.write(file, [Figure("b", 3.0, "s")])
    entries = json.loads(file.read_text())
    assert {name: entry["value"] for name, entry in entries.items()} == {"a": 1.0, "b": 3.0}
    assert set(entries["a"]) == {"value", "unit", "bar", "holds", "note"}


def test_a_file_that_is_no_json_is_replaced(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "bench.json"
    file.write_text("{")
    figures.write(file, [Figure("a", 1.0, "s")])
    assert list(json.loads(file.read_text())) == ["a"]
