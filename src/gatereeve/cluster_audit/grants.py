"""Rights that are given and would undo governance: who, what, by which binding, and why it matters.

Only bound rights are findings: a role that nobody has harms nobody. What the control plane itself
has (`system:` users and groups, service accounts of kube-system) is left out, unless the group
holds everybody. What our own controllers cannot do without is told apart, never left out. Findings:
grant-….
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gatereeve.api import plain_objects
from gatereeve.api.plain_objects import RawDoc
from gatereeve.api.yaml import Plain
from gatereeve.cluster_audit.dangers import DANGERS, Danger, is_everything
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.labels import selects
from gatereeve.cluster_audit.report import finding
from gatereeve.core.findings import Finding

_GROUP = "rbac.authorization.k8s.io"
EVERYBODY = frozenset(
    {"system:authenticated", "system:unauthenticated", "system:anonymous", "system:serviceaccounts"}
)
_AGGREGATES = "rbac.authorization.k8s.io/aggregate-to-"
_BUILT_IN = "kubernetes.io/bootstrapping"
_SHOWN = 4

_OUR_ACCOUNT, _OUR_DEPLOYMENT = "gatereeve-controller", "gatereeve-controllers"
_OUR_ROLES = frozenset({"gatereeve-controller", "gatereeve-controller-documents"})
"""As the chart names them; an installation has fixed names (decision 37)."""
_OUR_RIGHTS = frozenset({"grant-status", "grant-secrets"})
"""What the controllers need. Anything more that they are given is told like anybody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Role:
    """The rules of a role, aggregated ones included, and what they give, in the table's order."""

    everything: bool
    dangers: tuple[tuple[Danger, bool], ...]
    """With each, whether it is limited to named objects."""


def risks(inventory: Inventory, model_namespaces: frozenset[str]) -> Iterator[Finding]:
    """A finding for each binding and each dangerous right it gives.

    model_namespaces: where models are, governed or likely.
    """
    roles, accounts = _roles(inventory), _our_accounts(inventory)
    for binding in inventory.of((_GROUP, "ClusterRoleBinding"), (_GROUP, "RoleBinding")):
        yield from _of_binding(binding, roles, accounts, model_namespaces)
    for doc in inventory.of((_GROUP, "ClusterRole")):
        yield from _of_aggregation(doc)


def _our_accounts(inventory: Inventory) -> frozenset[str]:
    """Subjects under which our controllers run: named so, and used so by their Deployment.

    The name alone would let anybody's account pass for ours; where Deployments were not looked at,
    none is ours.
    """
    return frozenset(
        f"ServiceAccount {doc.ref.namespace}/{_OUR_ACCOUNT}"
        for doc in inventory.of(("apps", "Deployment"))
        if doc.ref.name == _OUR_DEPLOYMENT
        and plain_objects.get(doc.spec, "spec", "template", "spec", "serviceAccountName")
        == _OUR_ACCOUNT
    )


def _roles(inventory: Inventory) -> Mapping[tuple[str, str, str], _Role]:
    cluster = inventory.of((_GROUP, "ClusterRole"))
    aggregated = [doc for doc in cluster if any(k.startswith(_AGGREGATES) for k in doc.meta.labels)]
    found = {}
    for doc in (*cluster, *inventory.of((_GROUP, "Role"))):
        rules = list(plain_objects.sequence(doc.spec.get("rules")))
        selectors = plain_objects.sequence(
            plain_objects.get(doc.spec, "aggregationRule", "clusterRoleSelectors")
        )
        # A cluster fills `rules` in; manifests leave that to it.
        if selectors and not rules:
            for other in aggregated:
                if any(selects(selector, other.meta.labels) for selector in selectors):
                    rules += plain_objects.sequence(other.spec.get("rules"))
        found[doc.ref.kind, doc.ref.namespace, doc.ref.name] = _role(rules)
    return found


def _role(rules: list[Plain]) -> _Role:
    if any(is_everything(rule) for rule in rules):
        return _Role(everything=True, dangers=())
    dangers = []
    for danger in DANGERS:
        giving = [rule for rule in rules if danger.given_by(rule)]
        if giving:
            named = all(
                plain_objects.words(plain_objects.get(rule, "resourceNames")) for rule in giving
            )
            dangers.append((danger, named))
    return _Role(everything=False, dangers=tuple(dangers))


