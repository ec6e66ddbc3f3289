"""One file to documents and findings: nothing is silent, nothing is lost, everything has a place."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import yaml as pyyaml

from gatereeve.api import governance, parse
from gatereeve.api.parsed import Parsed
from gatereeve.core import findings, refs
from tests.unit.api import documents


def read(text: str, file: str = "f.yaml", previous: Parsed | None = None) -> Parsed:
    return parse.parse_text(text, file, previous)


def told(parsed: Parsed) -> list[tuple[str, int, str]]:
    """Code, line and path of every finding."""
    return [
        (f.code, f.where.line if f.where else -1, f.origin.path if f.origin else "")
        for f in parsed.findings
    ]


def only(text: str) -> findings.Finding:
    (finding,) = read(text).findings
    return finding


@pytest.mark.parametrize("text", documents.ALL, ids=lambda t: t.split("kind: ")[1].split("\n")[0])
def test_valid_documents_are_read_without_a_word(text: str) -> None:
    parsed = read(text)
    assert told(parsed) == []
    assert len(list(parsed.docs)) == 1
    assert list(parsed.broken) == []


def test_a_document_knows_its_name_place_and_lines() -> None:
    (_, doc) = read(documents.GATE + "---\n" + documents.POLICY).docs
    assert doc.ref == refs.Ref("gatereeve.dev", "AccessPolicy", "lending", "credit")
    assert doc.where("spec.allow[0].subjects[1]") == refs.Where("f.yaml", 18)
    assert doc.where("spec.allow[0].nothing") == refs.Where("f.yaml", 16)
    assert isinstance(doc.spec, governance.AccessPolicySpec)
    assert doc.spec.models == ("credit",)


def test_a_namespaced_document_without_a_namespace_is_in_default() -> None:
    (doc,) = read(documents.MODEL.replace(", namespace: lending", "")).docs
    assert doc.ref.namespace == "default"


def test_metadata_is_kept() -> None:
    meta = (
        "metadata: {name: credit, namespace: lending, uid: u, generation: 3, labels: {a: b}, "
        "annotations: {c/d: e}, creationTimestamp: 2026-01-02T03:04:05Z}"
    )
    (doc,) = read(
        documents.MODEL.replace("metadata: {name: credit, namespace: lending}", meta)
    ).docs
    assert doc.meta.labels == {"a": "b"}
    assert doc.meta.annotations == {"c/d": "e"}
    assert doc.meta.created == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (doc.meta.uid, doc.meta.generation) == ("u", 3)


def test_lists_are_read_item_by_item() -> None:
    items = [pyyaml.safe_load(text) for text in (documents.MODEL, documents.POLICY)]
    text = pyyaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items})
    docs = list(read(text).docs)
    assert [d.ref.kind for d in docs] == ["Model", "AccessPolicy"]
    where = docs[1].where("spec.models")
    assert where is not None
    assert text.splitlines()[where.line - 1].strip() == "models:"


def test_json_files_are_read_with_lines() -> None:
    text = json.dumps(pyyaml.safe_load(documents.MODEL), indent=2)
    (doc,) = read(text, "f.json").docs
    where = doc.where("spec.riskClass")
    assert where is not None
    assert "riskClass" in text.splitlines()[where.line - 1]


@pytest.mark.parametrize(
    ("old", "new", "code", "path", "hint"),
    [
        ("riskClass", "riskclass", "unknown-field", "spec.riskclass", "did you mean `riskClass`?"),
        ("riskClass: high", "risk_class: high", "unknown-field", "spec.risk_class", "`riskClass`"),
        ("riskClass: high", "riskClass: hihg", "invalid-field", "spec.riskClass", "mean `high`?"),
        ("riskClass: high", "riskClass: [high]", "invalid-field", "spec.riskClass", "`minimal`"),
        ("  owner: corp/anna\n", "", "missing-field", "spec.owner", "add `owner:` below `spec`"),
        ("owner: corp/anna", "owner: 7", "invalid-field", "spec.owner", 'put it in quotes: "7"'),
        ("owner: corp/anna", "owner: 1.50", "invalid-field", "spec.owner", "text"),
        ("owner: corp/anna", "owner: a b", "invalid-field", "spec.owner", "without spaces"),
        ("owner: corp/anna", 'owner: "a\\nb"', "invalid-field", "spec.owner", "control"),
        ("spec:", "specs:", "unknown-field", "specs", "did you mean `spec`?"),
        ("{name: credit,", "{name: Credit,", "invalid-name", "metadata.name", "lower-case"),
        ("{name: credit,", '{name: "a\\n",', "invalid-name", "metadata.name", "lower-case"),
        ("{name: credit,", "{name: 1,", "invalid-name", "metadata.name", "in quotes"),
        ("{name: credit,", "{", "missing-field", "metadata.name", "add `name:` below `metadata`"),
        ("namespace: lending", "namespace: a.b", "invalid-name", "metadata.namespace", "lower"),
        ("namespace: lending", "namspace: x", "unknown-field", "metadata.namspace", "`namespace`"),
        ("v1alpha1", "v1beta1", "unknown-kind", "apiVersion", "gatereeve.dev/v1alpha1"),
        ("gatereeve.dev", "gatereve.dev", "unknown-kind", "apiVersion", "gatereeve.dev/v1alpha1"),
        ("kind: Model", "kind: Modle", "unknown-kind", "kind", "did you mean `kind: Model`?"),
        ("owner: corp", "owner: x\n  owner: corp", "duplicate-key", "spec.owner", "keep one"),
        (
            "{name: credit,",
            "{creationTimestamp: today, name: credit,",
            "invalid-field",
            "metadata.creationTimestamp",
            "remove it",
        ),
        (
            "{name: credit,",
            "{labels: {a: yes}, name: credit,",
            "",
            "",
            "",
        ),
        (
            "{name: credit,",
            "{labels: {a: 1}, name: credit,",
            "invalid-field",
            "metadata.labels.a",
            'put it in quotes: "1"',
        ),
    ],
)
def test_each_mistake_is_told_with_its_place_and_a_hint(
    old: str, new: str, code: str, path: str, hint: str
) -> None:
    text = documents.MODEL.replace(old, new)
    assert text != documents.MODEL
    parsed = read(text)
    found = [f for f in parsed.findings if f.code == code and (f.origin and f.origin.path) == path]
    if not code:
        assert told(parsed) == []
        return
    assert found, told(parsed)
    assert hint in found[0].hint
    assert found[0].where is not None
    assert found[0].where.line > 0
    assert list(parsed.docs) == []
    (broken,) = parsed.broken
    assert broken.ref.kind == "Model"


def test_all_mistakes_of_a_document_are_told_at_once() -> None:
    text = """\
