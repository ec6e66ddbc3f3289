"""What our processes count, for Prometheus. Values are read at each scrape; nothing is kept here.

`REGISTRY` is every metric with its meaning, from which the reference page is made. Labels have few
values: names of Gates, types of xDS, severities, tasks of ours; never anything a client sends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Final, Literal

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector, CollectorRegistry

from gatereeve.admission.server import BUCKETS_S, OUTCOMES, Counts
from gatereeve.core.findings import Severity
from gatereeve.core.protocols import Clock
from gatereeve.intake.access_log import AccessLog
from gatereeve.ledger.store import LedgerStore
from gatereeve.proxy.xds import snapshot as snap
from gatereeve.proxy.xds.server import AdsServer
from gatereeve.runtime.control_plane import ControlPlane

Sample = tuple[Sequence[str], float]
"""The values of a metric's labels, and its own. Of a histogram: the bucket's bound, and how many
were at most that; then `sum` and the sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """name: as Prometheus shows it. of: the process that has it."""

    name: str
    kind: Literal["gauge", "counter", "histogram"]
    of: Literal["controller", "gate", "recorder", "every"]
    about: str
    labels: tuple[str, ...] = ()


def _metric(of: str, kind: str, name: str, about: str, *labels: str) -> Metric:
    return Metric(name=f"gatereeve_{name}", kind=kind, of=of, about=about, labels=labels)  # type: ignore[arg-type]


GATE_INFO: Final = _metric(
    "controller", "gauge", "gate_info", "1 for the configuration hash that is published for a Gate",
    "gate", "hash",
)  # fmt: skip
GATE_CURRENT: Final = _metric(
    "controller", "gauge", "gate_current",
    "1 when every known gate of this Gate has proved to run what is published", "gate",
)  # fmt: skip
GATE_NODES: Final = _metric(
    "controller", "gauge", "gate_nodes",
    "gates of this Gate that are asked for a proof (`known`), and how many of them are `active` with"
    " what is published", "gate", "state",
)  # fmt: skip
XDS_STREAMS: Final = _metric("controller", "gauge", "xds_streams", "open xDS streams")
XDS_OPENED: Final = _metric("controller", "counter", "xds_streams_total", "xDS streams since start")
XDS_REFUSED: Final = _metric(
    "controller", "counter", "xds_streams_refused_total",
    "streams ended by us: no or another's certificate, an unknown Gate, too many requests",
)  # fmt: skip
XDS_PUSHES: Final = _metric(
    "controller", "counter", "xds_pushes_total", "xDS responses sent to gates"
)
XDS_RESOURCES: Final = _metric(
    "controller", "counter", "xds_resources_total", "resources in these responses"
)
XDS_NACKS: Final = _metric(
    "controller", "counter", "xds_nacks_total", "responses that a gate rejected", "type"
)
COMPILE_S: Final = _metric(
    "controller", "gauge", "compile_seconds", "how long the newest compilation took"
)
WORLD_AGE_S: Final = _metric(
    "controller", "gauge", "world_age_seconds", "since the newest documents were applied"
)
FINDINGS: Final = _metric(
    "controller", "gauge", "findings", "findings in the documents of now", "severity"
)
FINDING_CODES: Final = _metric(
    "controller",
    "gauge",
    "finding_codes",
    "findings in the documents of now, of the codes that occur",
    "code",
)
LEADING: Final = _metric("controller", "gauge", "leading", "1 while this replica is the leader")
REVIEWS: Final = _metric(
    "controller", "counter", "reviews_total",
    "changes that the API server asked about: allowed, refused, malformed, busy, late, failed", "outcome",
)  # fmt: skip
REVIEW_S: Final = _metric(
    "controller", "histogram", "review_seconds", "how long a review took, until its answer was ready"
)  # fmt: skip
REVIEW_CODES: Final = _metric(
    "controller", "counter", "review_refusals_total", "why changes were refused", "code"
)
GUARDS: Final = _metric(
    "controller", "gauge", "guards_installed",
    "guards in the cluster at the last look; 0 also when they cannot be seen",
)  # fmt: skip
CERTIFICATE_S: Final = _metric(
    "every", "gauge", "certificate_expiry_seconds",
    "until a certificate expires; below a third of its life it should have been renewed", "certificate",
)  # fmt: skip
FAILURES: Final = _metric(
    "every", "counter", "task_failures_total", "how often a task of ours failed and began again", "task"
)  # fmt: skip
GATE_READY: Final = _metric("gate", "gauge", "gate_ready", "1 while this gate wants traffic")
GATE_DRAINING: Final = _metric("gate", "gauge", "gate_draining", "1 while it sends clients away")
ENVOY_RESTARTS: Final = _metric(
    "gate", "counter", "envoy_restarts_total", "how often Envoy ended by itself and was started anew"
)  # fmt: skip
RECORDS: Final = _metric("recorder", "counter", "records_total", "requests reported by the gate")
RECORDS_LOST: Final = _metric(
    "recorder", "counter", "records_lost_total", "requests whose records are known to be lost"
)
RECORDS_WAITING: Final = _metric(
    "recorder", "gauge", "records_waiting", "records in memory because the store does not take them"
)  # fmt: skip
LEDGER_ENTRIES: Final = _metric("every", "gauge", "ledger_entries", "entries of the log of records")
LEDGER_WAITING: Final = _metric(
    "every", "gauge", "ledger_waiting", "records that are stored and not yet in the log, signed"
)  # fmt: skip

