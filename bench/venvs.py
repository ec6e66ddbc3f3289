"""Virtual environments of what we are measured beside: no dependency of ours, locked, kept in `build/`."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from bench import processes


def install(tools: Path, name: str, lock: Path) -> Path:
    """Return the virtual environment `name`, made anew when its lock changed. Raises BenchError."""
    home = tools / f"{name}-venv"
    stamp = home / ".installed"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text("ascii") == wanted:
        return home
    print(f"  installing {lock.name} into", home, file=sys.stderr)
    processes.check_output("venv", [sys.executable, "-m", "venv", "--clear", home], timeout_s=120)
    # By uv, which made the lock: older pips take `pydantic[email]` in it for another, unpinned package.
    command: list[str | Path] = [
        sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", home / "bin" / "python",
        "--require-hashes", "-r", lock,
    ]  # fmt: skip
    processes.check_output(f"installing {lock.name}", command, timeout_s=600)
    stamp.write_text(wanted, "ascii")
    return home


def version(home: Path, package: str) -> str:
    """Return the installed version of a package."""
    ask = f"import importlib.metadata as m; print(m.version({package!r}))"
    command: list[str | Path] = [home / "bin" / "python", "-c", ask]
    return processes.check_output(package, command, timeout_s=60).strip()
