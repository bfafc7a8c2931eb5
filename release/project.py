"""What is released: the version, the programs, the platforms, and what their archives are called."""

from __future__ import annotations

import platform
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parents[1]
PROJECT: Final = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSION: Final = f"v{PROJECT['version']}"
"""pyproject.toml's, the one source, as tags and krew write it."""
PROGRAMS: Final = tuple(PROJECT["scripts"])


class Failure(Exception):
    """Something that keeps a release from being built, in a sentence for who builds it."""


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system and an architecture, in Go's words, which are kubectl's and krew's."""

    os: str
    arch: str

    @property
    def suffix(self) -> str:
        """What the programs' names end in."""
        return ".exe" if self.os == "windows" else ""

    def archive(self, version: str) -> str:
        """The name of its archive."""
        return f"kubectl-sagemaker-{version}-{self.os}-{self.arch}.{'zip' if self.os == 'windows' else 'tar.gz'}"


PLATFORMS: Final = (
    Platform("linux", "amd64"),
    Platform("linux", "arm64"),
    Platform("darwin", "amd64"),
    Platform("darwin", "arm64"),
    Platform("windows", "amd64"),
)


def here() -> Platform:
    """The platform that this process runs on; raises Failure if no archive is made for it."""
    machine = platform.machine().lower()
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    found = Platform(platform.system().lower(), arch)
    if found not in PLATFORMS:
        known = ", ".join(f"{each.os}/{each.arch}" for each in PLATFORMS)
        raise Failure(f"no archive is made for {found.os}/{found.arch}, only for {known}")
    return found


def version(text: str) -> str:
    """The version that is to be released, as given; raises Failure unless it is pyproject.toml's."""
    if not re.fullmatch(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", text):
        raise Failure(f"VERSION is {text!r}: a release's is v and three numbers, such as {VERSION}")
    if text != VERSION:
        raise Failure(f"VERSION is {text}, but pyproject.toml says {VERSION.removeprefix('v')}")
    return text
