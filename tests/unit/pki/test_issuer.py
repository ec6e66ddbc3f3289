"""Certificates in a store: the leader writes, others read, damage and faults change nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gatereeve.core.errors import PublishError
from gatereeve.pki import certificate_plan, stores
from gatereeve.pki.certificate_plan import Bundle
from gatereeve.pki.issuer import Alone, Issuer
from gatereeve.pki.mounted import MountedCertificates
from gatereeve.pki.stores import DirectoryStore
from gatereeve.runtime.lock_file import LockFile

OWN = (certificate_plan.of_controller(("localhost",)),)


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 27, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()


class Leading:
    def __init__(self, *, leads: bool) -> None:
        self.leads = leads

    def is_leading(self) -> bool:
        return self.leads


class FaultyStore:
    """A store of which each write fails in one of two ways: not done, and done after all."""

    def __init__(self, inner: DirectoryStore) -> None:
        self.inner = inner
        self.fails = ""

    async def load(self) -> Mapping[str, Bundle]:
        return await self.inner.load()

    async def save(self, name: str, bundle: Bundle) -> None:
        if self.fails == "not done":
            raise PublishError("the store is full")
        await self.inner.save(name, bundle)
        if self.fails == "done after all":
            raise PublishError("no answer")

    async def remove(self, name: str) -> None:
        await self.inner.remove(name)


async def test_the_leader_issues_and_the_others_read(tmp_path: Path) -> None:
    clock, store = Clock(), DirectoryStore(tmp_path / "keys")
    leader = Issuer(store, clock=clock, leadership=Alone(), own=OWN)
    other = Issuer(store, clock=clock, leadership=Leading(leads=False), own=OWN)
    await other.step()
    with pytest.raises(RuntimeError, match="no certificate"):
        other.tls()
    leader.want(["public"])
    await leader.step()
    await other.step()
    assert other.tls() == leader.tls()
    assert set(leader.expiries()) == {"authority-a", "controller", "gate-public"}
    await other.wait_ready()


async def test_a_leader_that_is_none_any_more_writes_nothing(tmp_path: Path) -> None:
    clock, store, leading = Clock(), DirectoryStore(tmp_path), Leading(leads=True)
    issuer = Issuer(store, clock=clock, leadership=leading, own=OWN)
    await issuer.step()
    before = await store.load()
    leading.leads = False
    clock.at += timedelta(days=25)
    issuer.want(["public"])
    await issuer.step()
    assert await store.load() == before
    assert issuer.tls().private_key == before["controller"].key


@pytest.mark.parametrize("how", ["not done", "done after all"])
async def test_a_store_that_fails_halfway_is_gone_on_with(tmp_path: Path, how: str) -> None:
    clock, store = Clock(), FaultyStore(DirectoryStore(tmp_path))
    issuer = Issuer(store, clock=clock, leadership=Alone(), own=OWN)
    store.fails = how
    for _ in range(3):
        with pytest.raises(PublishError):
            await issuer.step()
        if how == "not done":
            break
        if set(await store.load()) == {"authority-a", "controller"}:
            break
    store.fails = ""
    await issuer.step()
    assert issuer.tls()
    kept = await store.load()
    store.fails = how
    clock.at += timedelta(days=21)
    with pytest.raises(PublishError):
        await issuer.step()
    assert issuer.tls().private_key == kept["controller"].key  # what we had stays in use
    store.fails = ""
    await issuer.step()
    assert issuer.tls().private_key != kept["controller"].key


async def test_a_damaged_authority_is_never_replaced_by_us(tmp_path: Path) -> None:
    clock, store = Clock(), DirectoryStore(tmp_path)
    issuer = Issuer(store, clock=clock, leadership=Alone(), own=OWN)
    await issuer.step()
    tls = issuer.tls()
    authority = (await store.load())["authority-a"]
    await store.save("authority-a", Bundle(certificate=b"?", key=b"?"))
    with pytest.raises(PublishError, match="damaged"):
        await issuer.step()
    assert issuer.tls() == tls
    await store.save("authority-a", authority)
    await issuer.step()


async def test_a_bundle_is_replaced_as_a_secret_is(tmp_path: Path) -> None:
    place = tmp_path / "gate-public"
    stores.write_bundle(place, Bundle(certificate=b"1", key=b"k1", trust=b"t"))
    first = (place / "..data").resolve()
    stores.write_bundle(place, Bundle(certificate=b"2", key=b"k2", trust=b"t"))
    assert (place / "tls.crt").read_bytes() == b"2"
    assert (place / "tls.key").is_symlink()
    assert not first.exists()
    assert sorted(p.name for p in place.iterdir() if not p.name.startswith("..")) == [
        "ca.crt", "tls.crt", "tls.key"
    ]  # fmt: skip
    for name in ("tls.crt", "tls.key", "ca.crt"):
        assert (place / name).stat().st_mode & 0o777 == 0o600
    assert stores.read_bundle(place).key == b"k2"


async def test_what_is_no_bundle_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "leader").touch()
    assert await DirectoryStore(tmp_path).load() == {}
    assert await DirectoryStore(tmp_path / "nowhere").load() == {}


async def test_mounted_certificates_stay_in_use_while_they_cannot_be_read(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path / "keys")
    issuer = Issuer(store, clock=Clock(), leadership=Alone(), own=OWN)
    await issuer.step()
    directory = tmp_path / "keys" / "controller"
    mounted = MountedCertificates(directory)
    assert mounted.tls() == issuer.tls()
    directory.rename(tmp_path / "away")
    assert mounted.tls() == issuer.tls()
    stores.write_bundle(directory, Bundle(certificate=b"?", key=b"?", trust=b"?"))
    assert mounted.tls() == issuer.tls()
    assert set(mounted.expiries()) == {"controller"}


def test_one_holds_the_lock(tmp_path: Path) -> None:
    first, second = LockFile(tmp_path / "leader"), LockFile(tmp_path / "leader")
    assert first.is_leading()
    assert not second.is_leading()
    assert first.is_leading()
    first.close()
    assert second.is_leading()
    assert not LockFile(tmp_path / "no" / "leader").is_leading()
    second.close()
    assert os.path.exists(tmp_path / "leader")  # noqa: PTH110
