"""Image archives: the same content is the same bytes, and the names inside are what pods ask for."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

from tests.cluster import archives


def folder_of(place: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def test_the_same_content_is_the_same_bytes_whenever_and_in_whatever_order(tmp_path: Path) -> None:
    one = folder_of(tmp_path / "one", {"b/c": "1", "a": "2"})
    two = folder_of(tmp_path / "two", {"a": "2", "b/c": "1"})
    os.utime(two / "a", (1, 1))

    for place in (one, two):
        archives.pack_folder(tmp_path / f"{place.name}.tar", place)

    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_hard_links_modes_and_links_survive(tmp_path: Path) -> None:
    made = folder_of(tmp_path / "root", {"a": "program"})
    (made / "a").chmod(0o750)
    os.link(made / "a", made / "b")
    (made / "c").symlink_to("a")

    archives.pack_folder(tmp_path / "layer.tar", made)

    with tarfile.open(tmp_path / "layer.tar") as tar:
        entries = {entry.name: entry for entry in tar}
        content = tar.extractfile("b")
        assert content is not None
        assert content.read() == b"program"
    assert entries["b"].isreg()
    assert entries["a"].mode == 0o750
    assert entries["c"].linkname == "a"


def test_an_archive_names_its_image_and_its_layers(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    archives.pack_folder(layer, folder_of(tmp_path / "root", {"a": "1"}))
    whole = tmp_path / "image.tar"

    archives.write(whole, names=["example.test/a:1"], layers=[layer], config={"User": "1:1"})

    with tarfile.open(whole) as tar:
        read = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]  # files only
    (told,) = json.loads(read["manifest.json"])
    assert told["RepoTags"] == ["example.test/a:1"]
    assert [read[name] for name in told["Layers"]] == [layer.read_bytes()]
    assert json.loads(read[told["Config"]])["config"] == {"User": "1:1"}
