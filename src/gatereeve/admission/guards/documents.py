"""Models and versions: who may name another author, and who may lower a risk class."""

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


def versions() -> Object:
    """A person signs with their own name; so nobody approves what they made under another's.

    A version cannot be changed: that stands in its CRD. Reads the namespace's parameters.
    """
    return policy(
        VERSIONS,
        VERSION_RULES,
        (
            PolicyCheck(
                holds=f"(object.spec.author == request.userInfo.username && {cel.AUTHENTICATED})"
                f" || {cel.is_among('params.spec.pipelines')}",
                message="author-not-you: spec.author must be your own name; only a pipeline that a HostGrant names may say who the author is",
            ),
        ),
        parameters=True,
    )


def models() -> Object:
    """A lower risk class needs fewer approvals, so it is not for developers to choose."""
    return policy(
        MODELS,
        (rule(GATEREEVE_GROUP, ("models",), ("UPDATE",)),),
        (
            PolicyCheck(
                holds=f"{_RANK}[object.spec.riskClass] >= {_RANK}[oldObject.spec.riskClass]"
                f" || {_MAY_RECLASSIFY}",
                message="risk-lowered: lowering riskClass takes the verb `reclassify` on the model, which approvers in the role risk have",
            ),
        ),
        when={"says-something": "object.spec != oldObject.spec"},
    )
