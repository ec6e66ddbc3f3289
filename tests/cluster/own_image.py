"""Our own image, made without any image registry: the layers that `Containerfile` describes.

1. Debian's Python and what it needs, unpacked from Debian's packages: no shell, no package manager.
2. The locked wheels.
3. Our wheel and its entry point.
Each layer is kept by what it is made of, so an edit of ours only makes the third anew. The same content
gives the same bytes. Needs Debian's apt-get and root; elsewhere `Containerfile` and any builder do.

`python -m tests.cluster.own_image` writes build/image/gatereeve.tar and prints its size and the time.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from tests.cluster import archives, tools

ROOT = Path(__file__).parent.parent.parent
ARCHIVE = ROOT / "build" / "image" / "gatereeve.tar"
NAME = "gatereeve.test/gatereeve:dev"
HOME = "opt/gatereeve"
USER = "65532:65532"

_SUITE = "bookworm"
_PACKAGES = (
    *("base-files", "netbase", "tzdata", "ca-certificates", "libc6", "libssl3", "media-types"),
    *("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"),
    *("libstdc++6", "libgcc-s1"),  # grpc
)
# Comes along with the packages and is of no use without a package manager, a shell or a reader.
_DROPPED = (
    *("dev", "proc", "sys", "run", "tmp", "boot", "media", "mnt", "srv", "home", "root", "var"),
    *("etc/apt", "etc/dpkg", "etc/cron.daily", "etc/ca-certificates", "etc/init.d", "etc/default"),
    *(
        "usr/share/man",
        "usr/share/locale",
        "usr/share/lintian",
        "usr/share/perl5",
        "usr/share/info",
    ),
    *(
        "usr/share/debconf",
        "usr/share/bug",
        "usr/share/bash-completion",
        "usr/share/zoneinfo/right",
    ),
    *(
        "usr/lib/dpkg",
        "usr/lib/apt",
        "usr/lib/x86_64-linux-gnu/gconv",
        "usr/lib/x86_64-linux-gnu/perl",
    ),
    *(
        "usr/lib/x86_64-linux-gnu/perl-base",
        "usr/lib/python3.11/test",
        "usr/lib/python3.11/pydoc_data",
    ),
    *("bin", "sbin", "usr/sbin", "usr/games"),
)
_KEPT_PROGRAMS = ("python3.11",)
_PASSWD = "root:x:0:0:root:/:/nonexistent\nnonroot:x:65532:65532:nonroot:/tmp:/nonexistent\n"
_GROUP = "root:x:0:\nnonroot:x:65532:\n"
_ENVIRONMENT = (
    "PATH=/usr/local/bin:/usr/bin:/bin",
    f"PYTHONPATH=/{HOME}",
    "PYTHONDONTWRITEBYTECODE=1",
    "PYTHONUNBUFFERED=1",
    "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
    "HOME=/tmp",
)


class NoImageError(Exception):
    """The image cannot be made here. Says what is missing."""


def build(archive: Path = ARCHIVE) -> Path:
    """Makes the archive, or leaves it when nothing it is made of changed."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NoImageError(
            "making the image here needs root and Debian's apt-get; use Containerfile"
        )
    base = _layer("base", [__file__], _unpack_debian)
    wheels = _layer("wheels", [__file__, ROOT / "requirements-runtime.lock"], _install_wheels(base))
    ours = _layer("ours", [__file__, *_sources()], _install_ours(base))
    layers = [base, wheels, ours]
    made_of = "\n".join(layer.name for layer in layers)
    note = archive.with_suffix(".layers")
    if not archive.exists() or not note.exists() or note.read_text() != made_of:
        archive.parent.mkdir(parents=True, exist_ok=True)
        archives.write(archive, names=[NAME], layers=layers, config=_config())
        note.write_text(made_of)
    return archive


def _config() -> dict[str, object]:
    return {
        "Entrypoint": ["/usr/local/bin/gatereeve"],
        "Env": list(_ENVIRONMENT),
        "User": USER,
        "WorkingDir": "/",
    }