apiVersion: gatereeve.dev/v1alpha1
kind: AccessPolicy
metadata: {name: a}
spec:
  models: [m]
  mod: enforce
  allow:
    - subject: []
      regions: [DE]
      operations: [infre]
    - subjects: [{anonymous: true, group: a/b}]
      limits: {requests: {count: "5", seconds: 0}}
  deny: {}
"""
    assert sorted(told(read(text)), key=lambda t: (t[1], t[2], t[0])) == [
        ("unknown-field", 6, "spec.mod"),
        ("unknown-field", 8, "spec.allow[0].subject"),
        ("missing-field", 8, "spec.allow[0].subjects"),
        ("invalid-field", 9, "spec.allow[0].regions[0]"),
        ("invalid-field", 10, "spec.allow[0].operations[0]"),
        ("invalid-field", 11, "spec.allow[1].subjects[0]"),
        ("invalid-field", 12, "spec.allow[1].limits.requests.count"),
        ("invalid-field", 12, "spec.allow[1].limits.requests.seconds"),
        ("invalid-field", 13, "spec.deny"),
    ]


@pytest.mark.parametrize("word", ["yes", "on", "True"])
def test_words_are_booleans_only_where_a_boolean_is_wanted(word: str) -> None:
    text = documents.POLICY.replace("principal: corp/anna", f"anonymous: {word}")
    (doc,) = read(text).docs
    assert isinstance(doc.spec, governance.AccessPolicySpec)
    assert doc.spec.allow[0].subjects[1].anonymous is True
    quoted = documents.POLICY.replace("principal: corp/anna", f'anonymous: "{word}"')
    assert [t[0] for t in told(read(quoted))] == ["invalid-field"]


def test_norway_is_a_region() -> None:
    (doc,) = read(documents.POLICY.replace("regions: [ru]", "regions: [no]")).docs
    assert isinstance(doc.spec, governance.AccessPolicySpec)
    assert doc.spec.deny[0].regions == ("no",)


def test_a_quoted_number_is_no_number_as_in_a_cluster() -> None:
    finding = only(documents.GATE.replace("8443", '"8443"'))
    assert finding.hint == "it must be a whole number, without quotes"


@pytest.mark.parametrize("text", ["[]", "a", "1", "kind: Model", "apiVersion: 1\nkind: x", "~: 1"])
def test_what_is_no_object_is_told(text: str) -> None:
    assert only(text).code == "not-an-object"


@pytest.mark.parametrize(
    ("text", "code"),
    [("", "empty-file"), ("---\n", "empty-file"), ("# comment\n", "file-not-read"),
     ("---\n---\n# x\n---\nnull\n", "")],
)  # fmt: skip
def test_empty_documents_are_nothing(text: str, code: str) -> None:
    parsed = read(text)
    assert [str(f.code) for f in parsed.findings] == ([code] if code else [])
    assert [b.ref.kind for b in parsed.broken] == ([""] if code == "empty-file" else [])


def test_foreign_kinds_are_named_and_left_alone() -> None:
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: Not A Name}\nspec: {a: 1.5}\n"
    finding = only(text)
    assert (finding.code, finding.severity) == ("foreign-kind", findings.Severity.INFO)
    argo = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: a}\n"
    assert "gatereeve.dev/v1alpha1" in only(argo).hint


def test_a_null_of_kubernetes_own_kinds_is_an_absent_field() -> None:
    """An API server writes `endpoints: null` for an EndpointSlice that has none."""
    slice_of = "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4\n"
    (with_null,) = parse.parse_text(slice_of + "endpoints: null\nports: null\n", "f").parts
    (without,) = parse.parse_text(slice_of, "f").parts
    assert not with_null.findings
    assert with_null.docs[0].spec == without.docs[0].spec
    (ours,) = parse.parse_text(
        "apiVersion: gatereeve.dev/v1alpha1\nkind: Gate\nmetadata: {name: g}\nspec: {region: null, http: {port: 1}}\n",
        "f",
    ).parts
    assert [f.code for f in ours.findings] == ["invalid-field"]


def test_an_unknown_kind_of_ours_is_an_error_that_lists_the_known_ones() -> None:
    finding = only("apiVersion: gatereeve.dev/v1alpha1\nkind: Zebra\nmetadata: {name: a}\n")
    assert finding.severity == findings.Severity.ERROR
    assert "AccessPolicy" in finding.hint


def test_cluster_kinds_have_no_namespace() -> None:
    finding = only(documents.GATE.replace("{name: gate}", "{name: gate, namespace: a}"))
    assert (finding.code, finding.origin and finding.origin.path) == (
        "invalid-name",
        "metadata.namespace",
    )


def test_secrets_are_checked_and_never_quoted() -> None:
    for value in ("s3cr3t!", "{a: s3cr3t!}", "!!foo s3cr3t!", "[s3cr3t!]"):
        text = documents.SECRET.replace("c2VjcmV0LXZhbHVlLTE=", value)
        parsed = read(text)
        assert {t[:1] for t in told(parsed)} == {("invalid-field",)}
        assert not any("s3cr3t" in f.message + f.hint for f in parsed.findings)
        assert [b.ref.kind for b in parsed.broken] == ["Secret"]


@pytest.mark.parametrize(
    ("text", "models"),
    [
        (documents.POLICY.replace("models:", "modles: 1\n  models:"), None),
        (documents.POLICY.replace("deny:", "dney:"), ("credit",)),
        (documents.POLICY + "  models: [other]\n", None),
        (documents.POLICY.replace("models: [credit]", "models: [credit, 3]"), None),
        (documents.POLICY.replace("models: [credit]", "models: credit"), None),
        (documents.POLICY.replace("models: [credit]", "modles: [credit]"), None),
        (documents.POLICY.replace("models: [credit]", "selector: {}"), None),
        (documents.POLICY.replace("AccessPolicy", "AcessPolicy"), ("credit",)),
        (documents.ROLLOUT.replace("split:", "splits:"), ("credit",)),
        (documents.VERSION.replace("author:", "autor:"), ("credit",)),
        (documents.MODEL.replace("owner:", "ower:"), ("credit",)),
        (documents.APPROVAL.replace("role: owner", "role: boss"), None),
        (documents.GATE.replace("region:", "regoin:"), ()),
        (documents.INGRESS.replace("Prefix", "prefix"), ()),
    ],
)
def test_a_broken_document_says_which_models_it_spoke_of(
    text: str, models: tuple[str, ...] | None
) -> None:
    (broken,) = read(text).broken
    assert broken.models == models


@pytest.mark.parametrize(
    "ruin",
    ["  allow: [\n", "  : :\n", "  x: 'open\n", "\tx: 1\n", "  - a\n b\n", "  x: {{ y }}}\n"],
)
def test_a_policy_that_is_not_yaml_is_still_known_to_be_there(ruin: str) -> None:
    parsed = read(documents.POLICY + ruin + "---\n" + documents.MODEL)
    assert [d.ref.kind for d in parsed.docs] == ["Model"]
    (broken,) = parsed.broken
    assert broken.ref == refs.Ref("gatereeve.dev", "AccessPolicy", "lending", "credit")
    assert broken.models is None
    assert not any(part.unreadable for part in parsed.parts)


def test_a_policy_ruined_before_its_name_is_known_by_its_namespace() -> None:
    text = "apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\n}\nmetadata:\n  namespace: x\n"
    parsed = read(text)
    assert [b.ref for b in parsed.broken] == [refs.Ref("gatereeve.dev", "AccessPolicy", "x", "")]
    assert parsed.parts[0].unreadable
    for rest in ("", "metadata: {namespace: "):  # what is cut off may have said any
        parsed = read(text.partition("metadata")[0] + rest)
        assert [b.ref.namespace for b in parsed.broken] == [""]


@pytest.mark.parametrize(
    ("end", "namespace"),
    [("x", ""), ('"x', ""), ("x}", "x"), ('"x"}', "x"), ("x, labels: {}}", "x"), ("x\n  }", "x")],
)
def test_a_namespace_is_unsure_only_where_the_text_ends_in_it(end: str, namespace: str) -> None:
    """JSON stands on one line: its namespace is whole although no line end follows."""
    text = (
        "apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\nspec: {}\nmetadata: {namespace: "
    )
    assert [b.ref.namespace for b in read(text + end).broken] == [namespace]


@pytest.mark.parametrize(
    ("metadata", "namespace"),
    [
        ("{name: credit}", "default"),
        ("{name: credit, namespace: }", "default"),
        ("{name: credit, namspace: lending}", ""),
        ("{name: credit, namespace: 7}", ""),
        ("{name: credit, namespace: [lending]}", ""),
        ("{name: credit, namespace: Lending}", ""),
        ("[lending]", ""),
    ],
)
def test_a_namespace_that_cannot_be_made_out_is_none(metadata: str, namespace: str) -> None:
    text = documents.POLICY.replace("{name: credit, namespace: lending}", metadata)
    parsed = read(text + "  odd: 1\n")
    (broken,) = parsed.broken
    assert broken.ref.namespace == namespace
    assert broken.models == ("credit",)
    assert parsed.parts[0].unreadable is not bool(namespace and broken.ref.name)


@pytest.mark.parametrize(
    ("rest", "namespace"),
    [
        ("", ""),
        ("  namespace: shop\n", "shop"),
        ("  'namespace': \"shop\"  # theirs\n", "shop"),
        ("  labels: {a: b, namespace: shop}\n", "shop"),
        ("  labels: {namespace: other}\n  namespace: shop\n", ""),
        ("  labels: {namespace: other}\n  namespace: {{ x }}\n", ""),
        ("  namespace lending\n", ""),
        ("  namespace: {{ .Values.namespace }}\n", ""),
        ("  namespace: a{{ b }}\n", ""),
    ],
)
def test_the_namespace_of_a_ruined_document_may_stand_after_the_ruin(
    rest: str, namespace: str
) -> None:
    text = "apiVersion: gatereeve.dev/v1alpha1\nkind: AccessPolicy\nmetadata:\n  name: credit\n"
    parsed = read(text + "  }\n" + rest)
    assert [b.ref for b in parsed.broken] == [
        refs.Ref("gatereeve.dev", "AccessPolicy", namespace, "credit")
    ]
    assert parsed.parts[0].unreadable is not bool(namespace)


@pytest.mark.parametrize(
    ("old", "new", "rejects"),
    [
        ("role: owner", "role: boss", ()),
        ("decision: approve", "decision: reject\n  odd: 1", ("credit-v1",)),
        ("decision: approve", "decison: reject", ("credit-v1",)),
        ("decision: approve", "decision: maybe", ("credit-v1",)),
        ("decision: approve", "decision: approve\n  decision: reject", None),
        ("decision: approve", "decision: reject\n  decision: approve", None),
        ("decision: approve\n", "decision: reject\n  : :\n", None),
    ],
)
def test_a_broken_approval_says_what_it_may_reject(
    old: str, new: str, rejects: tuple[str, ...] | None
) -> None:
    (broken,) = read(documents.APPROVAL.replace(old, new)).broken
    assert broken.rejects == rejects


def test_a_broken_approval_of_nothing_legible_may_reject_anything() -> None:
    rejecting = documents.APPROVAL.replace("decision: approve", "decision: reject")
    (broken,) = read(rejecting.replace("{name: credit-v1,", "{nam: credit-v1,")).broken
    assert broken.rejects is None
    (broken,) = read(rejecting.partition("spec:")[0]).broken
    assert broken.rejects is None
    assert [b.rejects for b in read(documents.POLICY.replace("models", "modls")).broken] == [()]


def test_the_digest_is_of_what_is_said_not_of_how() -> None:
    (plain,) = read(documents.VERSION).docs
    (same,) = read(
        "# moved\n" + documents.VERSION.replace("region: de", "health:\n  region: 'de'  # here")
    ).docs
    (spelled,) = read(documents.VERSION + "  bounds: {connections: 1024}\n").docs
    (other,) = read(documents.VERSION.replace("9000", "9001")).docs
    assert plain.digest == same.digest == spelled.digest
    assert plain.digest != other.digest


def test_the_digest_of_foreign_numbers_is_defined() -> None:
    route = """\
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: a}
spec:
  gatewayClassName: x
  listeners:
    - name: l
      port: 80
      protocol: HTTP
      allowedRoutes: {namespaces: {selector: {matchExpressions: [{a: 1.5, b: 123456789012345678901}]}}}
