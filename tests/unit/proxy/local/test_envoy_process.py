"""Finding a usable Envoy."""

import pathlib

import pytest

from gatereeve.core import errors
from gatereeve.proxy.local import envoy_process


def _program(directory: pathlib.Path, says: str) -> pathlib.Path:
    path = directory / "envoy"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o700)
    return path


async def test_the_wheels_binary_is_found_beside_the_message_package() -> None:
    found = await envoy_process.find_envoy()
    assert found.path.name == "envoy"
    assert tuple(map(int, found.version.split("."))) >= envoy_process.FLOOR


async def test_an_older_envoy_is_refused(tmp_path: pathlib.Path) -> None:
    old = _program(tmp_path, f"{tmp_path}/envoy  version: abc/1.39.6/Clean/RELEASE/BoringSSL")
    with pytest.raises(errors.ProxyMissingError, match=r"1\.39\.6"):
        await envoy_process.find_envoy(old)


async def test_a_program_that_is_no_envoy_is_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.ProxyMissingError, match="does not say"):
        await envoy_process.find_envoy(_program(tmp_path, "hello"))
    with pytest.raises(errors.ProxyMissingError, match="cannot be run"):
        await envoy_process.find_envoy(tmp_path / "missing")
