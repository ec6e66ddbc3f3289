"""Which versions of a model may be served at all: approvals, digests, expiry, duplicates.

Region and rollout come later; here a version is a candidate or it is not. An approval counts when
its digest is the version's digest, it has not expired at `World.at`, and its approver is a person
(`person_names`) who did not author the version. A version whose author is no person is not served. One rejection is enough to keep a version out, and so is one that cannot be
ruled out because an approval cannot be read. A broken glass (`Approval.spec.breakGlass`) stands in
for approvals that are missing, for hours, by a person whom the Gate names; never for a rejection.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatereeve.api.people import BreakGlassRule
from gatereeve.api.world import ApprovalDoc, ModelDoc, ModelVersionDoc
from gatereeve.compile.governance import person_names
from gatereeve.core.findings import Finding
from gatereeve.core.report import Report, finding

REQUIRED_ROLES: dict[str, tuple[str, ...]] = {
    "minimal": (),
    "limited": ("owner",),
    "high": ("owner", "risk"),
}
"""Design section 4. `prohibited` is absent: nothing makes it eligible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The versions of one model that may be served, by version, and what was found.

    next_change: the next instant at which an approval ends or an emergency begins, or None.
    """

    eligible: tuple[ModelVersionDoc, ...]
    next_change: datetime | None
    findings: tuple[Finding, ...]


def judge_versions(
    model: ModelDoc,
    versions: tuple[ModelVersionDoc, ...],
    approvals: tuple[ApprovalDoc, ...],
    at: datetime,
    *,
    doubted: Mapping[str, str],
    emergency: BreakGlassRule,
    directory: person_names.Directory,
) -> Judged:
    """The eligible versions of `model`.

    versions, approvals: those that name the model or one of its versions, in any order.
    doubted: names of ModelVersion documents that may be rejected, with the approval that cannot be
    read. emergency: who may break the glass on this gate. directory: who is who.
    """
    findings: list[Finding] = []
    changes = [moment for a in approvals for moment in moments(a) if moment > at]
    counts = Counter(v.spec.version for v in versions)
    eligible: list[ModelVersionDoc] = []
    for version in sorted(versions, key=lambda v: (v.spec.version, v.ref)):
        if counts[version.spec.version] > 1:
            findings.append(
                finding(
                    version,
                    "version-duplicate",
                    "spec.version",
                    model=model.ref.short,
                    version=version.spec.version,
                )
            )
            continue
        doubt = doubted.get(version.ref.name)
        if doubt is not None:
            findings.append(
                finding(version, "approval-broken", approval=doubt, version=version.spec.version)
            )
            continue
        mine = tuple(a for a in approvals if a.spec.subject.name == version.ref.name)
        try:
            judge = _Judge(version, directory.find(version.spec.author), directory, at, findings)
        except person_names.UnclearError as error:
            findings.append(
                finding(
                    version, "person-refused", "spec.author", name=version.spec.author, why=error
                )
            )
            continue
        if judge.is_approved(model, mine, emergency):
            eligible.append(version)
    return Judged(
        eligible=tuple(eligible),
        next_change=min(changes, default=None),
        findings=tuple(findings),
    )


def moments(approval: ApprovalDoc) -> tuple[datetime, ...]:
    """The instants at which an approval begins or ends to count, as far as the document has them."""
    spec = approval.spec
    glass = spec.break_glass
    instants = (spec.expires, *((glass.since, glass.until) if glass is not None else ()))
    return tuple(moment for moment in instants if moment is not None)


@dataclass(frozen=True, slots=True)
class _Judge:
    """One version and who made it. findings: where to what is found is added."""

    version: ModelVersionDoc
    author: person_names.Person
    directory: person_names.Directory
    at: datetime
    findings: list[Finding]

    def is_approved(
        self, model: ModelDoc, approvals: tuple[ApprovalDoc, ...], emergency: BreakGlassRule
    ) -> bool:
        required = REQUIRED_ROLES.get(model.spec.risk_class)
        if required is None:
            return False
        version, number = self.version, self.version.spec.version
        counting = [a for a in approvals if self._counts(a)]
        valid = [a for a in counting if a.spec.break_glass is None]
        rejections = [a for a in valid if a.spec.decision == "reject"]
        if rejections:
            first = min(rejections, key=lambda a: a.ref)
            self.findings.append(
                finding(
                    version,
                    "version-rejected",
                    approver=first.spec.approver,
                    version=number,
                    reason=first.spec.reason,
                )
            )
            return False
        by_role = {
            role: {self.directory.find(a.spec.approver).id for a in valid if a.spec.role == role}
            for role in ("owner", "risk", "privacy", "security")
        }
        missing = [role for role in required if not by_role[role]]
        alike = "risk" in required and not _independent(by_role["owner"], by_role["risk"])
        if missing or alike:
            broken = [a for a in counting if a.spec.break_glass is not None]
            in_force = [self._is_in_force(a, emergency) for a in broken]
            if any(in_force):
                return True
        if missing:
            self.findings.append(
                finding(
                    version,
                    "version-unapproved",
                    version=number,
                    roles=missing,
                    digest=version.digest,
                    role=missing[0],
                )
            )
            return False
        if alike:
            self.findings.append(finding(version, "approval-not-independent", version=number))
            return False
        return True

    def _counts(self, approval: ApprovalDoc) -> bool:
        problem = objection(self.version, approval, self.at, self.directory)
        if problem is not None:
            self.findings.append(problem)
        return problem is None

    def _is_in_force(self, approval: ApprovalDoc, rule: BreakGlassRule) -> bool:
        """Whether a broken glass counts. Its digest, its end and its author were looked at before."""
        spec, glass = approval.spec, approval.spec.break_glass
        if glass is None:
            return False
        created = approval.meta.created
        report = Report(approval, self.findings)
        began = glass.since or created
        refusal = ""
        if self.directory.find(spec.approver).id not in _ids(self.directory, rule.users):
            refusal = "user"
        elif began is None:
            refusal = "no-start"
        elif glass.until - (created or began) > timedelta(hours=rule.max_hours):
            refusal = "too-long"
        elif began > self.at:
            refusal = "not-begun"
        if refusal:
            report(
                f"break-glass-refused.{refusal}", "spec.breakGlass",
                approver=spec.approver, hours=rule.max_hours, since=began and began.isoformat(),
            )  # fmt: skip
            return False
        report(
            "break-glass-active",
            "spec.breakGlass",
            approver=spec.approver,
            version=self.version.spec.version,
            until=glass.until.isoformat(),
            reason=spec.reason,
        )
        return True


def _independent(owners: set[str], reviewers: set[str]) -> bool:
    """Whether two different people can be named for the two roles."""
    return any(owner != reviewer for owner in owners for reviewer in reviewers)


def objection(
    version: ModelVersionDoc,
    approval: ApprovalDoc,
    at: datetime,
    directory: person_names.Directory,
) -> Finding | None:
    """Why an approval of `version` does not count at `at`, if it does not.

    version-changed, approval-expired, person-refused or approval-self, in this order. A rejection
    counts for every approver: what cannot be understood closes.
    """
    spec = approval.spec
    if spec.subject.digest != version.digest:
        return finding(
            approval,
            "version-changed",
            "spec.subject.digest",
            version=version.ref.short,
            digest=version.digest,
            approver=spec.approver,
        )
    end = spec.expires if spec.break_glass is None else spec.break_glass.until
    if end is not None and end <= at:
        path = "spec.expires" if spec.break_glass is None else "spec.breakGlass.until"
        return finding(
            approval, "approval-expired", path, approver=spec.approver, end=end.isoformat()
        )
    if spec.decision == "reject":
        return None
    try:
        approver = directory.find(spec.approver, spec.role)
        author = directory.find(version.spec.author)
    except person_names.UnclearError as error:
        return finding(approval, "person-refused", "spec.approver", name=spec.approver, why=error)
    if approver.id == author.id:
        return finding(
            approval,
            "approval-self",
            "spec.approver",
            approver=spec.approver,
            version=version.ref.short,
            alias=_alias(version, spec.approver),
        )
    return None


def _alias(version: ModelVersionDoc, name: str) -> str:
    author = version.spec.author
    return "" if author == name else f", who is named {author} there"


def _ids(directory: person_names.Directory, names: Iterable[str]) -> set[str]:
    """The people of these names; names that are no person's are reported elsewhere (`people`)."""
    ids = set()
    for name in names:
        with contextlib.suppress(person_names.UnclearError):
            ids.add(directory.find(name).id)
    return ids
