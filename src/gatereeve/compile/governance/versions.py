"""Which versions of a model may be served at all: approvals, digests, expiry, duplicates.

Region and rollout come later; here a version is a candidate or it is not. An approval counts when
its digest is the version's digest, it has not expired at `World.at`, and its approver is a person
(`person_names`) who did not author the version. A version whose author is no person is not served. One rejection is enough to keep a version out, and so is one that cannot be
ruled out because an approval cannot be read. A broken glass (`Approval.spec.breakGlass`) stands in
for approvals that are missing, for hours, by somebody whom the Gate names; never for a rejection.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gatereeve.api.people import BreakGlassRule
from gatereeve.api.world import ApprovalDoc, Doc, ModelDoc, ModelVersionDoc
from gatereeve.compile.governance import people, person_names
from gatereeve.core.findings import Finding, FindingCode

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
                _finding(version, "version-duplicate", "spec.version",
                         f"another ModelVersion of {model.ref.short} is also version {version.spec.version}",
                         "a version is immutable and unique: give the newer one a new version")
            )  # fmt: skip
            continue
        doubt = doubted.get(version.ref.name)
        if doubt is not None:
            findings.append(
                _finding(version, "approval-broken", "",
                         f"{doubt} cannot be read and may reject version {version.spec.version}",
                         "mend that document; until then the version gets no traffic")
            )  # fmt: skip
            continue
        mine = tuple(a for a in approvals if a.spec.subject.name == version.ref.name)
        try:
            judge = _Judge(version, directory.find(version.spec.author), directory, at, findings)
        except person_names.UnclearError as error:
            findings.append(people.refusal(version, "spec.author", version.spec.author, error))
            continue
        if judge.is_approved(model, mine, emergency):
            eligible.append(version)
    return Judged(
        eligible=tuple(eligible),
        next_change=min(changes, default=None),
        findings=tuple(findings),
    )


def moments(approval: ApprovalDoc) -> tuple[datetime, ...]:
    """The instants at which an approval begins or ends to count, as far as it says them."""
    spec = approval.spec
    glass = spec.break_glass
    said = (spec.expires, *((glass.since, glass.until) if glass is not None else ()))
    return tuple(moment for moment in said if moment is not None)


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
        version, said = self.version, self.version.spec.version
        counting = [a for a in approvals if self._counts(a)]
        valid = [a for a in counting if a.spec.break_glass is None]
        rejections = [a for a in valid if a.spec.decision == "reject"]
        if rejections:
            first = min(rejections, key=lambda a: a.ref)
            self.findings.append(
                _finding(version, "version-rejected", "",
                         f"{first.spec.approver} rejected version {said}: {first.spec.reason}",
                         "mend what was found and submit a new version")
            )  # fmt: skip
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
                _finding(version, "version-unapproved", "",
                         f"version {said} lacks the approval of: {', '.join(missing)}",
                         f"an Approval with subject.digest {version.digest} and role {missing[0]} is needed")
            )  # fmt: skip
            return False
        if alike:
            self.findings.append(
                _finding(version, "approval-not-independent", "",
                         f"version {said}: owner and risk were approved by the same person",
                         "let somebody else review the risk")
            )  # fmt: skip
            return False
        return True

    def _counts(self, approval: ApprovalDoc) -> bool:
        found = objection(self.version, approval, self.at, self.directory)
        if found is not None:
            self.findings.append(found)
        return found is None

    def _is_in_force(self, approval: ApprovalDoc, rule: BreakGlassRule) -> bool:
        """Whether a broken glass counts. Its digest, its end and its author were looked at before."""
        spec, glass = approval.spec, approval.spec.break_glass
        if glass is None:
            return False
        created = approval.meta.created
        refused = None
        if self.directory.find(spec.approver).id not in _ids(self.directory, rule.users):
            refused = (f"{spec.approver} may not break the glass on this gate",
                       "whoever may is named in the Gate, in spec.governance.breakGlass.users")  # fmt: skip
        elif created is None and glass.since is None:
            refused = ("nothing tells when the emergency began", "say spec.breakGlass.since")
        elif glass.until - (created or glass.since or glass.until) > timedelta(
            hours=rule.max_hours
        ):
            refused = (f"the emergency lasts longer than {rule.max_hours} hours",
                       "end it sooner, and have the version approved meanwhile")  # fmt: skip
        elif (glass.since or created or glass.until) > self.at:
            refused = (f"the emergency begins only at {(glass.since or created or self.at).isoformat()}",
                       "wait, or correct spec.breakGlass.since")  # fmt: skip
        if refused is not None:
            self.findings.append(
                _finding(approval, "break-glass-refused", "spec.breakGlass", *refused)
            )
            return False
        self.findings.append(
            _finding(approval, "break-glass-active", "spec.breakGlass",
                     f"{spec.approver} broke the glass: version {self.version.spec.version} is served without its approvals until {glass.until.isoformat()}: {spec.reason}",
                     "have the version approved before that, or move the traffic away")
        )  # fmt: skip
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
    counts whoever signed it: what cannot be understood closes.
    """
    spec = approval.spec
    if spec.subject.digest != version.digest:
        return _finding(approval, "version-changed", "spec.subject.digest",
                        f"{version.ref} now has digest {version.digest}, not the one that {spec.approver} decided on",
                        "look at the version as it is now and decide again")  # fmt: skip
    end = spec.expires if spec.break_glass is None else spec.break_glass.until
    if end is not None and end <= at:
        path = "spec.expires" if spec.break_glass is None else "spec.breakGlass.until"
        return _finding(approval, "approval-expired", path,
                        f"the approval of {spec.approver} expired at {end.isoformat()}",
                        "review the version again")  # fmt: skip
    if spec.decision == "reject":
        return None
    try:
        approver = directory.find(spec.approver, spec.role)
        author = directory.find(version.spec.author)
    except person_names.UnclearError as error:
        return people.refusal(approval, "spec.approver", spec.approver, error)
    if approver.id == author.id:
        return _finding(approval, "approval-self", "spec.approver",
                        f"{spec.approver} is the author of {version.ref.short}{_alias(version, spec.approver)}",
                        "let somebody else decide")  # fmt: skip
    return None


def _alias(version: ModelVersionDoc, name: str) -> str:
    author = version.spec.author
    return "" if author == name else f", who is named {author} there"


def _ids(directory: person_names.Directory, names: Iterable[str]) -> set[str]:
    """The people of these names; names that are nobody's are told elsewhere (`people`)."""
    found = set()
    for name in names:
        with contextlib.suppress(person_names.UnclearError):
            found.add(directory.find(name).id)
    return found


def _finding(doc: Doc[object], code: str, path: str, message: str, hint: str) -> Finding:
    return Finding(
        code=FindingCode(code),
        message=message,
        hint=hint,
        origin=doc.origin(path),
        where=doc.where(path),
    )
