"""Data out of a Debian package: installed already, or downloaded with apt and unpacked into the cache without root."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .catalog import Package, PinnedFile
from .pool import DataError, Examples, checked

TIMEOUT = 900
"""Seconds that one command of apt may take."""


def load(package: Package, cache: Path) -> Examples:
    """Read the data of ``package``, after downloading it if need be.

    Raises:
        DataError: it is not there and cannot be downloaded, or its content is not the pinned one.
    """
    folder = find(package, cache) or download(package, cache)
    parts = [(read_idx(folder / images.name), read_idx(folder / labels.name)) for images, labels in package.splits]
    return checked(parts, package.version, package.name)


def unpacked(package: Package, cache: Path) -> Path:
    """The folder in the cache that a download is unpacked to."""
    return cache / "packages" / f"{package.name}_{package.version}"


def find(package: Package, cache: Path) -> Path | None:
    """The folder that already has the package's files with the pinned content: the installed one, or the cache's."""
    for folder in (Path(package.folder), unpacked(package, cache)):
        if all(_intact(folder / file.name, file) for file in package.files):
            return folder
    return None


def download(package: Package, cache: Path) -> Path:
    """Download and unpack the pinned build, and return the folder with its files.

    First with the machine's own package lists; where they are missing or out of date (a fresh container) with
    private ones, which need no root. apt checks the archive's signature in both cases.

    Raises:
        DataError: there is no apt, it fails, or the content is not the pinned one.
    """
    home = unpacked(package, cache)
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=".download-") as name:
            work = Path(name)
            deb = apt_download(package.name, package.version, work)
            if _sha256(deb) != package.deb_sha256:
                raise DataError(
                    f"{deb.name} has the sha256 {_sha256(deb)}, expected {package.deb_sha256}: apt's archive has "
                    "another build of this version. It was not unpacked."
                )
            run_tool(["dpkg-deb", "-x", str(deb), str(work / "root")], work)
            files = work / "root" / package.folder.lstrip("/")
            for file in package.files:
                if not _intact(files / file.name, file):
                    raise DataError(f"{deb.name}: {file.name} is missing or has another sha256 than {file.sha256}.")
            shutil.rmtree(home, ignore_errors=True)
            try:
                files.rename(home)
            except OSError:
                if find(package, cache) is None:  # else another process was faster
                    raise
    except OSError as error:
        raise DataError(f"cannot unpack {package.name} into the cache: {error}") from error
    return home


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read a gzipped idx file of unsigned bytes (format: LeCun, Cortes and Burges, the MNIST database).

    Raises:
        DataError: it is not one.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is not a readable gzip file: {error}") from error
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        raise DataError(f"{path} is not an idx file of unsigned bytes: it begins with {content[:4]!r}.")
    start = 4 + 4 * content[3]
    shape = np.frombuffer(content[4:start], dtype=">u4").tolist()
    if len(shape) != content[3] or len(content) - start != int(np.prod(shape, dtype=object)):
        raise DataError(f"{path} is cut short: {len(content) - start} bytes for an array of the shape {shape}.")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def apt_download(name: str, version: str, work: Path) -> Path:
    """Let apt put the package's file into ``work``, and return it.

    Raises:
        DataError: there is no apt, or it fails.
    """
    wanted = f"{name}={version}"
    polite = ["-o", "Acquire::Retries=2", "-o", "Acquire::http::Timeout=60", "-o", "Acquire::https::Timeout=60"]
    try:
        run_tool(["apt-get", *polite, "download", wanted], work)
    except DataError as with_system_lists:
        for folder in ("lists", "archives"):
            (work / folder / "partial").mkdir(parents=True)
        private = [*polite, "-o", f"Dir::State::Lists={work / 'lists'}", "-o", f"Dir::Cache={work}"]
        # Run by root, apt would drop to a user who cannot write here.
        private += ["-o", "APT::Sandbox::User=root", "-o", "Acquire::Languages=none"]
        reasons = [str(with_system_lists)]
        # One unreachable source among several fails the update, while the one that matters may have come.
        for command in (["update"], ["download", wanted]):
            try:
                run_tool(["apt-get", *private, *command], work)
            except DataError as error:
                reasons.append(f"with private package lists: {error}")
        if not list(work.glob("*.deb")):
            raise DataError("; ".join(reasons)) from with_system_lists
    debs = list(work.glob("*.deb"))
    if len(debs) != 1:
        raise DataError(f"apt-get download {wanted} gave {len(debs)} files where one was expected.")
    return debs[0]


def run_tool(command: list[str], folder: Path) -> None:
    """Run a package tool in ``folder``.

    Raises:
        DataError: it does not exist, fails or hangs.
    """
    program = shutil.which(command[0])
    if program is None:
        hint = "" if command[0] == "npm" else " (it is part of Debian and Ubuntu)"
        raise DataError(f"{command[0]} does not exist on this machine{hint}")
    shown = " ".join([command[0], *(word for word in command[1:] if word != "-o" and "::" not in word)])
    try:
        done = subprocess.run(  # noqa: S603
            [program, *command[1:]],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DataError(f"{shown}: no end after {TIMEOUT} seconds") from error
    if done.returncode != 0:
        said = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
        raise DataError(f"{shown}: exit status {done.returncode}: {' '.join(said[-3:]) or 'nothing said'}")


def _intact(path: Path, file: PinnedFile) -> bool:
    return path.is_file() and _sha256(path) == file.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
