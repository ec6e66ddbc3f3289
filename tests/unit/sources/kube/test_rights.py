"""The rights that are asked for cover what is done, and nothing dangerous."""

from __future__ import annotations

import re
from pathlib import Path

from gatereeve.api import registry
from gatereeve.sources.kube import rights
from tests.unit.api import documents
from tests.unit.sources.kube.test_source import cluster, put


def test_nothing_dangerous_is_asked_for() -> None:
    for rule in (*rights.cluster_rules(), *rights.own_namespace_rules()):
        said = {rule.group, *rule.resources, *rule.verbs}
        assert not said & {"*", "bind", "escalate", "impersonate", "deletecollection"}
        assert rule.group != "rbac.authorization.k8s.io"
    for rule in rights.cluster_rules():
        if "secrets" in rule.resources:
            assert set(rule.verbs) == {"get", "list", "watch"}


async def test_what_is_asked_of_a_server_is_granted(tmp_path: Path) -> None:
    granted = {
        (rule.group, name, verb)
        for rule in rights.cluster_rules()
        for name in rule.resources
        for verb in rule.verbs
    }
    async with cluster(tmp_path) as c:
        put(c.server, documents.MODEL)
        await c.world()
        for request in c.server.requests:
            match = re.fullmatch(
                r"/(?:api|apis/([^/]+))/[^/]+(?:/namespaces/[^/]+)?/([a-z]+)(/.+)?", request.path
            )
            assert match, request.path
            verb = "watch" if request.is_watch else "get" if match[3] else "list"
            assert (match[1] or "", match[2], verb) in granted


def test_every_kind_is_read() -> None:
    read = {n for r in rights.cluster_rules() if "list" in r.verbs for n in r.resources}
    assert read == {kind.plural for kind in registry.KINDS}
