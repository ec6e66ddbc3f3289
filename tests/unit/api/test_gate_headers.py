"""Headers to which a Gate gives a meaning must be free."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from gatereeve.api.gate import HeaderSource


@pytest.mark.parametrize(
    "name",
    ["Authorization", "host", "x-forwarded-for", "X-Gatereeve-Sni", "x-envoy-peer", "cookie"],
)
def test_a_header_that_means_something_already_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="meaning of its own"):
        HeaderSource.model_validate({"name": name, "from": ["10.0.0.0/8"]})


def test_a_free_header_is_taken() -> None:
    assert HeaderSource.model_validate({"name": "X-Country", "from": ["10.0.0.0/8"]}).name
