"""`make release`: krew's manifests hold to krew's rules, and what krew installs by them works."""

from __future__ import annotations

import hashlib
import http.server
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from kubectl_sagemaker.sandbox.server import Sandbox
from release.archive import _zip
from release.manifests import unreleased
from release.notes import notes
from release.project import CHECKOUT, PLATFORMS, VERSION, Failure, Platform, here
from tests.e2e.shell import Ran, Shell
from tests.environment import kubectls

pytestmark = pytest.mark.xdist_group("archive")

URL: Final = "https://example.com/releases/download/v0"


def fabricated(path: Path, platform: Platform, *, without: str = "") -> None:
    """An archive of a platform whose programs only say their name."""
    names = ["LICENSE", *(f"kubectl-{plugin}{platform.suffix}" for plugin in ("smlogs", "sagemaker"))]
    content = {name: f"{name} for {platform.os}/{platform.arch}\n".encode() for name in names if name != without}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, data in content.items():
                zipped.writestr(name, data)
        return
    with tarfile.open(path, "w:gz") as packed:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            packed.addfile(entry, io.BytesIO(data))


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """Archives of all platforms, fabricated; one as a download of a build's result has it, in a folder of its own."""
    folder = tmp_path / "archives"
    (folder / "darwin").mkdir(parents=True)
    for platform in PLATFORMS:
        place = folder / "darwin" if platform == Platform("darwin", "arm64") else folder
        fabricated(place / platform.archive(VERSION), platform)
    return folder


def release(*words: str) -> subprocess.CompletedProcess[str]:
    """Run what `make release` runs."""
    command = [sys.executable, "-m", "release.manifests", *words]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)