def _sources() -> list[Path]:
    found = [ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    found += [ROOT / "deploy" / "image" / "gatereeve"]
    source = (ROOT / "src").rglob("*")
    return found + sorted(f for f in source if f.is_file() and "__pycache__" not in f.parts)


def _layer(name: str, parts: Iterable[Path | str], make: Callable[[Path], None]) -> Path:
    """A layer's tar, kept by the content of the files it is made of."""
    found = hashlib.sha256()
    for part in parts:
        content = Path(part).read_bytes()
        found.update(f"{Path(part).relative_to(ROOT)} {len(content)}\0".encode() + content)
    kept = tools.cache() / "image" / f"{name}-{found.hexdigest()[:16]}.tar"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=kept.parent) as work:
            folder, tar = Path(work) / "root", Path(work) / "layer.tar"
            folder.mkdir()
            make(folder)
            archives.pack_folder(tar, folder)
            tar.replace(kept)
        print(f"layer {name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    return kept


def _unpack_debian(folder: Path) -> None:
    if not shutil.which("mmdebstrap"):
        _run("apt-get", "install", "--yes", "--no-install-recommends", "mmdebstrap")
    whole = folder.parent / "whole.tar"
    # "extract" unpacks and runs nothing: what the maintainers' scripts would do is done below.
    _run(
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        f"--include={','.join(_PACKAGES)}",
        _SUITE,
        whole,
    )
    _run("tar", "--extract", f"--file={whole}", f"--directory={folder}", "--exclude=./dev/*")
    for name in _DROPPED:
        shutil.rmtree(folder / name, ignore_errors=True)
    for program in (folder / "usr" / "bin").iterdir():
        if program.name not in _KEPT_PROGRAMS:
            program.unlink()
    _keep_licences(folder / "usr" / "share" / "doc")
    (folder / "usr" / "bin" / "python3").symlink_to("python3.11")
    (folder / "etc" / "passwd").write_text(_PASSWD)
    (folder / "etc" / "group").write_text(_GROUP)
    authorities = sorted((folder / "usr" / "share" / "ca-certificates").rglob("*.crt"))
    bundle = folder / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    bundle.parent.mkdir(parents=True, exist_ok=True)
    bundle.write_text("".join(file.read_text() for file in authorities))
    for name, mode in (
        ("tmp", 0o1777),
        ("proc", 0o555),
        ("sys", 0o555),
        ("dev", 0o755),
        ("run", 0o755),
    ):
        (folder / name).mkdir()
        (folder / name).chmod(mode)


def _keep_licences(documentation: Path) -> None:
    for file in documentation.rglob("*"):
        if file.name != "copyright" and not file.is_dir():
            file.unlink()


def _install_wheels(base: Path) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        lock = ROOT / "requirements-runtime.lock"
        _pip(folder / HOME, "--require-hashes", "--only-binary", ":all:", "-r", lock)
        _compile(base, folder)

    return install


def _install_ours(base: Path) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        wheel = folder.parent / "wheel"
        _run(_uv(), "build", "--quiet", "--wheel", "--out-dir", wheel, ROOT)
        _pip(folder / HOME, "--no-deps", *wheel.glob("*.whl"))
        _compile(base, folder)
        (folder / "usr" / "local" / "bin").mkdir(parents=True)
        entry = folder / "usr" / "local" / "bin" / "gatereeve"
        shutil.copy(ROOT / "deploy" / "image" / "gatereeve", entry)
        entry.chmod(0o755)

    return install


def _pip(target: Path, *words: str | Path) -> None:
    platform = ("--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_36")
    _run(
        _uv(),
        "pip",
        "install",
        "--quiet",
        *platform,
        "--link-mode",
        "copy",
        "--target",
        target,
        *words,
    )
    # Where it was installed from is nobody's business, and differs from machine to machine.
    for note in target.glob("*.dist-info/direct_url.json"):
        note.unlink()
    for note in target.glob("*.dist-info/uv_cache.json"):
        note.unlink()
    # Scripts name the Python that installed them; the image has its own entry point.
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)


def _compile(base: Path, folder: Path) -> None:
    """With the image's own Python, so the bytecode is the one it reads; it may write nothing later."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        _run("tar", "--extract", f"--file={base}", f"--directory={work}")
        shutil.move(folder / "opt", Path(work) / "opt")
        _run(
            *("chroot", work, "/usr/bin/python3.11", "-m", "compileall", "-q"),
            *("--invalidation-mode", "unchecked-hash", f"/{HOME}"),
        )
        shutil.move(Path(work) / "opt", folder / "opt")


def _uv() -> Path:
    return Path(sys.executable).with_name("uv")


def _run(*words: str | Path) -> None:
    command: Sequence[str] = [str(word) for word in words]
    quiet = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive", "SOURCE_DATE_EPOCH": "0"}
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoImageError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")


def main() -> int:
    began = time.monotonic()
    try:
        archive = build()
    except NoImageError as error:
        print(error, file=sys.stderr)
        return 1
    size_mb = archive.stat().st_size / 1e6
    print(f"{archive}: {size_mb:.0f} MB, {time.monotonic() - began:.1f} s, as {NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