REGISTRY: Final = (
    GATE_INFO, GATE_CURRENT, GATE_NODES, XDS_STREAMS, XDS_OPENED, XDS_REFUSED, XDS_PUSHES,
    XDS_RESOURCES, XDS_NACKS, COMPILE_S, WORLD_AGE_S, FINDINGS, FINDING_CODES, LEADING, REVIEWS, REVIEW_S, REVIEW_CODES, GUARDS,
    CERTIFICATE_S, FAILURES,
    GATE_READY, GATE_DRAINING, ENVOY_RESTARTS, RECORDS, RECORDS_LOST, RECORDS_WAITING,
    LEDGER_ENTRIES, LEDGER_WAITING,
)  # fmt: skip


def render(measured: Iterable[tuple[Metric, Iterable[Sample]]]) -> bytes:
    """Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once([_family(metric, samples) for metric, samples in measured]))
    return generate_latest(registry)


class _Once(Collector):
    """Families that were read already."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families


def _family(metric: Metric, samples: Iterable[Sample]) -> Family:
    if metric.kind == "histogram":
        *buckets, (_, total) = samples
        histogram = HistogramMetricFamily(metric.name, metric.about)
        histogram.add_metric([], [(labels[0], value) for labels, value in buckets], total)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.about, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


Measured = Iterator[tuple[Metric, Iterable[Sample]]]


def of_controller(
    plane: ControlPlane, server: AdsServer, clock: Clock, *, leading: bool
) -> Measured:
    """What a controller measures of its control plane."""
    counters, now = server.counters, clock.now()
    findings = plane.all_findings()
    runs = sorted(plane.runs.items())
    yield GATE_INFO, [((name, run.gate.hash), 1) for name, run in runs]
    yield GATE_CURRENT, [((name,), run.is_current) for name, run in runs]
    yield (
        GATE_NODES,
        [
            ((name, state), number)
            for name, run in runs
            for state, number in (
                ("known", len(run.nodes)),
                ("active", sum(map(run.runs, run.nodes))),
            )
        ],
    )
    yield XDS_STREAMS, [((), sum(gate_status.connected for gate_status in server.status()))]
    yield XDS_OPENED, [((), counters.streams)]
    yield XDS_REFUSED, [((), counters.streams_refused)]
    yield XDS_PUSHES, [((), counters.responses)]
    yield XDS_RESOURCES, [((), counters.resources)]
    yield XDS_NACKS, [((snap.short_name(t),), n) for t, n in sorted(counters.nacks.items())]
    if plane.compile_s is not None and plane.applied_at is not None:
        yield COMPILE_S, [((), plane.compile_s)]
        yield WORLD_AGE_S, [((), (now - plane.applied_at).total_seconds())]
    yield (
        FINDINGS,
        [((level.name.lower(),), sum(f.severity is level for f in findings)) for level in Severity],
    )
    yield (
        FINDING_CODES,
        [((code,), n) for code, n in sorted(Counter(f.code for f in findings).items())],
    )
    yield LEADING, [((), leading)]


def of_reviews(counts: Counts | None) -> Measured:
    """None: nothing is reviewed here."""
    if counts is None:
        return
    yield REVIEWS, [((outcome,), counts.outcomes[outcome]) for outcome in OUTCOMES]
    yield REVIEW_CODES, [((code,), number) for code, number in sorted(counts.codes.items())]
    bounds = [*map(str, BUCKETS_S), "+Inf"]
    cumulative = zip(bounds, accumulate(counts.buckets), strict=True)
    yield (
        REVIEW_S,
        [*(((bound,), number) for bound, number in cumulative), (("sum",), counts.seconds)],
    )


def of_guards(installed: int) -> Measured:
    yield GUARDS, [((), installed)]


def of_certificates(expiries: Mapping[str, datetime], clock: Clock) -> Measured:
    now = clock.now()
    yield (
        CERTIFICATE_S,
        [((name,), (end - now).total_seconds()) for name, end in sorted(expiries.items())],
    )


def of_tasks(failures: Mapping[str, int]) -> Measured:
    yield FAILURES, [((name,), times) for name, times in sorted(failures.items())]


def of_gate(*, ready: bool, draining: bool, restarts: int) -> Measured:
    yield GATE_READY, [((), ready)]
    yield GATE_DRAINING, [((), draining)]
    yield ENVOY_RESTARTS, [((), restarts)]


def of_recorder(intake: AccessLog) -> Measured:
    yield RECORDS, [((), intake.received)]
    yield RECORDS_LOST, [((), intake.lost)]
    yield RECORDS_WAITING, [((), intake.waiting)]


def of_ledger(store: LedgerStore) -> Measured:
    yield LEDGER_ENTRIES, [((), store.size)]
    yield LEDGER_WAITING, [((), store.waiting)]
