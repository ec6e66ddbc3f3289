"""`gatereeve install`, as somebody without Helm calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gatereeve.api.crd import crds
from gatereeve.cli import app
from gatereeve.core.errors import SettingsError
from gatereeve.runtime.settings import kubeconfig_access
from gatereeve.sources.kube.access import Kubeconfig

runner = CliRunner()


def kinds(*args: str) -> list[str]:
    result = runner.invoke(app, ["install", *args])
    assert result.exit_code == 0, result.output
    return [one["kind"] for one in yaml.safe_load_all(result.output) if one]


def test_definitions_come_first_and_can_be_left_out() -> None:
    number = len(crds())
    found = kinds("manifests", "--image", "x/y:1")
    assert set(found[:number]) == {"CustomResourceDefinition"}
    rest = kinds("manifests", "--image", "x/y:1", "--no-crds")
    assert rest == found[number:]
    assert "CustomResourceDefinition" not in rest
    assert kinds("crds") == ["CustomResourceDefinition"] * number


def test_a_gateway_class_only_where_it_is_asked_for() -> None:
    assert "GatewayClass" not in kinds("manifests", "--image", "x/y:1")
    assert "GatewayClass" in kinds("manifests", "--image", "x/y:1", "--gateway-api")


def test_an_image_must_be_named() -> None:
    result = runner.invoke(app, ["install", "manifests"])
    assert result.exit_code == 2
    assert "--image" in result.output


def test_which_cluster_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("{}")
    named = Kubeconfig(path=file, context="c")
    assert kubeconfig_access(file, "c", {}) == named
    assert kubeconfig_access(None, "c", {"KUBECONFIG": str(file)}) == named
    home = tmp_path / ".kube" / "config"
    home.parent.mkdir()
    home.write_text("{}")
    assert kubeconfig_access(None, None, {"HOME": str(tmp_path)}) == Kubeconfig(path=home)
    with pytest.raises(SettingsError, match="there is no kubeconfig"):
        kubeconfig_access(None, None, {"HOME": str(tmp_path / "nobody")})
