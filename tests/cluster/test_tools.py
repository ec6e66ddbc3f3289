"""Programs that are handed in, programs that cannot be had, and the folders that their content names."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.cluster import tools


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Nothing built, nothing handed in, no Go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    for program in tools.ENVTEST:
        monkeypatch.delenv(f"TEST_ASSET_{program.upper().replace('-', '_')}", raising=False)
    return tmp_path


def program(place: Path) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    return place


def test_a_folder_of_assets_is_taken_as_it_is(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(bare / "assets"))
    etcd = program(bare / "assets" / "etcd")

    assert tools.path("etcd") == etcd
    assert "kubectl" in (tools.missing(*tools.ENVTEST) or "")


def test_one_asset_goes_before_the_folder(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(bare / "assets"))
    program(bare / "assets" / "kube-apiserver")
    monkeypatch.setenv("TEST_ASSET_KUBE_APISERVER", str(program(bare / "mine")))

    assert tools.path("kube-apiserver") == bare / "mine"


def test_a_named_asset_that_is_no_program_is_said(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_ASSET_ETCD", str(bare / "nothing"))

    with pytest.raises(tools.MissingToolError, match="named by the environment"):
        tools.path("etcd")


def test_without_go_it_is_said_what_is_missing(bare: Path) -> None:
    assert bare.exists()

    with pytest.raises(tools.MissingToolError, match=r"no etcd here.*install Go"):
        tools.path("etcd")


def test_another_flag_is_another_folder() -> None:
    other = dataclasses.replace(tools.KUBERNETES, ldflags=("-s",))

    assert other.built != tools.KUBERNETES.built
    assert other.built.parent == tools.KUBERNETES.built.parent
