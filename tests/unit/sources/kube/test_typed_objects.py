"""The bytes that go to the API server, and how its bytes are read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from gatereeve.core import errors, findings, refs
from gatereeve.sources.kube import client as kube
from gatereeve.sources.kube import typed_objects as typed
from gatereeve.sources.kube.events import event_of

AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def written(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()


def test_a_lease_is_written_with_the_metadata_that_was_read() -> None:
    metadata = '"metadata":{"name":"a","resourceVersion":"5","managedFields":[{"f:x":{}}]}'
    spec = '"spec":{"holderIdentity":"me","leaseDurationSeconds":15,"acquireTime":"x","renewTime":"y","leaseTransitions":3}'
    text = f'{{"apiVersion":"coordination.k8s.io/v1","kind":"Lease",{metadata},{spec}}}'
    assert written(kube.decode_as(text.encode(), "get Lease", typed.Lease)) == text


def test_a_lease_without_a_holder_is_free() -> None:
    lease = kube.decode_as(b'{"metadata":{"name":"a"},"spec":{"strategy":"x"}}', "", typed.Lease)
    assert lease.spec == typed.LeaseSpec()
    with pytest.raises(errors.ApiUnavailableError):
        kube.decode_as(b'{"metadata":{},"spec":{"leaseTransitions":"3"}}', "", typed.Lease)


@pytest.mark.parametrize(
    ("namespace", "of_event", "of_subject"),
    [("web", "web", ',"namespace":"web"'), (msgspec.UNSET, "default", "")],
)
def test_an_event(namespace: str | msgspec.UnsetType, of_event: str, of_subject: str) -> None:
    about = typed.ObjectReference(
        api_version="gatereeve.dev/v1alpha1", kind="Model", name="m", uid="u", namespace=namespace
    )
    finding = findings.Finding(
        code=findings.FindingCode("model-unversioned"), message="no version", hint="",
        origin=refs.Origin(refs.Ref("gatereeve.dev", "Model", "web", "m")),
    )  # fmt: skip
    assert written(event_of("n", about, finding, AT, "one")) == (
        '{"apiVersion":"events.k8s.io/v1","kind":"Event",'
        f'"metadata":{{"name":"n","namespace":"{of_event}"}},'
        '"eventTime":"2026-03-04T05:06:07.000000Z","reportingController":"gatereeve.dev/gate",'
        '"reportingInstance":"one","action":"Compile","reason":"ModelUnversioned",'
        '"regarding":{"apiVersion":"gatereeve.dev/v1alpha1","kind":"Model","name":"m","uid":"u"'
        f'{of_subject}}},"note":"no version","type":"Warning"}}'
    )


def test_the_data_of_a_secret_are_bytes_in_base64() -> None:
    text = '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"a","namespace":"b"},"type":"Opaque","data":{"x":"Y2X/"}}'
    secret = kube.decode_as(text.encode(), "get Secret", typed.Secret)
    assert secret.data == {"x": b"ce\xff"}
    assert written(secret) == text


def test_a_micro_time_is_utc_with_six_digits() -> None:
    there = AT.astimezone(timezone(timedelta(hours=2)))
    assert typed.micro_time(there) == "2026-03-04T05:06:07.000000Z"
