"""Policies for Approvals: the approver is the caller, has the role, and is the only one to delete it.

The webhook and the compiler check what depends on the version: its author and its digest.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.objects import PolicyCheck, policy, rule
from gatereeve.admission.guards.settings import Object
from gatereeve.core.refs import GATEREEVE_GROUP

NAME, DELETIONS = "approvals", "approvals-withdrawn"
RULES = (rule(GATEREEVE_GROUP, ("approvals",), ("CREATE", "UPDATE")),)

_IN_TIME = (
    "timestamp(object.spec.breakGlass.until) - timestamp(object.metadata.creationTimestamp)"
    " <= duration(string(params.spec.emergency.maxHours) + 'h')"
)


def make_policy() -> Object:
    """Return the policy for creations and updates; it reads GuardParameters."""
    return policy(
        NAME,
        RULES,
        (
            PolicyCheck(
                holds=f"object.spec.approver == request.userInfo.username && {cel.AUTHENTICATED}",
                message="approver-not-you: spec.approver must be your user name at the API server",
                message_expression="'approver-not-you: spec.approver must be ' + request.userInfo.username"
                " + ', your user name at the API server'",
            ),
            PolicyCheck(
                holds="has(object.spec.breakGlass) || params.spec.approvers.exists(role,"
                f" role.role == object.spec.role && {cel.is_among('role')})",
                message="approver-not-named: no Gate or HostGrant names you as an approver in this role",
                message_expression="'approver-not-named: no Gate or HostGrant names ' + request.userInfo.username"
                " + ' as an approver in the role ' + object.spec.role",
            ),
            PolicyCheck(
                holds="!has(object.spec.breakGlass) ||"
                " request.userInfo.username in params.spec.emergency.users",
                message="break-glass-refused: no Gate names you in governance.breakGlass.users",
            ),
            PolicyCheck(
                holds=f"!has(object.spec.breakGlass) || {_IN_TIME}",
                message="break-glass-refused: the approval is longer than governance.breakGlass.maxHours of the Gate",
            ),
        ),
        when={"says-something": cel.IS_SPEC_CHANGED},
        parameters=True,
    )


def make_deletion_policy() -> Object:
    """Return the policy for deletions: only the approver or the platform team may delete an Approval."""
    return policy(
        DELETIONS,
        (rule(GATEREEVE_GROUP, ("approvals",), ("DELETE",)),),
        (
            PolicyCheck(
                holds=f"oldObject.spec.approver == request.userInfo.username"
                f" || {cel.KUBERNETES_ITSELF} || {cel.MAY_CHANGE_GRANTS}",
                message="approver-not-you: only the approver or the platform team may delete an Approval",
            ),
        ),
    )
