"""Policies for Models and ModelVersions: the author of a version, and lower risk classes."""

from __future__ import annotations

from gatereeve.admission.guards import cel
from gatereeve.admission.guards.objects import PolicyCheck, policy, rule
from gatereeve.admission.guards.settings import Object
from gatereeve.core.refs import GATEREEVE_GROUP

VERSIONS, MODELS = "modelversions", "models"
VERSION_RULES = (rule(GATEREEVE_GROUP, ("modelversions",), ("CREATE",)),)

_ORDER = ("minimal", "limited", "high", "prohibited")
_RANK = "{" + ", ".join(f"{cel.text(name)}: {rank}" for rank, name in enumerate(_ORDER)) + "}"
_MAY_RECLASSIFY = (
    "authorizer.group('gatereeve.dev').resource('models').namespace(request.namespace)"
    ".name(request.name).check('reclassify').allowed()"
)


def make_version_policy() -> Object:
    """Return the policy for versions: the author is the caller, so authors cannot approve their versions.

    The CRD makes versions immutable. The policy reads GuardParameters.
    """
    return policy(
        VERSIONS,
        VERSION_RULES,
        (
            PolicyCheck(
                holds=f"(object.spec.author == request.userInfo.username && {cel.AUTHENTICATED})"
                f" || {cel.is_among('params.spec.pipelines')}",
                message="author-not-you: spec.author must be your user name; only a pipeline that a HostGrant names may set another author",
            ),
        ),
        parameters=True,
    )


def make_model_policy() -> Object:
    """Return the policy for risk classes: developers cannot lower them, because lower ones need fewer approvals."""
    return policy(
        MODELS,
        (rule(GATEREEVE_GROUP, ("models",), ("UPDATE",)),),
        (
            PolicyCheck(
                holds=f"{_RANK}[object.spec.riskClass] >= {_RANK}[oldObject.spec.riskClass]"
                f" || {_MAY_RECLASSIFY}",
                message="risk-lowered: a lower riskClass requires the verb `reclassify` on the model; approvers in the role risk have it",
            ),
        ),
        when={"says-something": "object.spec != oldObject.spec"},
    )
