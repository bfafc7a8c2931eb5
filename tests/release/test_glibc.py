"""What GLIBC programs ask for is found, and more than they may ask for is refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from release import glibc
from release.project import Failure


def write(path: Path, *versions: str, begin: bytes = b"\x7fELF") -> None:
    """A file with a table of strings like an ELF file's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(begin + b"\0libc.so.6\0" + b"".join(f"{each}\0".encode() for each in versions))


@pytest.mark.parametrize(
    ("versions", "highest"),
    [
        (("GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.9"), (2, 17)),
        (("GLIBC_2.2.5",), (2, 2)),
        (("GLIBC_2.4", "GLIBC_ABI_DT_RELR"), (2, 36)),
        (("GLIBC_2.28", "GLIBC_PRIVATE", "GLIBCXX_3.4.29", "NOT_GLIBC_2.99", "GLIBC_2.99x"), (2, 28)),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_the_highest_version_is_found(tmp_path: Path, versions: tuple[str, ...], highest: tuple[int, int]) -> None:
    write(tmp_path / "bin" / "program", *versions)
    assert glibc.highest(tmp_path) == (highest, tmp_path / "bin" / "program")


def test_one_library_that_asks_for_more_is_named(tmp_path: Path) -> None:
    write(tmp_path / "kubectl-smlogs", "GLIBC_2.17")
    write(tmp_path / "_internal" / "libnew.so.1", "GLIBC_2.35")
    write(tmp_path / "_internal" / "notes.txt", "GLIBC_2.99", begin=b"text")
    assert glibc.check(tmp_path, "2.35") == (2, 35)
    with pytest.raises(Failure, match=r"^_internal/libnew.so.1 asks for GLIBC 2.35, and 2.28 is what it may$"):
        glibc.check(tmp_path, "2.28")


def test_that_nothing_asks_is_no_success(tmp_path: Path) -> None:
    write(tmp_path / "notes.txt", "GLIBC_2.17", begin=b"text")
    with pytest.raises(Failure, match=r"^nothing in \S+ asks for GLIBC$"):
        glibc.check(tmp_path, "2.28")
    write(tmp_path / "program", "GLIBC_2.17")
    with pytest.raises(Failure, match=r"^'two' is no version of GLIBC, such as 2.28$"):
        glibc.check(tmp_path, "two")


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("objdump"), reason="it needs Linux and objdump")
def test_a_real_program_asks_for_what_objdump_says(tmp_path: Path) -> None:
    """This Python's own, or the library that it is."""
    for path in (Path(sys.executable).resolve(), *Path(sys.base_prefix, "lib").glob("libpython*.so*")):
        shutil.copyfile(path, tmp_path / path.name)
    tables = [
        subprocess.run(["objdump", "-T", str(path)], capture_output=True, text=True, check=True).stdout
        for path in tmp_path.iterdir()
    ]
    named = {word.strip("()") for table in tables for word in table.split() if "GLIBC_2." in word}
    expected = max(glibc.version(".".join(word.removeprefix("GLIBC_").split(".")[:2])) for word in named)
    assert glibc.highest(tmp_path)[0] == expected
