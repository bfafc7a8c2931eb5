"""`make release`: krew's manifests for the archives of a version, and the archives' checksums.

krew has one `bin` a manifest, so two manifests share the archives. It reads `plugins/*.yaml` of a repository that is
added as an index: regular files only. krew-manifest.yaml is plugins/sagemaker.yaml under the name by which others look
for one.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final
from urllib.parse import urlsplit

from release.project import CHECKOUT, PLATFORMS, VERSION, Failure, Platform, version

TEMPLATE: Final = CHECKOUT / "release" / "krew.yaml"
CHECKSUMS: Final = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Plugin:
    """What krew shows of a plugin. Lines of `long` and `caveats` stand in a YAML block."""

    name: str
    short: str
    long: tuple[str, ...]
    caveats: tuple[str, ...]


PLUGINS: Final = (
    Plugin(
        "smlogs",
        "Print the logs of Amazon SageMaker jobs",
        (
            "Finds the SageMaker job behind a custom resource and prints its CloudWatch",
            "log: every line of every instance, once; with -f until the job ends, with its",
            "result as exit code. Both controllers' resources are read: ACK's",
            "(sagemaker.services.k8s.aws) and those of Amazon SageMaker Operators for",
            "Kubernetes (sagemaker.aws.amazon.com).",
        ),
        (
            "It needs AWS credentials that may read CloudWatch Logs.",
            "For TAB, install the plugin sagemaker, too, and run this once (on Windows after",
            "each upgrade):",
            "  kubectl sagemaker completion --install",
        ),
    ),
    Plugin(
        "sagemaker",
        "Show the state of Amazon SageMaker jobs",
        (
            "Shows which SageMaker jobs run, which failed, and why, from a cluster's custom",
            "resources: ACK's (sagemaker.services.k8s.aws) and those of Amazon SageMaker",
            "Operators for Kubernetes (sagemaker.aws.amazon.com).",
        ),
        (
            "For TAB, run this once (on Windows after each upgrade):",
            "  kubectl sagemaker completion --install",
        ),
    ),
)


def release(wanted: str, archives: Path, url: str, into: Path) -> list[Path]:
    """Write the manifests of a version into a checkout and the checksums beside the archives; return what was written.

    Everything is checked before anything is written; raises Failure.
    """
    wanted = version(wanted)
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise Failure(f"URL is {url!r}: it is the http or https address of the archives")
    for plugin in PLUGINS:
        there = _manifest(into, plugin)
        released = _released(there)
        if released == wanted:
            raise Failure(f"{wanted} exists already: {there} is its manifest")
        if _order(released) > _order(wanted):
            # krew would never upgrade to it, and whoever installs would get what is older.
            raise Failure(f"{wanted} is older than {released}, whose manifest {there} is")
    found = _found(wanted, archives)
    sums = {platform: _checked(platform, path) for platform, path in found.items()}
    if doubles := [path.name for platform, path in found.items() if list(sums.values()).count(sums[platform]) > 1]:
        raise Failure(f"one archive under several names: {', '.join(doubles)}")
    texts = {_manifest(into, plugin): _text(plugin, wanted, url, sums) for plugin in PLUGINS}
    texts[into / "krew-manifest.yaml"] = texts[_manifest(into, PLUGINS[1])]
    texts[archives / CHECKSUMS] = "".join(f"{sums[each]}  {each.archive(wanted)}\n" for each in PLATFORMS)
    _write(texts)
    return list(texts)


def _manifest(into: Path, plugin: Plugin) -> Path:
    return into / "plugins" / f"{plugin.name}.yaml"


def _released(manifest: Path) -> str:
    """The version that a manifest is of; empty where there is none."""
    found = re.search(r"^  version: (\S+)$", manifest.read_text(encoding="utf-8"), re.M) if manifest.exists() else None
    return found[1] if found else ""


def _order(release: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", release)]


def _found(wanted: str, archives: Path) -> dict[Platform, Path]:
    """Each platform's archive, in the folder or in one below it, where downloads of a build's results put them."""
    if not archives.is_dir():
        raise Failure(f"ARCHIVES is {str(archives)!r}, which is no folder")
    found, missing = {}, []
    for platform in PLATFORMS:
        paths = sorted(path for path in archives.rglob(platform.archive(wanted)) if path.is_file())
        if len(paths) > 1:
            raise Failure(f"an archive is there twice: {' and '.join(map(str, paths))}")
        if paths:
            found[platform] = paths[0]
        else:
            missing.append(platform.archive(wanted))
    if missing:
        raise Failure(f"{archives} has no {', no '.join(missing)}")
    return found


def _checked(platform: Platform, path: Path) -> str:
    """The SHA-256 of an archive that holds what its manifests name."""
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as zipped:
                names = set(zipped.namelist())
        else:
            with tarfile.open(path) as packed:
                names = set(packed.getnames())
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise Failure(f"{path} can't be unpacked: {error}") from error
    for name in ("LICENSE", *(f"kubectl-{plugin.name}{platform.suffix}" for plugin in PLUGINS)):
        if name not in names:
            raise Failure(f"{path} holds no {name}")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def unreleased() -> str:
    """krew-manifest.yaml until the first release: all that is true by then, and no archive.

    krew refuses a manifest without a platform, so that nothing can be installed by it.
    """
    head, _ = _head(PLUGINS[1], VERSION)
    why = f"# {VERSION} is not released yet, so this names no archive, and krew refuses it: `make release` adds them."
    return f"{why}\n{head}  platforms: []\n"


def _head(plugin: Plugin, wanted: str) -> tuple[str, str]:
    """What a manifest begins with; and the template of one platform."""
    comment, _, template = TEMPLATE.read_text(encoding="utf-8").partition("\n")
    assert comment.startswith("#")  # noqa: S101  # the template's own, which the manifests go without
    head, _, entry = template.partition("  platforms:\n")
    block = "\n    "
    values = {"name": plugin.name, "version": wanted, "short": plugin.short}
    return Template(head).substitute(values, long=block.join(plugin.long), caveats=block.join(plugin.caveats)), entry


def _text(plugin: Plugin, wanted: str, url: str, sums: Mapping[Platform, str]) -> str:
    text, entry = _head(plugin, wanted)
    platforms = "  platforms:\n"
    for platform, digest in sums.items():
        text += platforms + Template(entry).substitute(
            os=platform.os,
            arch=platform.arch,
            uri=f"{url.rstrip('/')}/{platform.archive(wanted)}",
            sha256=digest,
            bin=f"kubectl-{plugin.name}{platform.suffix}",
        )
        platforms = ""
    return text


def _write(texts: Mapping[Path, str]) -> None:
    """Write all of them, or none: each beside its place first."""
    unfinished = {path: path.with_name(f".{path.name}.unfinished") for path in texts}
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished[path].write_text(text, encoding="utf-8", newline="\n")
        for path, written in unfinished.items():
            written.replace(path)
    finally:
        for written in unfinished.values():
            written.unlink(missing_ok=True)


def main() -> int:
    """VERSION, ARCHIVES and URL are the arguments, as `make release` gives them; a checkout may follow."""
    if len(sys.argv) not in {4, 5} or not all(sys.argv):
        sys.stderr.write("usage: make release VERSION=v1.2.3 ARCHIVES=folder URL=https://…\n")
        return 2
    wanted, archives, url, *into = sys.argv[1:]
    try:
        written = release(wanted, Path(archives), url, Path(*into) if into else CHECKOUT)
    except (Failure, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
