"""`make dist`: the programs of this checkout as one archive, for the platform that this runs on.

Two builds of one commit on one machine are the same byte for byte: hashes are fixed, files are packed in order, with
the commit's time and nobody's name.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from release import glibc
from release.notices import notices
from release.project import CHECKOUT, PROGRAMS, VERSION, Failure, here

SPEC: Final = CHECKOUT / "release" / "programs.spec"
INTERNAL: Final = "_internal"


def build(folder: Path) -> Path:
    """Build the archive of this platform into a folder and return its path; raises Failure, and leaves nothing then."""
    archive = folder / here().archive(VERSION)
    if archive.exists():
        raise Failure(f"{archive} exists already: remove it to build it anew")
    epoch = _epoch()
    with tempfile.TemporaryDirectory(prefix="kubectl-sagemaker-") as work:
        programs = _frozen(Path(work), epoch)
        if at_most := os.environ.get("GLIBC_AT_MOST"):
            glibc.check(programs, at_most)
        shutil.copyfile(CHECKOUT / "LICENSE", programs / "LICENSE")
        (programs / "THIRD_PARTY_NOTICES").write_text(notices(programs / INTERNAL), encoding="utf-8")
        packed = _zip(programs, epoch) if archive.suffix == ".zip" else _tar(programs, epoch)
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(packed)
        unfinished.replace(archive)
    finally:
        unfinished.unlink(missing_ok=True)
    return archive


def _epoch() -> int:
    """The time that the files of the archive have: SOURCE_DATE_EPOCH, or the commit's."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        if not given.isdecimal():
            raise Failure(f"SOURCE_DATE_EPOCH is {given!r}, no number of seconds")
        return int(given)
    try:
        command = ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"]
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        if done.returncode == 0:
            return int(done.stdout)
        said = done.stderr.partition("\n")[0]
    except (OSError, ValueError) as error:
        said = str(error)
    why = f"git does not tell the commit's time ({said})"
    raise Failure(f"{why}: set SOURCE_DATE_EPOCH to the time that the files are to have, in seconds")


def _frozen(work: Path, epoch: int) -> Path:
    """Run PyInstaller, whose cache and whose work are in a folder of this build's own; return its result."""
    own = {"PYTHONHASHSEED": "0", "SOURCE_DATE_EPOCH": str(epoch), "PYINSTALLER_CONFIG_DIR": str(work / "cache")}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
            *("--distpath", str(work / "dist"), "--workpath", str(work / "work"), str(SPEC)),
        ],
        env={**os.environ, **own},
        cwd=work,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    programs = work / "dist" / "programs"
    missing = [name for name in PROGRAMS if not (programs / f"{name}{here().suffix}").is_file()]
    if done.returncode != 0 or missing:
        sys.stderr.write(done.stdout)
        raise Failure(f"PyInstaller made no {', '.join(missing) or 'archive'}: exit code {done.returncode}")
    return programs


def _entries(folder: Path) -> Iterator[tuple[str, bytes | None, int]]:
    """What is in a folder, in order: name in the archive, content (None: a folder), mode; links as what they lead to.

    krew unpacks files and folders and nothing else, and a file of a zip only into a folder that the zip has named.
    """
    for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            yield name, None, 0o755
        else:
            yield name, path.read_bytes(), 0o755 if os.access(path, os.X_OK) else 0o644


def _tar(folder: Path, epoch: int) -> bytes:
    packed = io.BytesIO()
    # mtime=0: gzip's own header would tell when it was packed.
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=9, mtime=0, filename="") as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content, mode in _entries(folder):
            entry = tarfile.TarInfo(name)
            entry.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            entry.size, entry.mode, entry.mtime = len(content or b""), mode, epoch
            archive.addfile(entry, io.BytesIO(content or b""))
    return packed.getvalue()


def _zip(folder: Path, epoch: int) -> bytes:
    packed = io.BytesIO()
    # zip knows no time before 1980.
    moment = time.gmtime(max(epoch, 315_532_800))[:6]
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content, mode in _entries(folder):
            entry = zipfile.ZipInfo(f"{name}/" if content is None else name, moment)
            kind = stat.S_IFDIR if content is None else stat.S_IFREG
            entry.create_system, entry.compress_type, entry.external_attr = 3, zipfile.ZIP_DEFLATED, (kind | mode) << 16
            archive.writestr(entry, content or b"")
    return packed.getvalue()


def main() -> int:
    """Build into the folder that is given, `dist` by default; print the archive's path, size and checksum."""
    try:
        archive = build(Path(sys.argv[1] if len(sys.argv) > 1 else "dist"))
    except (Failure, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    content = archive.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    sys.stdout.write(f"{archive}\n")
    sys.stderr.write(f"{len(content) / 1e6:.1f} MB, sha256 {digest}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
