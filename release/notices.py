"""The notices of the works that an archive contains beside our own."""

from __future__ import annotations

import importlib
import re
import sys
import sysconfig
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, packages_distributions
from pathlib import Path
from typing import Final

from release.project import VERSION, Failure

LICENCE_FILE: Final = re.compile(r"(licen[cs]e|copying|notice|authors)[^/]*$", re.IGNORECASE)
LIBRARY: Final = re.compile(r"\.(so|dylib|dll)(\.[\d.]+)?$|^Python$")


@dataclass(frozen=True, slots=True)
class Library:
    """A library that comes with Python: who its file is, what its licence wants said, and Python's module on top of it.

    Where it has no file it is part of that module, or of Python: python-build-standalone's links all of them.
    """

    file: re.Pattern[str]
    name: str
    licence: str
    notice: str = ""
    module: str = ""


MIT: Final = """\
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated
documentation files (the "Software"), to deal in the Software without restriction, including without limitation the
rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit
persons to whom the Software is furnished to do so, subject to the following conditions: The above copyright notice and
this permission notice shall be included in all copies or substantial portions of the Software.
THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR
OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE."""
BSD: Final = """\
Redistribution and use in source and binary forms, with or without modification, are permitted provided that the
following conditions are met: 1. Redistributions of source code must retain the above copyright notice, this list of
conditions and the following disclaimer. 2. Redistributions in binary form must reproduce the above copyright notice,
this list of conditions and the following disclaimer in the documentation and/or other materials provided with the
distribution. 3. The name of the author may not be used to endorse or promote products derived from this software
without specific prior written permission.
THIS SOFTWARE IS PROVIDED "AS IS" AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE AUTHOR BE
LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES HOWEVER CAUSED AND ON ANY
THEORY OF LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT ARISING IN ANY WAY OUT OF THE USE OF THIS
SOFTWARE."""


def _library(file: str, name: str, licence: str, notice: str = "", module: str = "") -> Library:
    return Library(re.compile(rf"(lib)?({file})[-._\d]*", re.IGNORECASE), name, licence, notice, module)


LIBRARIES: Final = (
    _library("python", "Python", "PSF-2.0, above"),
    _library(
        "crypto|ssl", "OpenSSL", "Apache-2.0, the text of LICENSE", "Copyright (c) 1998 The OpenSSL Project", "_ssl"
    ),
    _library("z|zlib1?", "zlib", "Zlib", "Copyright (C) 1995 Jean-loup Gailly and Mark Adler", "zlib"),
    _library("bz2", "bzip2", "bzip2-1.0.6", "Copyright (C) 1996 Julian R Seward", "_bz2"),
    _library("lzma", "liblzma", "0BSD", module="_lzma"),
    _library("ffi", "libffi", "MIT", f"Copyright (c) 1996 Anthony Green, Red Hat, Inc and others.\n{MIT}", "_ctypes"),
    _library(
        "expat",
        "Expat",
        "MIT",
        f"Copyright (c) 1998 Thai Open Source Software Center Ltd, Clark Cooper\n{MIT}",
        "pyexpat",
    ),
    _library("mpdec", "libmpdec", "BSD-2-Clause", f"Copyright (c) 2008 Stefan Krah\n{BSD}", "_decimal"),
    _library("uuid", "libuuid", "BSD-3-Clause", f"Copyright (C) 1996 Theodore Ts'o\n{BSD}", "_uuid"),
    _library("sqlite3", "SQLite", "public domain", module="_sqlite3"),
    _library(
        "zstd", "Zstandard", "BSD-3-Clause", f"Copyright (c) Meta Platforms, Inc. and affiliates.\n{BSD}", "_zstd"
    ),
    _library(
        "edit",
        "libedit",
        "BSD-3-Clause",
        f"Copyright (c) 1992, 1993 The Regents of the University of California.\n{BSD}",
        "readline",
    ),
    _library(
        "ncursesw?|panelw?|tinfow?",
        "ncurses",
        "X11",
        f"Copyright 2018 Thomas E. Dickey, 1998-2017 Free Software Foundation, Inc.\n{MIT}",
        "_curses",
    ),
    _library("gcc_s", "GCC's runtime library", "GPL-3.0-or-later WITH GCC-exception-3.1"),
    _library(
        r"vcruntime|msvcp|ucrtbase|api-ms-win-[a-z-]+", "Microsoft's C runtime", "redistributable code of Visual C++"
    ),
)


