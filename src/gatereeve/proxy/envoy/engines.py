"""One model's access rules as RBAC engines: the stages, the allow rules, the shadows.

The same engines hold for all rows of a model; a rule for some operations asks the chosen route which
operation it is.

The stages are deny rules of one engine, in order, run as *shadow* rules: the engine writes which
stage refuses (`record_fields.STAGE_ID`) and `filters.enforce` right behind it refuses. So the local
reply can read the reason: Envoy formats it before a denying filter writes its own metadata. A route
without its engine gets no result and is refused by `enforce`, for every route, whatever it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from envoy.extensions.filters.http.rbac.v3 import rbac_pb2 as filter_pb2
from envoy.type.matcher.v3 import string_pb2

from gatereeve.core import plain_values
from gatereeve.ir import access, record_fields
from gatereeve.proxy.envoy import names, rbac
from gatereeve.proxy.envoy import proofs as words
from gatereeve.proxy.envoy.proofs import Proofs

OPERATION_KEY: Final = "operation"
"""In a governed route's metadata: which operation of the model it is."""

PATH_POLICY: Final = record_fields.stage_policy("0", 0, "path")
"""The stage that refuses paths of two meanings."""

OPEN: Final = record_fields.rule_policy(0, record_fields.ORDINARY)
"""The allow policy of ordinary routes; never of a governed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the choice of this route by region implies: from one of `within`, from none of `outside`."""

    within: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()


def build_stages(
    proofs: Proofs,
    rules: access.Access,
    selection: Selection,
    headers: Sequence[str] = (),
    parameters: Sequence[str] = (),
) -> Any:
    """Everything that refuses before the allow rules.

    headers, parameters: those that rules of the host read (`ir.header_access`).
    """
    policies = _credential_policies(proofs)
    odd_path = rbac.policy(rbac.anybody(), permission=rbac.path_unlike(plain_values.GOVERNED_PATH))
    policies[PATH_POLICY] = odd_path
    if parameters:
        odd = rbac.policy(_has_odd_parameter(tuple(parameters)))
        policies[record_fields.stage_policy("0", 1, "query")] = odd
    if headers:
        odd = rbac.policy(_has_odd_header(tuple(headers)))
        policies[record_fields.stage_policy("1", 0, "headers")] = odd
    if not rules.admits_anonymous:
        nobody = rbac.policy(rbac.negate(words.is_identified(proofs)))
        policies[record_fields.stage_policy("3", 0, "nobody")] = nobody
    for index, rule in enumerate(rules.deny):
        name = record_fields.stage_policy(record_fields.DENY_STAGE, index, rule.name)
        policies[name] = rbac.policy(_deny_condition(proofs, rule), permission=_about(rule))
    if selection.within:
        elsewhere = rbac.policy(rbac.negate(words.is_from(proofs, selection.within)))
        policies[record_fields.stage_policy("5", 0, "region")] = elsewhere
    if selection.outside:
        there = rbac.policy(words.is_from(proofs, selection.outside))
        policies[record_fields.stage_policy("5", 1, "region")] = there
    return staged(policies)


def build_unknown_model_stages(proofs: Proofs) -> Any:
    """For the row that refuses bodies without a model: it stands for all models of its path, so
    credentials that prove nothing are refused as they would be there."""
    return staged(_credential_policies(proofs))


def build_open_stages(*, plain_paths: bool = False) -> Any:
    """For ordinary routes: nothing refuses but, with `plain_paths`, a path of two meanings."""
    if not plain_paths:
        return staged({})
    unlike = rbac.path_unlike(plain_values.ORDINARY_PATH)
    look_alike = rbac.path_like(f".*(?:{plain_values.LOOK_ALIKE}).*")
    odd = rbac.policy(rbac.anybody(), permission=rbac.either(unlike, look_alike))
    return staged({PATH_POLICY: odd})


def build_closed_stages() -> Any:
    """For requests without a route: everything is refused."""
    return staged({record_fields.stage_policy("9", 0, "no-route"): rbac.policy(rbac.anybody())})


def staged(policies: dict[str, Any]) -> Any:
    return filter_pb2.RBAC(shadow_rules=rbac.denying(policies), shadow_rules_stat_prefix="stage_")


def build_enforcement(shadow: Any | None = None) -> Any:
    """Refuses whatever the stages did not let pass. shadow: deny rules that only speak."""
    passed = rbac.policy(
        rbac.metadata(
            record_fields.RBAC_NAMESPACE, (record_fields.STAGE_RESULT,), rbac.exact("allowed")
        )
    )
    config = filter_pb2.RBAC(
        rules=rbac.allowing({"stages-passed": passed}), rules_stat_prefix="enforce_"
    )
    if shadow is not None:
        config.shadow_rules.CopyFrom(shadow)
        config.shadow_rules_stat_prefix = "shadow_deny_"
    return config


def build_shadow_denial(proofs: Proofs, rules: access.Access) -> Any | None:
    """The deny rules of policies in shadow mode; None when there are none.

    They speak only where the deny rules would: not of callers who were refused before.
    """
    found = {
        record_fields.rule_policy(index, rule.name): rbac.policy(
            rbac.all_of([rbac.negate(_refused_before()), _deny_condition(proofs, rule)]),
            permission=_about(rule),
        )
        for index, rule in enumerate(rules.shadow_deny)
    }
    return rbac.denying(found) if found else None


