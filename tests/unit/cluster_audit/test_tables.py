"""The tables of ingress-nginx's settings: complete, and true about what the compiler does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from gatereeve.api import crd
from gatereeve.cluster_audit import nginx_settings
from gatereeve.cluster_audit.nginx_controllers import PREFIX
from gatereeve.compile.routes import foreign_annotations
from gatereeve.core.findings import registry

PUBLISHED = Path(__file__).parent / "published_annotations.txt"
"""Names of the user guide's pages "Annotations" and "Annotations Scope and Risk", controller 1.15."""

TABLES = (nginx_settings.ANNOTATIONS.values(), nginx_settings.KEYS.values())


def test_every_published_annotation_has_a_row() -> None:
    published = set(PUBLISHED.read_text().split())
    assert len(published) == 138
    assert published <= set(nginx_settings.ANNOTATIONS)


def test_what_is_beyond_the_list_says_that_it_is_older() -> None:
    beyond = set(nginx_settings.ANNOTATIONS) - set(PUBLISHED.read_text().split())
    older = {name for name in beyond if "earlier" in nginx_settings.ANNOTATIONS[name].does}
    companions = {n for n in beyond if n.startswith("global-rate-limit-")}
    assert beyond == older | companions


def test_no_name_stands_twice() -> None:
    data = yaml.safe_load((Path(nginx_settings.__file__).with_suffix(".yaml")).read_text())
    for table in ("annotations", "keys"):
        names = [name for group in data[table] for name in group["settings"]]
        assert len(names) == len(set(names))


def test_the_compiler_overlooks_nothing_that_is_lost_or_must_move() -> None:
    """A gate refuses an Ingress whose protection it does not keep, rather than serve it without."""
    overlooked = {
        setting.name
        for setting in nginx_settings.ANNOTATIONS.values()
        if setting.worth == "protection"
        and foreign_annotations.judge(f"{PREFIX}/{setting.name}", "something") == "ignored"
    }
    # Records are kept anyway.
    assert overlooked == {"enable-access-log"}


def test_every_row_has_a_registered_code_and_a_way_out() -> None:
    for table in TABLES:
        for setting in table:
            for for_models in (True, False):
                assert setting.code(for_models=for_models) in registry(), setting
            assert setting.does, setting
            assert setting.by, setting


def test_only_what_moves_is_spared_for_models() -> None:
    for table in TABLES:
        assert all(s.fate == "moves" for s in table if s.models_only)


def test_what_a_controller_does_by_default_is_in_the_table() -> None:
    assert set(nginx_settings.DEFAULTS) <= set(nginx_settings.KEYS)


FIELD = re.compile(r"\b(Gate|AccessPolicy|Rollout|ModelVersion|Model) (spec(?:\.[A-Za-z]+)+)")


def test_every_field_that_a_row_names_exists() -> None:
    schemas = {}
    for text in crd.crds().values():
        document = yaml.safe_load(text)
        (version,) = document["spec"]["versions"]
        schemas[document["spec"]["names"]["kind"]] = version["schema"]["openAPIV3Schema"]
    named = [match for t in TABLES for s in t for match in FIELD.findall(s.by)]
    assert len(named) > 20
    for kind, path in named:
        schema = schemas[kind]
        for step in path.split("."):
            schema = schema.get("items", schema)["properties"]
            assert step in schema, f"{kind} {path}"
            schema = schema[step]