def notices(internal: Path) -> str:
    """The text for a folder that PyInstaller has filled; raises Failure for a library that nobody has looked up."""
    parts = [f"The archives of kubectl-sagemaker {VERSION} contain these works, under their own licences."]
    version = ".".join(map(str, sys.version_info[:3]))
    parts.append(_part(f"Python {version}", "PSF-2.0", _pythons()))
    parts += [_of(found) for found in _distributions(internal)]
    parts += [_part(library.name, library.licence, library.notice) for library in libraries(internal)]
    return "\n\n".join(parts) + "\n"


def _pythons() -> str:
    """Python's own licence: beside its library, or above it on Windows; where Debian leaves it out, its address."""
    library = Path(sysconfig.get_path("stdlib"))
    texts = [folder / "LICENSE.txt" for folder in (library, library.parent) if (folder / "LICENSE.txt").is_file()]
    return texts[0].read_text(encoding="utf-8") if texts else "https://docs.python.org/3/license.html"


def _part(name: str, licence: str, text: str) -> str:
    return f"{'=' * 80}\n{name} · {licence}\n\n{text.strip()}".rstrip()


def _field(found: Distribution, name: str) -> str:
    return str(found.metadata[name]) if name in found.metadata else ""


def _of(found: Distribution) -> str:
    metadata = found.metadata
    licence = _field(found, "License-Expression") or _field(found, "License")
    classifiers = [text for text in metadata.get_all("Classifier") or [] if text.startswith("License ::")]
    if not licence or "\n" in licence:
        licence = ", ".join(text.rpartition(" :: ")[2] for text in classifiers)
    files = sorted(file for file in found.files or [] if ".dist-info/" in str(file) and LICENCE_FILE.search(str(file)))
    text = "\n\n".join(file.read_text(encoding="utf-8").strip() for file in files)
    if not (licence or text):
        raise Failure(f"{metadata['Name']} does not say its licence")
    return _part(f"{metadata['Name']} {found.version}", licence or "see below", text)


def _distributions(internal: Path) -> list[Distribution]:
    """Whose packages are in the folder, by name; PyInstaller's, whose loader the programs begin with."""
    owners = packages_distributions()
    modules = {path.name.partition(".")[0] for path in internal.iterdir()}
    names = {owner for module in modules - sys.stdlib_module_names for owner in owners.get(module, [])}
    names = {name.lower() for name in names} - {"kubectl-sagemaker"} | {"pyinstaller"}
    return [distribution(name) for name in sorted(names)]


def libraries(internal: Path, built_in: Collection[str] = sys.builtin_module_names) -> Iterator[Library]:
    """Which libraries are in the folder: as files of their own, or as a part of Python or of one of its modules."""
    files = sorted(path.name for path in internal.iterdir() if LIBRARY.search(path.name))
    modules = {path.name.partition(".")[0] for path in internal.rglob("*") if path.suffix in {".so", ".pyd"}}
    modules |= set(built_in)
    if "readline" in modules and "libedit" not in (importlib.import_module("readline").__doc__ or ""):
        raise Failure("this Python has GNU's readline built in, which is under the GPL: build with another")
    found = {library.name: library for library in LIBRARIES if library.module in modules}
    for file in files:
        stem = LIBRARY.sub("", file) or file
        library = next((each for each in LIBRARIES if each.file.fullmatch(stem)), None)
        if library is None:
            raise Failure(f"{file} goes into the archive and release/notices.py does not know its licence")
        found[library.name] = library
    yield from found.values()