def build_allowance(proofs: Proofs, rules: access.Access) -> Any:
    """The allow rules; without any, nobody is admitted (P3)."""
    config = filter_pb2.RBAC(
        rules=rbac.allowing(_allow_policies(proofs, rules.allow)),
        rules_stat_prefix="allow_",
    )
    if rules.shadow_allow:
        policies = _allow_policies(proofs, rules.shadow_allow)
        config.shadow_rules.CopyFrom(rbac.allowing(policies))
        config.shadow_rules_stat_prefix = "shadow_allow_"
    return config


def build_open_allowance() -> Any:
    """For ordinary routes, which ask for nothing."""
    return filter_pb2.RBAC(
        rules=rbac.allowing({OPEN: rbac.policy(rbac.anybody())}), rules_stat_prefix="allow_"
    )


def build_closed_allowance() -> Any:
    """For requests without a route: nobody."""
    return filter_pb2.RBAC(rules=rbac.allowing({}), rules_stat_prefix="allow_")


def is_anonymous_rule(rule: access.Rule) -> bool:
    """Whether the rule admits callers without a credential, in so many words."""
    return any(isinstance(subject, access.IsAnonymous) for subject in rule.subjects or ())


def is_identified_rule(rule: access.Rule) -> bool:
    """Whether the rule admits callers with a credential."""
    return rule.subjects is None or not all(
        isinstance(subject, access.IsAnonymous) for subject in rule.subjects
    )


@lru_cache(maxsize=4096)
def _has_odd_header(names_: tuple[str, ...]) -> Any:
    """One of the headers is there and is not one plain value.

    `filters.notes` has copied what is plain into metadata. A value that it did not copy is not.
    """
    return rbac.any_of(
        [
            rbac.all_of(
                [
                    rbac.has_header(name),
                    rbac.negate(rbac.is_present(names.HEADERS_NAMESPACE, (name,))),
                ]
            )
            for name in names_
        ]
    )


@lru_cache(maxsize=4096)
def _has_odd_parameter(names_: tuple[str, ...]) -> Any:
    """One of the query parameters is there and does not stand once and plainly (`core.plain_values`)."""
    found = []
    for name in names_:
        some, twice, once = (_target_like(form) for form in plain_values.query_forms(name))
        found += [twice, rbac.all_of([some, rbac.negate(once)])]
    return rbac.any_of(found)


def _target_like(pattern: str) -> Any:
    return rbac.header(":path", string_pb2.StringMatcher(safe_regex={"regex": f"(?s){pattern}"}))


def _credential_policies(proofs: Proofs) -> dict[str, Any]:
    return {
        record_fields.stage_policy("2", index, method): rbac.policy(condition)
        for index, (method, condition) in enumerate(words.invalid_credentials(proofs))
    }


def _allow_policies(proofs: Proofs, rules: Sequence[access.Rule]) -> dict[str, Any]:
    """Two policies for a rule that admits callers with and without a credential: their limits are
    kept by principal and by address."""
    found: dict[str, Any] = {}
    for index, rule in enumerate(rules):
        about = _about(rule)
        limited = rule.limit is not None
        where = _place_conditions(proofs, rule)
        if is_identified_rule(rule):
            who = (
                words.is_identified(proofs)
                if rule.subjects is None
                else words.is_subject(proofs, rule.subjects)
            )
            name = record_fields.rule_policy(index, rule.name, limited=limited)
            found[name] = rbac.policy(rbac.all_of([who, *where]), permission=about)
        if is_anonymous_rule(rule):
            name = record_fields.rule_policy(index, rule.name, limited=limited, anonymous=True)
            nobody = rbac.negate(words.is_identified(proofs))
            found[name] = rbac.policy(rbac.all_of([nobody, *where]), permission=about)
    return found


def _deny_condition(proofs: Proofs, rule: access.Rule) -> Any:
    """A deny rule without subjects is about everybody, known or not."""
    who: list[Any] = []
    if rule.subjects is not None:
        one = words.is_subject(proofs, rule.subjects)
        nobody = [rbac.negate(words.is_identified(proofs))] if is_anonymous_rule(rule) else []
        who = [rbac.any_of([one, *nobody])]
    return rbac.all_of([*who, *_place_conditions(proofs, rule)])


def _place_conditions(proofs: Proofs, rule: access.Rule) -> list[Any]:
    found = []
    if rule.regions is not None:
        found.append(words.is_from(proofs, rule.regions))
    if rule.purposes is not None:
        found.append(words.is_for(proofs, rule.purposes))
    return found


@lru_cache(maxsize=1)
def _refused_before() -> Any:
    """A stage before the deny rules has refused."""
    return rbac.any_of(
        [
            rbac.metadata(
                record_fields.RBAC_NAMESPACE, (record_fields.STAGE_ID,), rbac.beginning(f"{stage}|")
            )
            for stage in record_fields.STAGES
            if stage < record_fields.DENY_STAGE
        ]
    )


def _about(rule: access.Rule) -> Any:
    """The operations that the rule is about."""
    return rbac.everything() if rule.operations is None else _one_of(rule.operations)


@lru_cache(maxsize=256)
def _one_of(operations: tuple[access.Operation, ...]) -> Any:
    wanted = rbac.one_of([rbac.exact(operation) for operation in operations])
    return rbac.of_route(record_fields.GATE_NAMESPACE, OPERATION_KEY, wanted)
