"""Documents of governance that cannot be read, by what they may have said.

Closed on doubt (P2): a policy or rollout that cannot be read closes the models that it may speak
of, an approval the versions that it may reject. Never beyond its namespace, unless even that
cannot be made out: then it may be anybody's, which a folder can hold and a cluster cannot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gatereeve.api.world import Broken, Key

ANYWHERE = ""
"""As a namespace or name: it could not be made out, so it may be every one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doubts:
    """By (namespace, name), either of them ANYWHERE, what cannot be read. A memo key by identity.

    models: names of Models, with the policy or rollout that may speak of them.
    versions: names of ModelVersion documents, with the approval that may reject them.
    """

    models: Mapping[Key, str]
    versions: Mapping[Key, str]

    def about_model(self, namespace: str, name: str) -> str | None:
        """The document that may say something about a Model; None when all of them were read."""
        return _look_up(self.models, namespace, name)

    def about_version(self, namespace: str, name: str) -> str | None:
        """The document that may reject a ModelVersion."""
        return _look_up(self.versions, namespace, name)


def doubts_of(broken: tuple[Broken, ...]) -> Doubts:
    """broken: of the World, sorted; the first that speaks of something is named."""
    models: dict[Key, str] = {}
    versions: dict[Key, str] = {}
    for item in broken:
        if item.ref.kind in ("AccessPolicy", "Rollout"):
            _note(models, item, item.models)
        elif item.ref.kind == "Approval":
            _note(versions, item, item.rejects)
    return Doubts(models=models, versions=versions)


def _note(found: dict[Key, str], item: Broken, names: tuple[str, ...] | None) -> None:
    for name in (ANYWHERE,) if names is None else names:
        found.setdefault((item.ref.namespace, name), str(item.ref))


def _look_up(found: Mapping[Key, str], namespace: str, name: str) -> str | None:
    if not found:
        return None
    places = ((n, m) for n in (namespace, ANYWHERE) for m in (name, ANYWHERE))
    return next((found[place] for place in places if place in found), None)
