"""One model's access rules as RBAC engines: the stages, the allow rules, the shadows.

The same engines hold for all rows of a model; a rule for some operations asks the chosen route which
operation it is.

The stages are deny rules of one engine, in order, run as *shadow* rules: the engine writes which
stage refuses (`record_fields.STAGE_ID`) and the filter `enforce` right behind it refuses. So the local
reply can read the reason: Envoy formats it before a denying filter writes its own metadata. A route
without its engine gets no result and is refused by `enforce`, for every route.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from envoy.config.rbac.v3 import rbac_pb2
from envoy.type.matcher.v3 import string_pb2

from gatereeve.core import plain_values
from gatereeve.ir import access, record_fields
from gatereeve.proxy.envoy import identity_matchers, names, rbac
from gatereeve.proxy.envoy.identity_matchers import IdentityMatchers

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


def write_stages(
    matchers: IdentityMatchers,
    rules: access.Access,
    selection: Selection,
    headers: Sequence[str] = (),
    parameters: Sequence[str] = (),
) -> bytes:
    """Everything that refuses before the allow rules.

    headers, parameters: those that rules of the host read (`ir.header_access`).
    """
    policies = {PATH_POLICY: _odd_path(), **_credential_policies(matchers)}
    if parameters:
        policies[record_fields.stage_policy("0", 1, "query")] = _odd_parameter(tuple(parameters))
    if headers:
        policies[record_fields.stage_policy("1", 0, "headers")] = _odd_header(tuple(headers))
    if not rules.admits_anonymous:
        policies[record_fields.stage_policy("3", 0, "nobody")] = _unidentified(matchers)
    for index, rule in enumerate(rules.deny):
        name = record_fields.stage_policy(record_fields.DENY_STAGE, index, rule.name)
        policies[name] = _deny_policy(matchers, rule)
    if selection.within:
        elsewhere = rbac.policy(rbac.negate(identity_matchers.is_from(matchers, selection.within)))
        policies[record_fields.stage_policy("5", 0, "region")] = elsewhere
    if selection.outside:
        there = rbac.policy(identity_matchers.is_from(matchers, selection.outside))
        policies[record_fields.stage_policy("5", 1, "region")] = there
    return _staged(policies)


@lru_cache(maxsize=16)
def write_unknown_model_stages(matchers: IdentityMatchers) -> bytes:
    """For the row that refuses bodies without a model: it stands for all models of its path, so
    credentials that prove nothing are refused as they would be there."""
    return _staged(_credential_policies(matchers))


@lru_cache(maxsize=2)
def write_open_stages(*, plain_paths: bool = False) -> bytes:
    """For ordinary routes: nothing refuses but, with `plain_paths`, a path of two meanings."""
    if not plain_paths:
        return _staged({})
    unlike = rbac.path_unlike(plain_values.ORDINARY_PATH)
    look_alike = rbac.path_like(f".*(?:{plain_values.LOOK_ALIKE}).*")
    return _staged({PATH_POLICY: rbac.policy(rbac.anybody(), rbac.either(unlike, look_alike))})


def write_closed_stages() -> bytes:
    """For requests without a route: everything is refused."""
    return _staged({record_fields.stage_policy("9", 0, "no-route"): rbac.policy(rbac.anybody())})


def _staged(policies: Mapping[str, bytes]) -> bytes:
    return rbac.config(shadow=rbac.rules(rbac.DENY, policies), shadow_prefix="stage_")


def write_enforcement(shadow: bytes | None = None) -> bytes:
    """Refuses everything that the stages did not let pass. shadow: deny rules in shadow mode."""
    passed = rbac.policy(
        rbac.metadata(
            record_fields.RBAC_NAMESPACE, (record_fields.STAGE_RESULT,), rbac.exact("allowed")
        )
    )
    return rbac.config(
        "enforce_",
        rbac.rules(rbac.ALLOW, {"stages-passed": passed}),
        shadow=shadow,
        shadow_prefix="" if shadow is None else "shadow_deny_",
    )


def write_shadow_denial(matchers: IdentityMatchers, rules: access.Access) -> bytes | None:
    """The deny rules of policies in shadow mode; None when there are none.

    They count only where the deny rules would: not for callers who were refused before.
    """
    policies = {
        record_fields.rule_policy(index, rule.name): rbac.policy(
            rbac.all_of([rbac.negate(_refused_before()), _deny_condition(matchers, rule)]),
            _about(rule.operations),
        )
        for index, rule in enumerate(rules.shadow_deny)
    }
    return rbac.rules(rbac.DENY, policies) if policies else None


def write_allowance(matchers: IdentityMatchers, rules: access.Access) -> bytes:
    """The allow rules; without any, no caller is admitted (P3)."""
    shadow = _allow_policies(matchers, rules.shadow_allow)
    return rbac.config(
        "allow_",
        rbac.rules(rbac.ALLOW, _allow_policies(matchers, rules.allow)),
        shadow=rbac.rules(rbac.ALLOW, shadow) if rules.shadow_allow else None,
        shadow_prefix="shadow_allow_" if rules.shadow_allow else "",
    )


@lru_cache(maxsize=1)
def write_open_allowance() -> bytes:
    """For ordinary routes, which ask for nothing."""
    return rbac.config("allow_", rbac.rules(rbac.ALLOW, {OPEN: rbac.policy(rbac.anybody())}))


def write_closed_allowance() -> bytes:
    """For requests without a route: no caller is admitted."""
    return rbac.config("allow_", rbac.rules(rbac.ALLOW, {}))


def is_anonymous_rule(rule: access.Rule) -> bool:
    """Whether the rule admits callers without a credential, in so many words."""
    return any(isinstance(subject, access.IsAnonymous) for subject in rule.subjects or ())


def is_identified_rule(rule: access.Rule) -> bool:
    """Whether the rule admits callers with a credential."""
    return rule.subjects is None or not all(
        isinstance(subject, access.IsAnonymous) for subject in rule.subjects
    )


@lru_cache(maxsize=4096)
def _odd_header(names_: tuple[str, ...]) -> bytes:
    """One of the headers is there and is not one plain value.

    `filters.notes` has copied what is plain into metadata. A value that it did not copy is not.
    """
    odd = [
        rbac.all_of(
            [
                rbac.has_header(name),
                rbac.negate(rbac.is_present(names.HEADERS_NAMESPACE, (name,))),
            ]
        )
        for name in names_
    ]
    return rbac.policy(rbac.any_of(odd))


@lru_cache(maxsize=4096)
def _odd_parameter(names_: tuple[str, ...]) -> bytes:
    """One of the query parameters is there and does not stand once and plainly (`core.plain_values`)."""
    odd = []
    for name in names_:
        some, twice, once = (_target_like(form) for form in plain_values.query_forms(name))
        odd += [twice, rbac.all_of([some, rbac.negate(once)])]
    return rbac.policy(rbac.any_of(odd))


@lru_cache(maxsize=1)
def _odd_path() -> bytes:
    return rbac.policy(rbac.anybody(), rbac.path_unlike(plain_values.GOVERNED_PATH))


@lru_cache(maxsize=16)
def _unidentified(matchers: IdentityMatchers) -> bytes:
    return rbac.policy(rbac.negate(identity_matchers.is_identified(matchers)))


def _target_like(pattern: str) -> rbac_pb2.Principal:
    return rbac.header(":path", string_pb2.StringMatcher(safe_regex={"regex": f"(?s){pattern}"}))


@lru_cache(maxsize=16)
def _credential_policies(matchers: IdentityMatchers) -> Mapping[str, bytes]:
    return {
        record_fields.stage_policy("2", index, method): rbac.policy(condition)
        for index, (method, condition) in enumerate(identity_matchers.invalid_credentials(matchers))
    }


def _allow_policies(matchers: IdentityMatchers, rules: Sequence[access.Rule]) -> dict[str, bytes]:
    """Two policies for a rule that admits callers with and without a credential: their limits are
    kept by principal and by address."""
    policies: dict[str, bytes] = {}
    for index, rule in enumerate(rules):
        limited = rule.limit is not None
        for anonymous in (False, True):
            if is_anonymous_rule(rule) if anonymous else is_identified_rule(rule):
                name = record_fields.rule_policy(
                    index, rule.name, limited=limited, anonymous=anonymous
                )
                subjects = _ANONYMOUS if anonymous else rule.subjects
                policies[name] = _allow_policy(
                    matchers, subjects, rule.regions, rule.purposes, rule.operations
                )
    return policies


_ANONYMOUS: Final = (access.IsAnonymous(),)


@lru_cache(maxsize=16384)
def _allow_policy(
    matchers: IdentityMatchers,
    subjects: tuple[access.SubjectMatch, ...] | None,
    regions: tuple[str, ...] | None,
    purposes: tuple[str, ...] | None,
    operations: tuple[access.Operation, ...] | None,
) -> bytes:
    """Many rules of many models ask for the same."""
    if subjects == _ANONYMOUS:
        who = rbac.negate(identity_matchers.is_identified(matchers))
    elif subjects is None:
        who = identity_matchers.is_identified(matchers)
    else:
        who = identity_matchers.is_subject(matchers, subjects)
    where = _place_conditions(matchers, regions, purposes)
    return rbac.policy(rbac.all_of([who, *where]), _about(operations))


def _deny_policy(matchers: IdentityMatchers, rule: access.Rule) -> bytes:
    return rbac.policy(_deny_condition(matchers, rule), _about(rule.operations))


def _deny_condition(matchers: IdentityMatchers, rule: access.Rule) -> rbac_pb2.Principal:
    """A deny rule without subjects is about every caller, identified or not."""
    who: list[rbac_pb2.Principal] = []
    if rule.subjects is not None:
        one = identity_matchers.is_subject(matchers, rule.subjects)
        anonymous = (
            [rbac.negate(identity_matchers.is_identified(matchers))]
            if is_anonymous_rule(rule)
            else []
        )
        who = [rbac.any_of([one, *anonymous])]
    return rbac.all_of([*who, *_place_conditions(matchers, rule.regions, rule.purposes)])


def _place_conditions(
    matchers: IdentityMatchers, regions: tuple[str, ...] | None, purposes: tuple[str, ...] | None
) -> list[rbac_pb2.Principal]:
    conditions = []
    if regions is not None:
        conditions.append(identity_matchers.is_from(matchers, regions))
    if purposes is not None:
        conditions.append(identity_matchers.is_for(matchers, purposes))
    return conditions


@lru_cache(maxsize=1)
def _refused_before() -> rbac_pb2.Principal:
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


@lru_cache(maxsize=256)
def _about(operations: tuple[access.Operation, ...] | None) -> rbac_pb2.Permission:
    """The operations that a rule is about."""
    if operations is None:
        return rbac.everything()
    wanted = rbac.one_of([rbac.exact(operation) for operation in operations])
    return rbac.of_route(record_fields.GATE_NAMESPACE, OPERATION_KEY, wanted)
