"""The GLIBC that programs ask for: on a system with an older one they don't start."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from release.project import Failure

ASKED: Final = re.compile(rb"\0GLIBC_(?:(\d+)\.(\d+)(?:\.\d+)?|(ABI_DT_RELR))(?=\0)")
"""A version of a symbol, as ELF files name it. ABI_DT_RELR asks for packed relocations, which 2.36 brought."""
Version = tuple[int, int]


def version(text: str) -> Version:
    """Read `2.28`; raises Failure."""
    words = re.fullmatch(r"(\d+)\.(\d+)", text)
    if not words:
        raise Failure(f"{text!r} is no version of GLIBC, such as 2.28")
    return int(words[1]), int(words[2])


def highest(folder: Path) -> tuple[Version, Path]:
    """The highest version that any program or library below a folder asks for, and which does; raises Failure."""
    found = []
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else b""
        if content.startswith(b"\x7fELF"):
            found += [
                ((2, 36) if relr else (int(major), int(minor)), path) for major, minor, relr in ASKED.findall(content)
            ]
    if not found:
        raise Failure(f"nothing in {folder} asks for GLIBC")
    return max(found, key=lambda each: each[0])


def check(folder: Path, at_most: str) -> Version:
    """Return the highest version that is asked for; raises Failure, with the file, if it is above `at_most`."""
    asked, path = highest(folder)
    if asked > version(at_most):
        name = path.relative_to(folder).as_posix()
        raise Failure(f"{name} asks for GLIBC {asked[0]}.{asked[1]}, and {at_most} is what it may")
    return asked
