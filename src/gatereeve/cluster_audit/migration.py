"""What moving away from ingress-nginx would lose, setting by setting; and what is unsafe there today.

Reads Ingresses that ingress-nginx may serve, its ConfigMaps and its workloads. A setting that is
kept for models only counts as lost when the Ingress leads to anything else. Findings: nginx-…
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatereeve.api import plain_objects
from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit import nginx_controllers, nginx_settings
from gatereeve.cluster_audit.exposure import Way, ways_of_ingress
from gatereeve.cluster_audit.governance import GovernedObjects, ServiceKey
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.models import Models
from gatereeve.cluster_audit.nginx_controllers import PREFIX, Controller
from gatereeve.cluster_audit.nginx_settings import Setting
from gatereeve.cluster_audit.report import finding
from gatereeve.core.findings import Finding

RETIRED = "March 2026"
_FIXED_IN = {11: 5, 12: 1}
"""CVE-2025-1974: the first patch release of 1.11 and 1.12 with the remedy; below 1.11 there is none."""

_SNIPPETS = "allow-snippet-annotations"
_SNIPPETS_OFF = (1, 9, 0)
"""The release that no longer admits them by default."""

_VARIABLE = re.compile(r"\$\{?[A-Za-z0-9_]{1,64}\}?")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f{};\"]")
_UNSAFE_PATH = re.compile(r"[\x00-\x20\x7f;\"#]")
_UNSAFE_PLAIN_PATH = re.compile(r"[\x00-\x20\x7f;\"#{}\\]")
_FREE_TEXT = re.compile(r"snippet$|pattern$")
_SHOWN = 80


def losses(inventory: Inventory, governed: GovernedObjects, models: Models) -> Iterator[Finding]:
    """Findings about every Ingress, ConfigMap and controller of ingress-nginx."""
    found = nginx_controllers.controllers(inventory)
    prefixes = tuple(dict.fromkeys((PREFIX, *(controller.prefix for controller in found))))
    reached: set[ServiceKey] = set()
    for doc in inventory.of(("networking.k8s.io", "Ingress")):
        if governed.may_be_nginx(doc):
            ways = tuple(ways_of_ingress(doc, governed))
            reached |= {way.key for way in ways}
            yield from _of_ingress(doc, prefixes, ways, models)
    told: set[str] = set()
    ordinary = sorted(reached - {key for key in reached if models.is_model(key)})
    for config in nginx_controllers.config_maps(inventory):
        data = plain_objects.texts(config.spec.get("data"))
        told |= data.keys()
        yield from _of_config(config, ordinary)
    for controller in found:
        yield from _of_controller(controller)
        if inventory.is_listed("ConfigMap"):
            yield from _defaults(controller, told)


def _of_ingress(
    doc: RawDoc, prefixes: tuple[str, ...], ways: tuple[Way, ...], models: Models
) -> Iterator[Finding]:
    others = sorted({way.key for way in ways if not models.is_model(way.key)})
    regex = False
    for full, value in sorted(doc.meta.annotations.items()):
        prefix, _, name = full.partition("/")
        if prefix not in prefixes:
            continue
        regex = regex or name in ("use-regex", "rewrite-target")
        path = f"metadata.annotations.{full}"
        setting = nginx_settings.ANNOTATIONS.get(name)
        if setting is None:
            yield finding(
                "nginx-setting-unknown", doc, path,
                f"{name} is in no published list of ingress-nginx",
                "find out what it was meant to do; a gate refuses an Ingress that carries it",
            )  # fmt: skip
            continue
        yield from _of_setting(doc, path, setting, value, others)
        if not _FREE_TEXT.search(name) and _UNSAFE.search(_VARIABLE.sub("", value)):
            yield _suspicious(doc, path, f"{name} holds characters of nginx's configuration", value)
    unsafe = _UNSAFE_PATH if regex else _UNSAFE_PLAIN_PATH
    for way in ways:
        if unsafe.search(way.routed):
            what = "a path holds characters of nginx's configuration"
            yield _suspicious(doc, way.path, what, way.routed)


def _of_setting(
    doc: RawDoc, path: str, setting: Setting, value: str, others: list[ServiceKey]
) -> Iterator[Finding]:
    """others: Services that the setting covers and that are no model's."""
    name = setting.name
    weakness = setting.weakness(value)
    if weakness:
        yield finding("nginx-setting-weak", doc, path,
                       f"{name}: {value.strip()[:_SHOWN]}: {weakness}", setting.by)  # fmt: skip
    if setting.is_text and not setting.is_off(value):
        yield finding("nginx-injection", doc, path, f"{name}: {setting.injects}", setting.by)
    if setting.is_off(value) or (weakness and setting.fate == "kept"):
        return
    spared = ""
    if setting.models_only and others:
        first = "/".join(filter(None, others[0]))
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        spared = f"; not kept for {first}{more}, not known as a model's Service"
    yield finding(
        setting.code(for_models=not others),
        doc,
        path,
        f"{name} {_VERB[setting.worth]}: {setting.does}{spared}",
        setting.by,
    )


