"""Settings of ingress-nginx that a migration would lose, and settings that are unsafe.

Reads Ingresses that ingress-nginx may serve, its ConfigMaps and its workloads. A setting that is replaced
for models only counts as lost if the Ingress leads to other Services. Findings: nginx-…
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatereeve.api import plain_objects as plain
from gatereeve.api.plain_objects import RawDoc
from gatereeve.cluster_audit import nginx_controllers, nginx_settings
from gatereeve.cluster_audit.exposure import Way, find_in_ingress
from gatereeve.cluster_audit.governance import GovernedObjects, ServiceKey
from gatereeve.cluster_audit.inventory import Inventory
from gatereeve.cluster_audit.models import Models
from gatereeve.cluster_audit.nginx_controllers import PREFIX, Controller
from gatereeve.cluster_audit.nginx_settings import Setting
from gatereeve.core.findings import Finding
from gatereeve.core.report import finding

RETIRED = "March 2026"
_FIXED_IN = {11: 5, 12: 1}
"""CVE-2025-1974: the first fixed patch release of 1.11 and 1.12; older minor releases have no fix."""

_SNIPPETS = "allow-snippet-annotations"
_SNIPPETS_OFF = (1, 9, 0)
"""The first release that does not allow them by default."""

_VARIABLE = re.compile(r"\$\{?[A-Za-z0-9_]{1,64}\}?")
_UNSAFE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f{};\"]")
_UNSAFE_PATH = re.compile(r"[\x00-\x20\x7f;\"#]")
_UNSAFE_PLAIN_PATH = re.compile(r"[\x00-\x20\x7f;\"#{}\\]")
_FREE_TEXT = re.compile(r"snippet$|pattern$")
_SHOWN = 80


def find_losses(
    inventory: Inventory, governed: GovernedObjects, models: Models
) -> Iterator[Finding]:
    """Yield findings about every Ingress, ConfigMap and controller of ingress-nginx."""
    controllers = nginx_controllers.find_controllers(inventory)
    prefixes = tuple(dict.fromkeys((PREFIX, *(controller.prefix for controller in controllers))))
    reached: set[ServiceKey] = set()
    for doc in inventory.of(("networking.k8s.io", "Ingress")):
        if governed.may_be_nginx(doc):
            ways = tuple(find_in_ingress(doc, governed))
            reached |= {way.key for way in ways}
            yield from _check_ingress(doc, prefixes, ways, models)
    configured: set[str] = set()
    ordinary = sorted(reached - {key for key in reached if models.is_model(key)})
    for config in nginx_controllers.find_config_maps(inventory):
        data = plain.texts(config.spec.get("data"))
        configured |= data.keys()
        yield from _check_config_map(config, ordinary)
    for controller in controllers:
        yield from _check_controller(controller)
        if inventory.is_listed("ConfigMap"):
            yield from _check_defaults(controller, configured)


def _check_ingress(
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
            yield finding(doc, "nginx-setting-unknown", path, name=name)
            continue
        yield from _check_setting(doc, path, setting, value, others)
        if not _FREE_TEXT.search(name) and _UNSAFE.search(_VARIABLE.sub("", value)):
            yield _suspicious(doc, path, f"{name} holds characters of nginx's configuration", value)
    unsafe = _UNSAFE_PATH if regex else _UNSAFE_PLAIN_PATH
    for way in ways:
        if unsafe.search(way.routed):
            what = "a path holds characters of nginx's configuration"
            yield _suspicious(doc, way.path, what, way.routed)


def _check_setting(
    doc: RawDoc, path: str, setting: Setting, value: str, others: list[ServiceKey]
) -> Iterator[Finding]:
    """others: Services of the Ingress that are not models."""
    name = setting.name
    weakness = setting.weakness(value)
    if weakness:
        yield finding(
            doc,
            "nginx-setting-weak",
            path,
            name=name,
            value=value.strip()[:_SHOWN],
            weakness=weakness,
            instead=setting.by,
        )
    if setting.is_text and not setting.is_off(value):
        yield finding(
            doc, "nginx-injection", path, name=name, injects=setting.injects, instead=setting.by
        )
    if setting.is_off(value) or (weakness and setting.fate == "kept"):
        return
    spared = ""
    if setting.models_only and others:
        first = "/".join(filter(None, others[0]))
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        spared = f"; not kept for {first}{more}, not known as a model's Service"
    yield finding(
        doc,
        setting.code(for_models=not others),
        path,
        name=name,
        verb=_VERB[setting.worth],
        does=setting.does,
        except_for=spared,
        instead=setting.by,
    )


_VERB = {"protection": "protects", "traffic": "shapes traffic", "tuning": "tunes"}


def _check_config_map(doc: RawDoc, ordinary: list[ServiceKey]) -> Iterator[Finding]:
    data = plain.texts(doc.spec.get("data"))
    for key, value in sorted(data.items()):
        setting = nginx_settings.KEYS.get(key)
        path = f"data.{key}"
        if setting is None:
            continue
        yield from _check_setting(doc, path, setting, value, ordinary)
    passed = sorted(data.keys() - nginx_settings.KEYS.keys())
    if passed:
        yield finding(doc, "nginx-tuning-dropped.keys", "data", keys=passed)


def _check_controller(controller: Controller) -> Iterator[Finding]:
    doc, version = controller.doc, controller.version
    number = ".".join(map(str, version)) if version else "of an unknown version"
    if version is not None and is_vulnerable(version):
        yield finding(doc, "nginx-vulnerable", "spec", version=number)
    yield finding(doc, "nginx-retired", "spec", version=number, date=RETIRED)


def is_vulnerable(version: tuple[int, int, int]) -> bool:
    """Whether a release has CVE-2025-1974."""
    major, minor, patch = version
    if major != 1:
        return major < 1
    return minor < min(_FIXED_IN) or patch < _FIXED_IN.get(minor, 0)


def _check_defaults(controller: Controller, configured: set[str]) -> Iterator[Finding]:
    """Yield findings about defaults of the controller."""
    old = controller.version is not None and controller.version < _SNIPPETS_OFF
    if old and _SNIPPETS not in configured:
        setting = nginx_settings.KEYS[_SNIPPETS]
        yield finding(
            controller.doc,
            "nginx-setting-weak.default",
            "spec",
            name=_SNIPPETS,
            weakness=setting.weakness("true"),
            instead=setting.by,
        )
    for name in nginx_settings.DEFAULTS:
        setting = nginx_settings.KEYS[name]
        if name not in configured:
            yield finding(
                controller.doc,
                "nginx-protection-moves.default",
                "spec",
                name=name,
                does=setting.does,
                instead=setting.by,
            )


def _suspicious(doc: RawDoc, path: str, what: str, value: str) -> Finding:
    return finding(doc, "nginx-value-suspicious", path, what=what, value=value[:_SHOWN])
