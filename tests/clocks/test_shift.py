"""The shifted clock is the one that certificates are judged by, and it changes nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.clocks import shifted
from tests.support import keys

DAY_S = 86_400
READ = """
import datetime, json, time
print(json.dumps({
    "time": time.time(), "datetime": datetime.datetime.now().timestamp(),
    "monotonic": time.monotonic(),
}))
"""
SHAKE = """
import ssl, sys
def end(server):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    if server:
        context.load_cert_chain(sys.argv[1])
    else:
        context.load_verify_locations(sys.argv[2])
    to, from_ = ssl.MemoryBIO(), ssl.MemoryBIO()
    name = None if server else "here.test"
    return context.wrap_bio(to, from_, server_side=server, server_hostname=name), to, from_
(client, to_client, from_client), (server, to_server, from_server) = end(False), end(True)
for _ in range(4):
    for side in (client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLCertVerificationError as wrong:
            sys.exit(wrong.verify_message)
        to_server.write(from_client.read())
        to_client.write(from_server.read())
"""


def python(code: str, *arguments: object, shift: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    given = shifted.environment(shift)
    return subprocess.run(command, env=given, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def _compiler() -> None:
    try:
        shifted.build()
    except shifted.MissingCompilerError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("years", [shifted.AHEAD, shifted.BEHIND])
def test_only_the_wall_clock_moves(years: int) -> None:
    unmoved = time.time() - int(os.environ.get("GATEREEVE_CLOCK_SHIFT", "0"))
    shift = years * shifted.YEAR_S
    read = json.loads(python(READ, shift=shift).stdout)
    for clock in ("time", "datetime"):
        assert 0 <= read[clock] - (unmoved + shift) < DAY_S
    assert abs(read["monotonic"] - time.monotonic()) < DAY_S


@pytest.mark.parametrize(
    ("years", "said"), [(0, ""), (200, "certificate has expired"), (-25, "certificate is not yet")]
)
def test_tls_judges_by_it(years: int, said: str, tmp_path: Path) -> None:
    shift = years * shifted.YEAR_S if years else int(os.environ.get("GATEREEVE_CLOCK_SHIFT", "0"))
    authority = keys.Authority("here")
    pair = authority.issue(dns=("here.test",))
    server, trusted = tmp_path / "server.pem", tmp_path / "authority.pem"
    server.write_text(pair.certificate + pair.key)
    trusted.write_text(authority.certificate)
    done = python(SHAKE, server, trusted, shift=shift)
    assert done.stderr.startswith(said) if said else (done.returncode, done.stderr) == (0, "")
