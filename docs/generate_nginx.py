"""The reference page of ingress-nginx's settings, from the tables that the audit uses."""

from __future__ import annotations

from collections.abc import Iterable

from gatereeve.cluster_audit import nginx_settings
from gatereeve.cluster_audit.nginx_controllers import PREFIX
from gatereeve.cluster_audit.nginx_settings import Setting
from gatereeve.compile.routes import foreign_annotations
from gatereeve.core.findings import FindingCode, Severity, registry

_FATES = {"kept": "kept by itself", "moves": "say it elsewhere", "lost": "**lost**"}
_TITLES = (
    ("protection", "What protects"),
    ("traffic", "What shapes traffic"),
    ("tuning", "What only tunes"),
)


def page() -> str:
    """Every annotation and ConfigMap key, by what it is worth."""
    lines = [
        "# Settings of ingress-nginx\n",
        "What becomes of every annotation of ingress-nginx, and of the keys of its ConfigMap that protect, open or shape something, when a route moves behind a gate.",
        f"The list is the published one of {nginx_settings.VERSION}, its older names, and what earlier controllers read.",
        "`gatereeve audit-cluster` finds them in a cluster; [the how-to](../how-to/migrate-from-ingress-nginx.md) says what to do with what it finds.\n",
        "* **say it elsewhere**: a document keeps it, in other words. **for models**: only on routes to models; for an ordinary Service it is lost.",
        "* **an Ingress with it**: what a gate does with an Ingress of its class that still carries the annotation: *refused* (not served until it is removed) or *overlooked*.\n",
    ]
    for worth, title in _TITLES:
        lines.append(f"## {title}\n")
        rows = [
            setting for setting in nginx_settings.ANNOTATIONS.values() if setting.worth == worth
        ]
        lines += _table(rows, annotations=True)
    lines += [
        "## Keys of the ConfigMap\n",
        "Keys that only tune nginx are not listed; the audit names them together.",
        f"On by default, so lost or moved without being written anywhere: {_named(nginx_settings.DEFAULTS)}.\n",
        *_table(nginx_settings.KEYS.values(), annotations=False),
        "## Values that open something\n",
        "Told as `nginx-setting-weak`, because they are weak today, whatever is planned.\n",
        "| setting | value | what it means |\n|---|---|---|",
    ]
    for setting in (*nginx_settings.ANNOTATIONS.values(), *nginx_settings.KEYS.values()):
        lines += [f"| `{setting.name}` | `{value}` | {why} |" for value, why in setting.weak]
    lines += [
        "\n## Values that reached the configuration\n",
        "Settings whose text becomes configuration (`nginx-injection`), or whose value did in some release (`nginx-value-suspicious` when it looks like it).\n",
        "| setting | how |\n|---|---|",
    ]
    for setting in (*nginx_settings.ANNOTATIONS.values(), *nginx_settings.KEYS.values()):
        if setting.injects:
            lines.append(f"| `{setting.name}` | {setting.injects} |")
    return "\n".join(lines) + "\n"


def _named(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(settings: Iterable[Setting], *, annotations: bool) -> list[str]:
    head = "| annotation | what it does | at a gate | by | an Ingress with it | severity |"
    if not annotations:
        head = "| key | what it does | at a gate | by | severity |"
    lines = [head, "|" + "---|" * head.count(" |")]
    for setting in settings:
        cells = [f"`{setting.name}`", setting.does, _fate(setting), setting.by]
        if annotations:
            verdict = foreign_annotations.judge(f"{PREFIX}/{setting.name}", "something")
            cells.append("overlooked" if verdict == "ignored" else "refused")
        cells.append(_severity(setting))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return [*lines, ""]


def _fate(setting: Setting) -> str:
    return _FATES[setting.fate] + (", for models" if setting.models_only else "")


def _severity(setting: Setting) -> str:
    """Of the finding; where it differs, for models / for ordinary Services."""
    both = [_word(setting.code(for_models=for_models)) for for_models in (True, False)]
    return " / ".join(dict.fromkeys(both))


def _word(code: str) -> str:
    severity = registry()[FindingCode(code)].severity
    return "note" if severity is Severity.INFO else severity.name.lower()
