"""Speaks to an API server as one user and shows everything it answered: code, message, warnings.

For tests: an answer is a value, whatever its status code; `ok()` turns a refusal into an error where a
test only prepares. Resource names and scopes come from the server's own discovery.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx2
import yaml

from tests.cluster import waiting

Document = Mapping[str, Any]
Query = Mapping[str, str]
"""Such as {"dryRun": "All"} or {"fieldValidation": "Strict"}."""

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


class _Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: what looks like a time is text."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


class RefusedError(Exception):
    """The API server refused what a test took for granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API server said. body: its object, or its Status when it refused."""

    status: int
    body: Any
    warnings: tuple[str, ...] = ()

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """Kubernetes' word for a refusal: Invalid, Forbidden, Conflict, …"""
        return "" if self.accepted else str(self.body.get("reason", ""))

    @property
    def message(self) -> str:
        return "" if self.accepted else str(self.body.get("message", self.body))

    def ok(self) -> Any:
        """The body; RefusedError when there is only a refusal."""
        if not self.accepted:
            raise RefusedError(f"{self.status} {self.reason}: {self.message}")
        return self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A served resource, as discovery names it."""

    group: str
    version: str
    plural: str
    namespaced: bool

    def path(self, namespace: str | None, name: str | None = None) -> str:
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}" + (f"/{name}" if name else "")


class Api:
    """One user's way to an API server. Close it, or use it as a context."""

    def __init__(
        self,
        url: str,
        ca: Path,
        token: str,
        *,
        impersonate: str = "",
        groups: Iterable[str] = (),
        namespace: str = "default",
    ) -> None:
        """impersonate, groups: act as somebody else, with the rights of `token` to do so."""
        headers = [("Authorization", f"Bearer {token}")]
        if impersonate:
            headers += [("Impersonate-User", impersonate)]
            headers += [("Impersonate-Group", group) for group in groups]
        self._http = httpx2.Client(
            base_url=url,
            headers=headers,
            verify=ssl.create_default_context(cafile=str(ca)),
            timeout=30.0,
            trust_env=False,
        )
        self.namespace = namespace
        self.made: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        content: bytes | str | None = None,
        body: Document | list[Any] | None = None,
        media: str = "application/json",
        query: Query | None = None,
    ) -> Answer:
        """One call, exactly as given: for what the methods below are too well-behaved for."""
        if body is not None:
            content = json.dumps(body)
        headers = {"Content-Type": media} if content is not None else {}
        answer = self._http.request(
            method, path, params=dict(query or {}), content=content, headers=headers
        )
        return Answer(
            status=answer.status_code, body=_body(answer), warnings=_warnings(answer.headers)
        )

    def apply(
        self,
        given: str | Document,
        *,
        manager: str = "test",
        force: bool = True,
        subresource: str = "",
        query: Query | None = None,
    ) -> Answer:
        """Server-side apply of one document, YAML text or object."""
        document = one(given)
        path = self.path_of(document) + (f"/{subresource}" if subresource else "")
        asked = {"fieldManager": manager, "force": str(force).lower(), **(query or {})}
        answer = self.request("PATCH", path, body=document, media=APPLY, query=asked)
        if answer.status == 201 and "dryRun" not in asked:
            self.made.append(path)
        return answer

    def create(self, given: str | Document, *, query: Query | None = None) -> Answer:
        document = one(given)
        path = self.path_of(document)
        collection = path.rpartition("/")[0]
        answer = self.request("POST", collection, body=document, query=query)
        if answer.accepted and "dryRun" not in (query or {}):
            self.made.append(f"{collection}/{answer.body['metadata']['name']}")
        return answer

    def replace(
        self, given: str | Document, *, subresource: str = "", query: Query | None = None
    ) -> Answer:
        """PUT; without metadata.resourceVersion it overwrites whatever is there."""
        document = one(given)
        path = self.path_of(document) + (f"/{subresource}" if subresource else "")
        return self.request("PUT", path, body=document, query=query)

    def patch(
        self,
        given: str | Document,
        change: Document | list[Any],
        *,
        subresource: str = "",
        query: Query | None = None,
    ) -> Answer:
        """A merge patch (an object) or a JSON patch (a list) of the object that `given` names."""
        path = self.path_of(one(given)) + (f"/{subresource}" if subresource else "")
        media = JSON_PATCH if isinstance(change, list) else MERGE
        return self.request("PATCH", path, body=change, media=media, query=query)

    def get(self, given: str | Document, *, query: Query | None = None) -> Answer:
        return self.request("GET", self.path_of(one(given)), query=query)

    def delete(self, given: str | Document, *, query: Query | None = None) -> Answer:
        return self.request("DELETE", self.path_of(one(given)), query=query)

    def all_of(self, api_version: str, kind: str, *, everywhere: bool = False) -> Answer:
        resource = self.resource(api_version, kind)
        return self.request("GET", resource.path(None if everywhere else self.namespace))

    def apply_all(self, text: str, *, query: Query | None = None) -> list[Any]:
        """Every document of a YAML text, in its order; RefusedError at the first refusal."""
        return [self.apply(doc, query=query).ok() for doc in documents_in(text)]

    def path_of(self, document: Document) -> str:
        resource = self.resource(document["apiVersion"], document["kind"])
        meta = document.get("metadata", {})
        return resource.path(meta.get("namespace", self.namespace), meta.get("name", "unnamed"))

    def resource(self, api_version: str, kind: str) -> Resource:
        """By discovery, asked anew each time: CRDs come and go in tests."""
        group, _, version = api_version.rpartition("/")
        path = f"/apis/{api_version}" if group else f"/api/{version}"
        for found in self.request("GET", path).ok()["resources"]:
            if found["kind"] == kind and "/" not in found["name"]:
                return Resource(
                    group=group,
                    version=version,
                    plural=found["name"],
                    namespaced=found["namespaced"],
                )
        raise LookupError(f"the API server serves no {api_version} {kind}")

    def install_crds(self, files: Iterable[Path]) -> None:
        """Served when this returns."""
        documents = [doc for file in files for doc in documents_in(file.read_text())]
        for document in documents:
            self.apply(document).ok()
        for document in documents:
            if document["kind"] == "CustomResourceDefinition":
                waiting.until(
                    lambda document=document: self._serves(document),  # type: ignore[misc]  # bound by default
                    f"{document['metadata']['name']} is served",
                )

    def tidy(self) -> None:
        """Deletes what this made, last first. What is gone already is no complaint."""
        while self.made:
            self.request("DELETE", self.made.pop())

    def _serves(self, crd: Document) -> bool:
        spec = crd["spec"]
        return all(
            self.request(
                "GET", f"/apis/{spec['group']}/{v['name']}/{spec['names']['plural']}"
            ).accepted
            for v in spec["versions"]
            if v["served"]
        )


def documents_in(text: str) -> list[Document]:
    """Every document of a YAML text, as JSON values."""
    return [doc for doc in yaml.load_all(text, _Loader) if doc]


def one(given: str | Document) -> Document:
    """The single document of a YAML text, or the object itself."""
    if not isinstance(given, str):
        return given
    documents = documents_in(given)
    if len(documents) != 1:
        raise ValueError(f"one document expected, {len(documents)} given")
    return documents[0]


def _body(answer: httpx2.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return answer.text if answer.is_success else {"message": answer.text}


def _warnings(headers: httpx2.Headers) -> tuple[str, ...]:
    """RFC 7234 warnings, as kubectl prints them."""
    text = ", ".join(headers.get_list("warning"))
    return tuple(re.sub(r"\\(.)", r"\1", found) for found in _WARNING.findall(text))
