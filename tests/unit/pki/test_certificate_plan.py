"""Which certificates there must be, on virtual time: a whole life of rotations, and every oddity."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from gatereeve.pki import certificate_plan, signing
from gatereeve.pki.certificate_plan import (
    Bundle,
    CertificateFacts,
    CertificatePolicy,
    Issue,
    NewAuthority,
    Remove,
    Trust,
)
from gatereeve.proxy.xds.peers import CONTROLLER_URI, GATE_URI

START = datetime(2026, 11, 27, 12, tzinfo=UTC)
POLICY = CertificatePolicy(authority_life=timedelta(days=90), leaf_life=timedelta(days=9))
WANTED = (
    certificate_plan.of_controller(("localhost", "10.0.0.1")),
    certificate_plan.of_gate("public"),
)


class Store:
    """What is kept, and a leader that does what is planned."""

    def __init__(self, policy: CertificatePolicy = POLICY) -> None:
        self.policy = policy
        self.kept: dict[str, Bundle] = {}
        self.done: list[str] = []

    def facts(self) -> dict[str, CertificateFacts]:
        return {name: found for name, bundle in self.kept.items()
                if (found := signing.read_facts(bundle)) is not None}  # fmt: skip

    def plan(
        self, now: datetime, wanted: tuple[certificate_plan.WantedCertificate, ...] = WANTED
    ) -> tuple[certificate_plan.Action, ...]:
        return certificate_plan.plan(now, self.facts(), wanted, self.policy, complete=True)

    def work(
        self, now: datetime, wanted: tuple[certificate_plan.WantedCertificate, ...] = WANTED
    ) -> None:
        for _ in range(3):
            for action in self.plan(now, wanted):
                self.done.append(type(action).__name__)
                self.carry_out(now, action)
        assert self.plan(now, wanted) == ()

    def carry_out(self, now: datetime, action: certificate_plan.Action) -> None:
        match action:
            case NewAuthority(slot=slot):
                self.kept[slot] = signing.create_authority(now, self.policy)
            case Issue(wanted=wanted, by=by, trust=trust):
                authorities = [self.kept[one] for one in trust]
                self.kept[wanted.name] = signing.issue(
                    now, wanted, self.kept[by], authorities, self.policy
                )
            case Trust(name=name, trust=trust):
                joined = signing.join_certificates(self.kept[one] for one in trust)
                self.kept[name] = replace(self.kept[name], trust=joined)
            case Remove(name=name):
                del self.kept[name]


def trusts(one: Bundle, other: Bundle, now: datetime) -> bool:
    """Whether the holder of `one` takes the certificate of `other`."""
    theirs = x509.load_pem_x509_certificate(other.certificate)
    if not theirs.not_valid_before_utc <= now <= theirs.not_valid_after_utc:
        return False
    for authority in x509.load_pem_x509_certificates(one.trust):
        try:
            theirs.verify_directly_issued_by(authority)
        except (ValueError, InvalidSignature):
            continue
        if authority.not_valid_before_utc <= now <= authority.not_valid_after_utc:
            return True
    return False


def test_the_first_authority_signs_at_once() -> None:
    store = Store()
    store.work(START)
    assert store.done == ["NewAuthority", "Issue", "Issue"]
    assert sorted(store.kept) == ["authority-a", "controller", "gate-public"]
    controller, gate = store.facts()["controller"], store.facts()["gate-public"]
    assert controller.names == tuple(sorted(("localhost", "10.0.0.1", CONTROLLER_URI)))
    assert gate.names == ("public.gate.gatereeve.dev", f"{GATE_URI}public")
    assert trusts(store.kept["controller"], store.kept["gate-public"], START)
    assert trusts(store.kept["gate-public"], store.kept["controller"], START)


def test_what_is_made_says_what_it_may_be_used_for() -> None:
    store = Store()
    store.work(START)
    leaf = x509.load_pem_x509_certificate(store.kept["gate-public"].certificate)
    authority = x509.load_pem_x509_certificate(store.kept["authority-a"].certificate)
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert (constraints.ca, constraints.path_length) == (True, 0)
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [usage._name for usage in usages] == ["serverAuth", "clientAuth"]


def test_through_all_rotations_nobody_is_ever_refused() -> None:
    """Each holder has read what was written up to an hour ago, in any combination with the others."""
    store, step = Store(), timedelta(minutes=30)
    policy = store.policy
    past: list[dict[str, Bundle]] = []
    authorities: set[bytes] = set()
    quiet = timedelta(hours=12)
    at = START
    while at < START + timedelta(days=220):
        store.work(at)
        authorities |= {
            store.kept[s].certificate for s in certificate_plan.SLOTS if s in store.kept
        }
        past = [*past[-2:], dict(store.kept)]
        for one, other in itertools.product(past, past):
            assert trusts(one["controller"], other["gate-public"], at), at
            assert trusts(one["gate-public"], other["controller"], at), at
        # Look closely while something is going on, else now and then.
        busy = len({tuple(sorted(kept.items(), key=lambda x: x[0])) for kept in past}) > 1
        at += step if busy else quiet
    assert len(authorities) >= 4
    assert policy.spread >= 2 * step


def test_clocks_may_differ() -> None:
    store = Store()
    store.work(START)
    for name in ("controller", "gate-public", "authority-a"):
        facts = store.facts()[name]
        assert facts.not_before == START - POLICY.skew


def test_a_replica_that_sees_the_same_concludes_the_same() -> None:
    store = Store()
    store.work(START)
    later = START + timedelta(days=61)
    first, again = store.plan(later), store.plan(later)
    assert first == again == (NewAuthority(slot="authority-b"),)
    backwards = certificate_plan.plan(
        later, dict(reversed(store.facts().items())), WANTED[::-1], POLICY, complete=True
    )
    assert backwards == first


def test_a_new_authority_signs_nothing_before_all_have_read_of_it() -> None:
    store = Store()
    store.work(START)
    at = START + timedelta(days=61)
    store.work(at)
    store.done.clear()
    before = store.facts()["controller"].issuer
    soon = at + POLICY.spread - timedelta(seconds=1)
    store.work(soon)
    assert store.done == []
    store.work(at + POLICY.spread)
    assert store.done == ["Issue", "Issue"]
    assert store.facts()["controller"].issuer != before


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda kept: kept.pop("gate-public"), "it does not exist"),
        (lambda kept: kept.update({"gate-public": replace(kept["gate-public"], key=kept["controller"].key)}),
         "its key belongs to another certificate"),
        (lambda kept: kept.update({"gate-public": replace(kept["gate-public"], certificate=b"?")}),
         "it does not exist"),
        (lambda kept: kept.update({"gate-public": kept["controller"]}), "its names changed"),
        (lambda kept: kept.update({"gate-public": _foreign()}), "its authority is replaced"),
    ],
)  # fmt: skip
def test_a_damaged_leaf_is_issued_anew(damage: object, why: str) -> None:
    store = Store()
    store.work(START)
    damage(store.kept)  # type: ignore[operator]
    (action,) = store.plan(START)
    assert isinstance(action, Issue)
    assert (action.wanted.name, action.why) == ("gate-public", why)
    store.work(START)


def _foreign() -> Bundle:
    authority = signing.create_authority(START, POLICY)
    return signing.issue(START, certificate_plan.of_gate("public"), authority, [authority], POLICY)


def test_a_leaf_of_the_future_is_issued_anew() -> None:
    store = Store()
    store.work(START)
    (first, second) = store.plan(START - timedelta(hours=1))
    assert isinstance(first, Issue)
    assert first.why == "it is not valid yet"
    assert isinstance(second, Issue)


def test_trust_that_was_tampered_with_is_restored_without_another_key() -> None:
    store = Store()
    store.work(START)
    key = store.kept["gate-public"].key
    store.kept["gate-public"] = replace(store.kept["gate-public"], trust=b"")
    assert store.plan(START) == (Trust(name="gate-public", trust=("authority-a",)),)
    store.work(START)
    assert store.kept["gate-public"].key == key


def test_gates_come_and_go() -> None:
    store = Store()
    store.work(START)
    others = (WANTED[0], certificate_plan.of_gate("other"))
    assert [type(one) for one in store.plan(START, others)] == [Issue, Remove]
    # Before the documents are read nobody knows which Gates there are: nothing is removed.
    unsure = certificate_plan.plan(START, store.facts(), WANTED[:1], POLICY, complete=False)
    assert unsure == ()


def test_a_leaf_does_not_outlive_its_authority() -> None:
    policy = replace(POLICY, leaf_life=timedelta(days=900))
    authority = signing.create_authority(START, policy)
    leaf = signing.issue(START, WANTED[1], authority, [authority], policy)
    facts, of_authority = signing.read_facts(leaf), signing.read_facts(authority)
    assert facts is not None
    assert of_authority is not None
    assert facts.not_after == of_authority.not_after


def test_an_expired_authority_is_trusted_no_more() -> None:
    store = Store()
    store.work(START)
    late = START + timedelta(days=91)  # nobody was there for months
    assert certificate_plan.list_trusted(late, store.facts()) == ()
    store.work(late)
    assert store.facts()["controller"].trust == (store.facts()["authority-a"].own,)
    assert trusts(store.kept["controller"], store.kept["gate-public"], late)


def test_what_others_issued_can_be_used_when_it_is_whole() -> None:
    store = Store()
    store.work(START)
    whole = store.kept["controller"]
    assert signing.is_whole(whole)
    for broken in (
        replace(whole, key=store.kept["gate-public"].key),
        replace(whole, trust=b""),
        replace(whole, certificate=b"-----BEGIN"),
    ):
        assert not signing.is_whole(broken)
