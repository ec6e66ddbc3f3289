"""Words that two stages write each for themselves, because neither may import the other."""

from gatereeve.intake import access_log
from gatereeve.proxy.xds import peers


def test_gates_are_named_alike_in_certificates() -> None:
    assert access_log.GATE_URI == peers.GATE_URI