def checkout(tmp_path: Path) -> Path:
    """A folder to write manifests into."""
    (tmp_path / "checkout").mkdir(exist_ok=True)
    return tmp_path / "checkout"


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(path: Path, url: str) -> dict[str, Any]:
    """Hold a manifest to the rules of krew's internal/index/validation and cmd/validate-krew-manifest; return it."""
    import yaml

    manifest = yaml.safe_load(path.read_text())
    spec = manifest["spec"]
    assert manifest.keys() == {"apiVersion", "kind", "metadata", "spec"}
    assert (manifest["apiVersion"], manifest["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert manifest["metadata"]["name"] == path.stem
    assert re.fullmatch(r"[\w-]+", path.stem)
    assert re.fullmatch(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", spec["version"])
    assert 0 < len(spec["shortDescription"]) <= 50
    assert "\n" not in spec["shortDescription"]
    assert max(map(len, f"{spec['description']}\n{spec['caveats']}".split("\n"))) <= 80
    assert "kubectl sagemaker completion --install" in spec["caveats"]
    selected = [tuple(platform["selector"]["matchLabels"].items()) for platform in spec["platforms"]]
    assert selected == [(("os", platform.os), ("arch", platform.arch)) for platform in PLATFORMS]
    for entry, platform in zip(spec["platforms"], PLATFORMS, strict=True):
        assert entry.keys() == {"selector", "uri", "sha256", "bin"}, "all files, LICENSE among them, are extracted"
        assert re.fullmatch(r"[a-f0-9]{64}", entry["sha256"])
        assert entry["uri"] == f"{url}/{platform.archive(spec['version'])}"
        assert entry["bin"] == f"kubectl-{path.stem}{platform.suffix}"
    return dict(manifest)


def test_the_manifests_hold_to_krews_rules(archives: Path, tmp_path: Path) -> None:
    into = checkout(tmp_path)
    done = release(VERSION, str(archives), f"{URL}/", str(into))
    assert (done.stderr, done.returncode) == ("", 0)
    written = files(into)
    assert written.keys() == {"plugins/smlogs.yaml", "plugins/sagemaker.yaml", "krew-manifest.yaml"}
    assert written["krew-manifest.yaml"] == written["plugins/sagemaker.yaml"]
    assert not any(path.is_symlink() for path in into.rglob("*")), "krew's scan of plugins/ skips links"
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in archives.rglob("kubectl-*")}
    for name in ("smlogs", "sagemaker"):
        manifest = check(into / "plugins" / f"{name}.yaml", URL)
        stated = {entry["uri"].rpartition("/")[2]: entry["sha256"] for entry in manifest["spec"]["platforms"]}
        assert stated == sums
    listed = (archives / "SHA256SUMS").read_text().splitlines()
    assert listed == [f"{sums[platform.archive(VERSION)]}  {platform.archive(VERSION)}" for platform in PLATFORMS]
    assert done.stdout.splitlines() == [
        *(str(into / name) for name in ("plugins/smlogs.yaml", "plugins/sagemaker.yaml", "krew-manifest.yaml")),
        str(archives / "SHA256SUMS"),
    ]


def test_the_checkout_is_an_index_whose_manifests_hold_to_them_too() -> None:
    """Of released versions; before the first there are none, and krew-manifest.yaml names no archive."""
    import yaml

    plugins, own = CHECKOUT / "plugins", CHECKOUT / "krew-manifest.yaml"
    found = {path.stem: path for path in plugins.glob("*.yaml")}
    assert found.keys() in (set(), {"smlogs", "sagemaker"})
    assert not any(path.is_symlink() for path in (own, *plugins.iterdir()))
    for path in found.values():
        first = re.search(r"^    uri: (\S+)/", path.read_text(), re.MULTILINE)
        assert first
        check(path, first[1])
    if found:
        assert own.read_bytes() == found["sagemaker"].read_bytes()
        return
    manifest = yaml.safe_load(own.read_text())
    # All that krew shows is there, and "should have a platform specified" is what it says.
    assert manifest["spec"].pop("platforms") == []
    assert (manifest["metadata"]["name"], manifest["spec"]["version"]) == ("sagemaker", VERSION)
    assert not re.search(r"sha256|uri|https?:", own.read_text())


def test_a_release_takes_the_place_of_what_says_that_there_is_none(archives: Path, tmp_path: Path) -> None:
    into = checkout(tmp_path)
    (into / "krew-manifest.yaml").write_text(unreleased())
    done = release(VERSION, str(archives), URL, str(into))
    assert (done.stderr, done.returncode) == ("", 0)
    assert (into / "krew-manifest.yaml").read_bytes() == (into / "plugins" / "sagemaker.yaml").read_bytes()


def unpack(archive: Path, folder: Path) -> None:
    """As krew does: by what the file begins with; files and folders only, and no name that leads elsewhere."""
    if archive.read_bytes().startswith(b"\x1f\x8b"):
        with tarfile.open(archive) as packed:
            for entry in packed:
                assert entry.isfile() or entry.isdir()
                assert ".." not in entry.name
                assert not entry.name.startswith(("/", "\\"))
                path = folder / entry.name
                if entry.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                content = packed.extractfile(entry)
                assert content
                path.write_bytes(content.read())
                path.chmod(entry.mode)
        return
    with zipfile.ZipFile(archive) as zipped:
        for item in zipped.infolist():
            assert ".." not in item.filename
            path = folder / item.filename
            if item.is_dir():
                path.mkdir(parents=True)
                continue
            # It makes no folder for a file of a zip.
            path.write_bytes(zipped.read(item))
            path.chmod(item.external_attr >> 16 & 0o777)


def install(manifest: Path, archives: Path, root: Path) -> None:
    """As krew does: the platform's archive, by its checksum, unpacked into the store, and a relative link to `bin`."""
    import yaml

    plugin = yaml.safe_load(manifest.read_text())
    wanted = {"os": here().os, "arch": here().arch}
    (entry,) = [each for each in plugin["spec"]["platforms"] if each["selector"]["matchLabels"] == wanted]
    archive = archives / entry["uri"].rpartition("/")[2]
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == entry["sha256"]
    name = plugin["metadata"]["name"]
    store = root / "store" / name / plugin["spec"]["version"]
    store.parent.mkdir(parents=True)
    unpack(archive, root / "staging")
    (root / "staging").rename(store)
    binaries = root / "bin"
    binaries.mkdir(exist_ok=True)
    assert (store / "LICENSE").is_file()
    assert (store / entry["bin"]).is_file()
    (binaries / f"kubectl-{name}").symlink_to(os.path.relpath(store / entry["bin"], binaries))


@pytest.fixture
def released(archive: Path, archives: Path, tmp_path: Path) -> Path:
    """A folder with manifests for the archive that was built, and for others that are fabricated."""
    shutil.copyfile(archive, archives / archive.name)
    done = release(VERSION, str(archives), URL, str(checkout(tmp_path)))
    assert (done.stderr, done.returncode) == ("", 0)
    return checkout(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="links take a privilege there")
def test_what_krew_installs_works_and_completes(
    released: Path, archives: Path, sandbox: Sandbox, tmp_path: Path
) -> None:
    root = tmp_path / "krew"
    for name in ("smlogs", "sagemaker"):
        install(released / "plugins" / f"{name}.yaml", archives, root)
    (tmp_path / "system").mkdir()
    (tmp_path / "system" / "kubectl").symlink_to(next(iter(kubectls().values())))
    path = os.pathsep.join([str(root / "bin"), str(tmp_path / "system")])
    person = Shell({**sandbox.environment, "PATH": path, "HOME": str(tmp_path / "home"), "SHELL": "/bin/bash"})
    assert person.sagemaker("--version") == Ran(f"{VERSION.removeprefix('v')}\n", "", 0)
    assert person.smlogs("mnist", "-q", "-o", "raw", "--tail", "1") == Ran("step 4 of algo-1\n", "", 0)
    # What the caveats name: krew links one program of each plugin, and kubectl asks others at TAB.
    complete = ("kubectl", "__complete", "smlogs", "trainingjob", "xg")
    assert "xgb" not in person.run(*complete).stdout
    ran = person.sagemaker("completion", "--install")
    assert f"installed: {root / 'bin' / 'kubectl_complete-smlogs'}, from " in ran.stdout
    assert person.run(*complete).stdout == "xgb\nxgb-2\n:4\n"
    # An upgrade takes the old version's folder away, and nothing need be done again.
    old = root / "store" / "sagemaker" / VERSION
    old.rename(old.with_name("v9.9.9"))
    link = root / "bin" / "kubectl-sagemaker"
    link.unlink()
    link.symlink_to(os.path.relpath(old.with_name("v9.9.9") / link.name, link.parent))
    assert person.run(*complete).stdout == "xgb\nxgb-2\n:4\n"


KREW: Final = shutil.which("kubectl-krew") or shutil.which("krew")
VALIDATE: Final = shutil.which("validate-krew-manifest")
real_krew = pytest.mark.skipif(KREW is None or sys.platform == "win32", reason="krew is not installed, or needs links")


class Krew:
    """krew itself with a home of its own, an index that is empty, and archives that a server on loopback has."""

    def __init__(self, folder: Path, sandbox: Sandbox, archives: Path) -> None:
        self.root, self.system = folder / "krew", folder / "system"
        self.system.mkdir()
        (self.system / "kubectl").symlink_to(next(iter(kubectls().values())))
        (self.system / "kubectl-krew").symlink_to(KREW or "")
        self.repository = folder / "repository"
        self.repository.mkdir()
        empty = folder / "default"
        self.commit(empty)
        own = {
            "PATH": os.pathsep.join([str(self.root / "bin"), str(self.system), "/usr/bin", "/bin"]),
            "HOME": str(folder / "home"),
            "SHELL": "/bin/bash",
            "KREW_ROOT": str(self.root),
            "KREW_NO_UPGRADE_CHECK": "1",
            "KREW_DEFAULT_INDEX_URI": f"file://{empty}",
        }
        self.person = Shell({**sandbox.environment, **own})
        self.archives = archives
        self.url = ""

    def __enter__(self) -> Krew:
        class Quiet(http.server.SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its own name
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(self.archives)))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def commit(self, repository: Path) -> None:
        """Commit what is in a folder."""
        (repository / "plugins").mkdir(parents=True, exist_ok=True)
        (repository / "plugins" / "README.md").touch()
        identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
        for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
            subprocess.run(["git", "-C", str(repository), *identity, *words], check=True)

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run `kubectl krew`; return all that it wrote."""
        ran = self.person.run("kubectl", "krew", *words)
        assert ran.code == code, ran.stderr
        return ran.stdout + ran.stderr


@pytest.fixture
def krew(archive: Path, archives: Path, sandbox: Sandbox, tmp_path: Path) -> Iterator[Krew]:
    """krew, and a repository that is an index with the archive that was built."""
    # Where a server has them, they lie in one folder.
    for path in list(archives.rglob("kubectl-sagemaker-*")):
        path.rename(archives / path.name)
    shutil.copyfile(archive, archives / archive.name)
    with Krew(tmp_path, sandbox, archives) as made:
        done = release(VERSION, str(archives), made.url, str(made.repository))
        assert (done.stderr, done.returncode) == ("", 0)
        made.commit(made.repository)
        yield made


@real_krew
def test_krew_itself_installs_upgrades_and_uninstalls_from_this_repository(krew: Krew) -> None:
    person, complete = krew.person, ("kubectl", "__complete", "smlogs", "trainingjob", "xg")
    krew("index", "add", "sagemaker", f"file://{krew.repository}")
    shown = krew("search")
    assert re.search(r"^sagemaker/smlogs +Print the logs .* no$", shown, re.MULTILINE)
    assert re.search(r"^sagemaker/sagemaker +Show the state .* no$", shown, re.MULTILINE)
    assert f"VERSION: {VERSION}\n" in krew("info", "sagemaker/smlogs")
    assert "kubectl sagemaker completion --install" in krew("install", "sagemaker/smlogs", "sagemaker/sagemaker")
    assert krew("list").split() == ["sagemaker/sagemaker", "sagemaker/smlogs"]
    assert person.smlogs("mnist", "-q", "-o", "raw", "--tail", "1") == Ran("step 4 of algo-1\n", "", 0)
    assert person.sagemaker("--version") == Ran(f"{VERSION.removeprefix('v')}\n", "", 0)
    ran = person.sagemaker("completion", "--install")
    assert ran.code == 0, ran.stderr
    assert person.run(*complete).stdout == "xgb\nxgb-2\n:4\n"

    for manifest in (krew.repository / "plugins").glob("*.yaml"):
        manifest.write_text(manifest.read_text().replace(f"version: {VERSION}", "version: v99.0.0"))
    krew.commit(krew.repository)
    krew("upgrade")
    assert os.listdir(krew.root / "store" / "sagemaker") == ["v99.0.0"]
    assert person.run(*complete).stdout == "xgb\nxgb-2\n:4\n"
    assert person.sagemaker("completion", "--install").stdout.count("unchanged: ") == 4

    # With something left in its folder and no plugin, krew would refuse all from now on.
    krew("uninstall", "smlogs", "sagemaker")
    assert os.listdir(krew.root / "bin") == []
    assert krew("list").strip() == ""


@real_krew
@pytest.mark.skipif(VALIDATE is None, reason="validate-krew-manifest is not installed")
def test_krews_own_check_of_a_manifest_passes(krew: Krew) -> None:
    """It installs all platforms' archives, and looks for the licence in each."""
    for manifest in sorted((krew.repository / "plugins").glob("*.yaml")):
        ran = krew.person.run(VALIDATE or "", "-manifest", str(manifest))
        assert f"all {len(PLATFORMS)} spec.platforms installed fine" in ran.stderr
        assert ran.code == 0


@real_krew
def test_krew_itself_takes_the_checkout_for_an_index(krew: Krew, tmp_path: Path) -> None:
    """As it is before its first release, too; then nothing can be installed, not even by krew-manifest.yaml."""
    shutil.copytree(CHECKOUT / "plugins", tmp_path / "own" / "plugins")
    krew.commit(tmp_path / "own")
    krew("index", "add", "own", f"file://{tmp_path / 'own'}")
    released = any((CHECKOUT / "plugins").glob("*.yaml"))
    assert krew("search").count("own/") == (2 if released else 0)
    if not released:
        assert 'plugin "own/smlogs" does not exist in the plugin index' in krew("install", "own/smlogs", code=1)
        said = krew("install", f"--manifest={CHECKOUT / 'krew-manifest.yaml'}", code=1)
        assert "should have a platform specified" in said


def test_a_zip_unpacks_as_krew_unpacks_it(tmp_path: Path) -> None:
    """Windows's archive, which can't be built here: its folders come before their files."""
    programs = tmp_path / "programs"
    (programs / "_internal" / "deep").mkdir(parents=True)
    (programs / "_internal" / "deep" / "module.pyc").write_bytes(b"code")
    (programs / "kubectl-smlogs.exe").write_bytes(b"program")
    (programs / "kubectl-smlogs.exe").chmod(0o755)
    packed = [_zip(programs, 0), _zip(programs, 0)]
    assert packed[0] == packed[1]
    (tmp_path / "packed.zip").write_bytes(packed[0])
    (tmp_path / "store").mkdir()
    unpack(tmp_path / "packed.zip", tmp_path / "store")
    assert files(tmp_path / "store") == files(programs)
    assert os.access(tmp_path / "store" / "kubectl-smlogs.exe", os.X_OK)


def same(archives: Path) -> None:
    arm, amd = (archives / Platform("linux", arch).archive(VERSION) for arch in ("arm64", "amd64"))
    shutil.copyfile(amd, arm)


def twice(archives: Path) -> None:
    name = PLATFORMS[0].archive(VERSION)
    (archives / "again").mkdir()
    shutil.copyfile(archives / name, archives / "again" / name)


def garbled(archives: Path) -> None:
    (archives / PLATFORMS[-1].archive(VERSION)).write_bytes(b"<html>not found</html>")


def bare(archives: Path) -> None:
    fabricated(archives / PLATFORMS[0].archive(VERSION), PLATFORMS[0], without="LICENSE")


def nothing(archives: Path) -> None:
    del archives


def missing(archives: Path) -> None:
    for platform in (PLATFORMS[1], PLATFORMS[4]):
        (archives / platform.archive(VERSION)).unlink()


NAMES: Final = [platform.archive(VERSION) for platform in PLATFORMS]


@pytest.mark.parametrize(
    ("spoil", "version", "url", "message"),
    [
        (missing, VERSION, URL, f"ARCHIVES has no {NAMES[1]}, no {NAMES[4]}"),
        (twice, VERSION, URL, f"an archive is there twice: ARCHIVES/again/{NAMES[0]} and ARCHIVES/{NAMES[0]}"),
        (same, VERSION, URL, f"one archive under several names: {NAMES[0]}, {NAMES[1]}"),
        (garbled, VERSION, URL, f"ARCHIVES/{NAMES[4]} can't be unpacked: File is not a zip file"),
        (bare, VERSION, URL, f"ARCHIVES/{NAMES[0]} holds no LICENSE"),
        (nothing, "v99.0.0", URL, f"VERSION is v99.0.0, but pyproject.toml says {VERSION[1:]}"),
        (nothing, "1.0", URL, f"VERSION is '1.0': a release's is v and three numbers, such as {VERSION}"),
        (nothing, VERSION, "dist", "URL is 'dist': it is the http or https address of the archives"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_is_written(
    archives: Path, tmp_path: Path, spoil: Callable[[Path], None], version: str, url: str, message: str
) -> None:
    spoil(archives)
    before = files(tmp_path)
    done = release(version, str(archives), url, str(checkout(tmp_path)))
    assert done.stderr.replace(str(archives), "ARCHIVES").replace(os.sep, "/") == f"error: {message}\n"
    assert (done.stdout, done.returncode, files(tmp_path)) == ("", 1, before)


def test_a_version_is_released_once(archives: Path, tmp_path: Path) -> None:
    into = checkout(tmp_path)
    assert release(VERSION, str(archives), URL, str(into)).returncode == 0
    before = files(tmp_path)
    done = release(VERSION, str(archives), URL, str(into))
    manifest = into / "plugins" / "smlogs.yaml"
    assert done.stderr == f"error: {VERSION} exists already: {manifest} is its manifest\n"
    assert (done.returncode, files(tmp_path)) == (1, before)
    manifest.write_text(manifest.read_text().replace(f"version: {VERSION}", "version: v10.9.0"))
    before = files(tmp_path)
    done = release(VERSION, str(archives), URL, str(into))
    assert done.stderr == f"error: {VERSION} is older than v10.9.0, whose manifest {manifest} is\n"
    assert (done.returncode, files(tmp_path)) == (1, before)


def test_a_releases_notes_are_its_section_of_the_changelog() -> None:
    number = VERSION.removeprefix("v")
    text = f"# Changes\n\n## Unreleased\n\n- next\n\n## {number} - 2026-12-01\n\n- this\n- that\n\n## 0.0.1\n\n- old\n"
    assert notes(VERSION, text) == "- this\n- that\n"
    for empty in ("# Changes\n", f"## {number}\n\n## 0.0.1\n\n- old\n"):
        with pytest.raises(Failure, match=f"CHANGELOG.md says nothing of {VERSION}"):
            notes(VERSION, empty)
