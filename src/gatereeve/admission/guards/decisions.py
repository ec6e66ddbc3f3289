"""Approvals: decided by whoever is authenticated, in a role that is theirs, withdrawn by nobody else.

What needs the version (its author, its digest) is the webhook's and the compiler's.
"""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.objects import PolicyCheck, policy, rule
from gatereeve.admission.guards.settings import Object
from gatereeve.core.refs import GATEREEVE_GROUP

NAME, WITHDRAWN = "approvals", "approvals-withdrawn"
RULES = (rule(GATEREEVE_GROUP, ("approvals",), ("CREATE", "UPDATE")),)

_IN_TIME = (
    "timestamp(object.spec.breakGlass.until) - timestamp(object.metadata.creationTimestamp)"
    " <= duration(string(params.spec.emergency.maxHours) + 'h')"
)


def approvals() -> Object:
    """Who decides; it reads the namespace's parameters."""
    return policy(
        NAME,
        RULES,
        (
            PolicyCheck(
                holds=f"object.spec.approver == request.userInfo.username && {cel.AUTHENTICATED}",
                message="approver-not-you: spec.approver must be your own name at the API server",
                message_expression="'approver-not-you: spec.approver must be ' + request.userInfo.username"
                " + ', as whom the API server knows you'",
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
                message="break-glass-refused: it lasts longer than governance.breakGlass.maxHours of the Gate",
            ),
        ),
        when={"says-something": cel.SAYS_SOMETHING_NEW},
        parameters=True,
    )


def withdrawn() -> Object:
    """A decision is withdrawn by who made it: a rejection that others can delete is none."""
    return policy(
        WITHDRAWN,
        (rule(GATEREEVE_GROUP, ("approvals",), ("DELETE",)),),
        (
            PolicyCheck(
                holds=f"oldObject.spec.approver == request.userInfo.username"
                f" || {cel.KUBERNETES_ITSELF} || {cel.MAY_CHANGE_GRANTS}",
                message="approver-not-you: a decision is withdrawn by who made it, or by the platform team",
            ),
        ),
    )
