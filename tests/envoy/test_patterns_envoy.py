"""What the compiler accepts as a pattern, Envoy's RE2 compiles, and is no larger than counted."""

from __future__ import annotations

import asyncio
import pathlib
import random
import re
import string

import pytest

from gatereeve.compile.routes import patterns
from gatereeve.proxy import bootstrap
from gatereeve.proxy.envoy import virtual_hosts
from tests.envoy import judged

pytestmark = pytest.mark.envoy

ODD = "acegikmoqsuwyACEGIKMOQSUWY02468"
AT_THE_LIMIT = (
    "/x/(a{100}){10}",
    "/x/((a{10}){10}){10}",
    "(((a*)*)*)*",
    "(?:(?:a|b*)*|(?:c?d)*)*",
    "((|a)*|()){5}",
    "(|a){2,}",
    "a{0}b{0,0}",
    "(a{0}){5}",
    f"[^{ODD}]{{50}}",
    f"[{ODD}]{{60}}",
    "[\\d\\D\\w\\W]{100}",
    "(\\W|\\D){90}",
    ".{100}.{100}.{100}",
    "(.*a){30}",
    "(a{0,100}){10}",
    "(ab|ac|ad|bc|bd){50}",
    "a" * patterns.MAX_PATTERN,
    "[" + re.escape("./-+*?()[]{}|^$:=@!&,~%") + "]+",
    "(" * 7 + "a" + ")" * 7,
)
BEYOND_RE2 = (
    "/x/(a{100}){11}",
    "/x/((a{11}){10}){10}",
    "(?:(?:a{40}){5,}){10}",
    "(a{100}b{100}c(d{20}){40}){2}",
)


def generated(seed: int, count: int) -> list[str]:
    """Patterns of the accepted grammar with repetitions; most are near or beyond the limits."""
    rng = random.Random(seed)

    def atom(depth: int) -> str:
        kind = rng.randrange(7 if depth < 5 else 5)
        if kind == 0:
            return "."
        if kind == 1:
            return rng.choice(("\\d", "\\D", "\\w", "\\W", "\\.", "\\-"))
        if kind == 2:
            members = "".join(rng.sample(string.ascii_letters + string.digits, rng.randint(1, 40)))
            last = rng.choice(("", "\\W", "A-Z", "-"))
            return f"[{rng.choice(('', '^'))}{members}{last}]"
        if kind in (3, 4):
            return rng.choice("abc/_")
        return "(" + rng.choice(("", "?:")) + alternatives(depth + 1) + ")"

    def repeated(depth: int) -> str:
        low = rng.randint(0, 12)
        high = rng.randint(low, rng.choice((12, 40, 100)))
        tail = rng.choice(
            ("", "", "*", "+", "?", f"{{{high}}}", f"{{{low},}}", f"{{{low},{high}}}")
        )
        return atom(depth) + tail

    def alternatives(depth: int) -> str:
        return "|".join(
            "".join(repeated(depth) for _ in range(rng.randint(0 if depth else 1, 3)))
            for _ in range(rng.randint(1, 3))
        )

    return [alternatives(0) for _ in range(count)]


def accepts(text: str) -> bool:
    try:
        patterns.bounded_pattern(text)
    except patterns.PatternError:
        return False
    return True


def test_what_is_accepted_has_a_program_no_larger_than_counted(tmp_path: pathlib.Path) -> None:
    kept = [one for one in generated(1, 6000) if accepts(one)]
    assert len(kept) > 1000
    kept += AT_THE_LIMIT
    kept = [patterns.bounded_pattern(one) for one in kept]
    kept = list(dict.fromkeys(kept))
    sizes = asyncio.run(judged.program_sizes(kept, tmp_path))
    larger = [
        (one, size, patterns.program_size(one))
        for one, size in zip(kept, sizes, strict=True)
        if size > patterns.program_size(one)
    ]
    assert not larger
    assert max(sizes) > patterns.MAX_PROGRAM // 4, "nothing came near the limit"


@pytest.mark.parametrize("text", BEYOND_RE2)
def test_what_envoy_rejects_is_refused(text: str, tmp_path: pathlib.Path) -> None:
    assert not asyncio.run(judged.is_accepted(text, tmp_path))
    with pytest.raises(patterns.PatternError):
        patterns.bounded_pattern(text)


def test_our_own_largest_pattern_is_accepted_too(tmp_path: pathlib.Path) -> None:
    """That of the other hosts beneath a wildcard is the longest that builders write."""
    label = "a" * 60
    host = f"*.{label}.{label}.{label}.{label}.example"
    many = (
        "(?i)(?:" + "|".join([virtual_hosts._host_pattern(host)] * virtual_hosts.NEIGHBOURS) + ")"
    )
    (size,) = asyncio.run(judged.program_sizes([many], tmp_path))
    made = bootstrap.build(
        bootstrap.BootstrapSettings(
            gate="g", replica="1", xds=bootstrap.Upstream(socket=tmp_path), admin=tmp_path
        )
    )
    level = made.layered_runtime.layers[0].static_layer["re2.max_program_size.error_level"]
    assert max(size, patterns.MAX_PROGRAM) < level