"""
    (doc,) = read(route).docs
    assert doc.digest.startswith("sha256:")


def test_unchanged_parts_keep_their_documents() -> None:
    text = f"{documents.MODEL}---\n{documents.POLICY}---\n{documents.GATE}"
    before = read(text)
    after = read(text.replace("regions: [ru]", "regions: [by]"), previous=before)
    kept = [a is b for a, b in zip(before.docs, after.docs, strict=True)]
    assert kept == [True, False, True]


def test_a_document_that_moved_knows_its_new_lines() -> None:
    before = read(documents.MODEL)
    (doc,) = read("# one\n# two\n---\n" + documents.MODEL, previous=before).docs
    assert doc.where("spec") == refs.Where("f.yaml", 7)
    again = read("---\n" + documents.MODEL + "---\nx: [\n", previous=before)
    moved = read("#\n---\n" + documents.MODEL + "---\nx: [\n", previous=again)
    assert [f.where for f in moved.findings] == [refs.Where("f.yaml", 12)]


def test_a_file_with_too_many_documents_is_read_up_to_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parse, "MAX_DOCUMENTS", 1)
    parsed = read(f"{documents.MODEL}---\n{documents.POLICY}")
    assert [d.ref.kind for d in parsed.docs] == ["Model"]
    assert told(parsed) == [("too-many-documents", 9, "")]


def test_many_mistakes_are_counted_not_listed() -> None:
    text = documents.GRANT.replace("hosts: [", "hosts: [" + "UPPER, " * 200)
    found = list(read(text).findings)
    assert 20 < len(found) < 40
    assert "more places" in found[-1].message


@pytest.mark.parametrize("group", ["Domain Users", "/platform/ml ops", "a", "Führung"])
def test_groups_may_have_spaces(group: str) -> None:
    text = documents.POLICY.replace("regions: [ru]", f'subjects: [{{group: "corp/{group}"}}]')
    (doc,) = parse.parse_text(text, "f.yaml").docs
    assert isinstance(doc.spec, governance.AccessPolicySpec)
    assert [s.group for rule in doc.spec.deny for s in rule.subjects or ()] == [f"corp/{group}"]


@pytest.mark.parametrize("group", [" a", "a ", " ", "a\\tb", 'a\\"b'])
def test_a_wrong_group_is_one_finding_about_the_group(group: str) -> None:
    text = documents.POLICY.replace("regions: [ru]", f'subjects: [{{group: "corp/{group}"}}]')
    (finding,) = parse.parse_text(text, "f.yaml").findings
    assert "subjects[0].group" in finding.message
    assert "`provider/group`" in finding.hint