def _of_binding(
    binding: RawDoc,
    roles: Mapping[tuple[str, str, str], _Role],
    accounts: frozenset[str],
    models: frozenset[str],
) -> Iterator[Finding]:
    namespace = binding.ref.namespace
    subjects = _subjects(binding)
    if not subjects:
        return
    kind = plain_objects.text(plain_objects.get(binding.spec, "roleRef", "kind"))
    name = plain_objects.text(plain_objects.get(binding.spec, "roleRef", "name"))
    role = roles.get((kind, namespace if kind == "Role" else "", name))
    by = f"{binding.ref} ({kind} {name[:80]})"
    if role is None:
        yield finding(
            "grant-unknown", binding, "roleRef",
            f"{_told(subjects)} gets {kind} {name[:80]}, which is not among what was looked at",
            "dump roles and clusterroles too",
        )  # fmt: skip
        return
    where = f"in namespace {namespace}" if namespace else "in every namespace"
    everybody = tuple(who for who in subjects if who.rpartition(" ")[2] in EVERYBODY)
    ours = name in _OUR_ROLES and set(subjects) <= accounts
    for right in _rights(role, namespace, models):
        limit = ", for named objects only" if right.named else ""
        may = f"may {right.may} {where}{limit}, by {by}"
        if ours and right.code in _OUR_RIGHTS:
            yield finding(
                "grant-ours", binding, "roleRef", f"{_told(subjects)} (our controllers) {may}",
                "nothing to do; keep others from running pods in that namespace",
            )  # fmt: skip
            continue
        yield finding(
            "grant-to-everybody" if everybody else right.code, binding, "roleRef",
            f"{_told(everybody or subjects)} {may}: {right.why}", right.hint,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Right:
    """What a binding gives. named: limited to named objects."""

    code: str
    may: str
    why: str
    hint: str
    named: bool = False


_EVERYTHING = _Right(
    code="grant-everything",
    may="do everything",
    why="that includes approving, routing and switching every guard off",
    hint="name the few who administer the cluster, and give others what they need",
)


def _rights(role: _Role, namespace: str, models: frozenset[str]) -> tuple[_Right, ...]:
    if role.everything:
        return (_EVERYTHING,)
    return tuple(
        _Right(code=danger.code, may=danger.may, why=danger.why, hint=danger.hint, named=named)
        for danger, named in role.dangers
        if _matters(danger, namespace, models)
    )


def _matters(danger: Danger, namespace: str, models: frozenset[str]) -> bool:
    if not namespace:
        return True
    return danger.place == "anywhere" or (danger.place == "models" and namespace in models)


def _subjects(binding: RawDoc) -> tuple[str, ...]:
    """`User x`, `Group y`, `ServiceAccount ns/z`, without those of the control plane."""
    found = []
    for subject in plain_objects.sequence(binding.spec.get("subjects")):
        kind, name = (
            plain_objects.text(plain_objects.get(subject, "kind")),
            plain_objects.text(plain_objects.get(subject, "name")),
        )
        if kind == "ServiceAccount":
            namespace = (
                plain_objects.text(plain_objects.get(subject, "namespace")) or binding.ref.namespace
            )
            if namespace != "kube-system":
                found.append(f"ServiceAccount {namespace}/{name}")
        elif name and not _is_control_plane(name):
            found.append(f"{kind} {name}")
    return tuple(dict.fromkeys(found))


def _is_control_plane(name: str) -> bool:
    if name in EVERYBODY or not name.startswith("system:"):
        return False
    return not name.startswith("system:serviceaccount") or ":kube-system" in name


def _told(subjects: tuple[str, ...]) -> str:
    more = len(subjects) - _SHOWN
    shown = ", ".join(who[:100] for who in subjects[:_SHOWN])
    return shown + (f" and {more} more" if more > 0 else "")


def _of_aggregation(doc: RawDoc) -> Iterator[Finding]:
    """Roles that widen edit, admin or view for everybody who has them."""
    targets = sorted(
        key.removeprefix(_AGGREGATES)
        for key, value in doc.meta.labels.items()
        if key.startswith(_AGGREGATES) and value == "true"
    )
    if not targets or _BUILT_IN in doc.meta.labels:
        return
    role = _role(list(plain_objects.sequence(doc.spec.get("rules"))))
    rights = ["do everything"] if role.everything else [danger.may for danger, _ in role.dangers]
    if rights:
        yield finding(
            "grant-aggregated", doc, "metadata.labels",
            f"{doc.ref} adds to {', '.join(targets)}: whoever has it may also {'; '.join(rights)}",
            "remove the label, and bind the role to those who need it",
        )  # fmt: skip