_VERB = {"protection": "protects", "traffic": "shapes traffic", "tuning": "tunes"}


def _of_config(doc: RawDoc, ordinary: list[ServiceKey]) -> Iterator[Finding]:
    data = plain_objects.texts(doc.spec.get("data"))
    for key, value in sorted(data.items()):
        setting = nginx_settings.KEYS.get(key)
        path = f"data.{key}"
        if setting is None:
            continue
        yield from _of_setting(doc, path, setting, value, ordinary)
    passed = sorted(data.keys() - nginx_settings.KEYS.keys())
    if passed:
        yield finding(
            "nginx-tuning-dropped", doc, "data",
            f"keys that only tune nginx, or are unknown here: {', '.join(passed)}",
            "nothing to do, unless one of them is an addition of your own",
        )  # fmt: skip


def _of_controller(controller: Controller) -> Iterator[Finding]:
    doc, version = controller.doc, controller.version
    number = ".".join(map(str, version)) if version else "of an unknown version"
    if version is not None and is_vulnerable(version):
        yield finding(
            "nginx-vulnerable", doc, "spec",
            f"ingress-nginx {number}: whoever reaches its admission port runs code in it and reads its Secrets (CVE-2025-1974)",
            "run the last release, or switch its admission webhook off, until the routes have moved",
        )  # fmt: skip
    yield finding(
        "nginx-retired", doc, "spec",
        f"ingress-nginx {number} serves here; the project ended in {RETIRED} and mends nothing any more",
        "move its routes; docs/how-to/migrate-from-ingress-nginx.md says how",
    )  # fmt: skip


def is_vulnerable(version: tuple[int, int, int]) -> bool:
    """Whether CVE-2025-1974 is open in a release."""
    major, minor, patch = version
    if major != 1:
        return major < 1
    return minor < min(_FIXED_IN) or patch < _FIXED_IN.get(minor, 0)


def _defaults(controller: Controller, told: set[str]) -> Iterator[Finding]:
    """What the controller does without being told, and a gate in other words."""
    old = controller.version is not None and controller.version < _SNIPPETS_OFF
    if old and _SNIPPETS not in told:
        setting = nginx_settings.KEYS[_SNIPPETS]
        yield finding(
            "nginx-setting-weak", controller.doc, "spec",
            f"{_SNIPPETS} is on by default in this release: {setting.weakness('true')}", setting.by,
        )  # fmt: skip
    for name in nginx_settings.DEFAULTS:
        setting = nginx_settings.KEYS[name]
        if name not in told:
            yield finding(
                "nginx-protection-moves", controller.doc, "spec",
                f"{name} protects by default: {setting.does}", setting.by,
            )  # fmt: skip


def _suspicious(doc: RawDoc, path: str, what: str, value: str) -> Finding:
    return finding(
        "nginx-value-suspicious", doc, path, f"{what}: {value[:_SHOWN]!r}",
        "find out who wrote it and why; this is how configuration was injected (CVE-2025-1097, -1098, -24514; CVE-2021-25745)",
    )  # fmt: skip
