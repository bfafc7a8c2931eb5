"""`make dist`: the archive holds what it says, and its programs do all that the checkout's do, without Python."""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kubectl_sagemaker.commands import VERBS
from kubectl_sagemaker.sandbox import certificate
from kubectl_sagemaker.sandbox.server import Sandbox
from release import glibc, notices
from release.project import CHECKOUT, PROGRAMS, VERSION, Failure, here
from tests.e2e.shell import Ran, Shell, kubeconfig_with, search_path
from tests.release.conftest import alone

pytestmark = pytest.mark.xdist_group("archive")
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="it is about tar, links or a shell's script")


@pytest.fixture
def frozen(sandbox: Sandbox, unpacked: Path, tmp_path: Path) -> Shell:
    """A shell that has the archive's programs, by links from another folder, and no Python."""
    return alone(sandbox, unpacked, tmp_path / "bin")


@pytest.fixture
def plain(sandbox: Sandbox) -> Shell:
    """A shell that has the checkout's programs."""
    return Shell({**sandbox.environment, "PATH": search_path(), "SHELL": "/bin/bash"})


def test_one_worker_builds_it_for_all(request: pytest.FixtureRequest) -> None:
    """Nothing fails where groups are not kept, and everything that is built or started once is so in each worker."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("this run has no groups: make test")
    assert request.node.nodeid.endswith("@archive")


@POSIX
def test_it_holds_four_programs_one_folder_and_the_licences(
    archive: Path, record_property: Callable[[str, object], None]
) -> None:
    assert archive.name == here().archive(VERSION)
    with tarfile.open(archive) as packed:
        entries = packed.getmembers()
    assert {entry.name.partition("/")[0] for entry in entries} == {
        "LICENSE", "THIRD_PARTY_NOTICES", "_internal", *PROGRAMS,
    }  # fmt: skip
    # krew unpacks nothing but files and folders, and nothing whose name has two dots in a row.
    assert {entry.type for entry in entries} == {tarfile.REGTYPE, tarfile.DIRTYPE}
    names = [entry.name for entry in entries]
    assert names == sorted(set(names))
    assert not [name for name in names if ".." in name]
    assert {(entry.uid, entry.gid, entry.uname, entry.mode & ~0o100 & ~0o011) for entry in entries} == {
        (0, 0, "", 0o644)
    }
    assert {entry.name for entry in entries if entry.mode == 0o755} >= set(PROGRAMS)
    size = archive.stat().st_size
    record_property("archive", f"{archive.name}: {size / 1e6:.1f} MB")
    assert size <= 30_000_000


LEFT_OUT = ("kubectl_sagemaker/sandbox", "kubectl_sagemaker/operator", "aiohttp", "prometheus_client", "mypy", "pytest")


def test_the_sandbox_and_the_operator_are_left_out_and_said_so(frozen: Shell, unpacked: Path) -> None:
    names = {path.relative_to(unpacked / "_internal").as_posix() for path in (unpacked / "_internal").rglob("*")}
    assert "kubectl_sagemaker/commands/sandbox.pyc" in names
    assert not [name for name in names if name.startswith(LEFT_OUT)]
    for verb, word, document in (("sandbox", "--", "README.md"), ("operator", "manifest", "docs/operator.md")):
        said = frozen.sagemaker(verb, word)
        assert (said.stdout, said.code) == ("", 1)
        # On Windows kubectl adds what it makes of the exit code.
        assert said.stderr.splitlines()[:2] == [
            f"error: the {verb} is left out of the archives",
            f"hint: a checkout or a pip install has it: see {document}",
        ]


def test_whose_work_it_contains_is_in_its_notices(unpacked: Path) -> None:
    text = (unpacked / "THIRD_PARTY_NOTICES").read_text(encoding="utf-8")
    named = set(re.findall(r"^={80}\n(\S+)", text, re.MULTILINE))
    assert {
        "Python",
        "botocore",
        "click",
        "orjson",
        "PySocks",
        "pyinstaller",
        "OpenSSL",
    } <= named
    assert "Jean-loup Gailly" in text
    assert not list(unpacked.rglob("*readline*")), "a library under the GPL"


def test_a_library_without_a_file_of_its_own_is_noticed_too(tmp_path: Path) -> None:
    """python-build-standalone, of which the Linux archives are made, has all in Python; Windows has some in modules."""
    names = {library.name for library in notices.libraries(tmp_path, ("_ssl", "zlib", "_decimal", "gc"))}
    assert names == {"OpenSSL", "zlib", "libmpdec"}
    for file in ("python313.dll", "VCRUNTIME140_1.dll", "libcrypto-3.dll", "_bz2.pyd", "_lzma.pyd"):
        (tmp_path / file).touch()
    names = {library.name for library in notices.libraries(tmp_path, ())}
    assert names == {"Python", "Microsoft's C runtime", "OpenSSL", "bzip2", "liblzma"}
    (tmp_path / "libunheard.so.1").touch()
    with pytest.raises(Failure, match=r"^libunheard.so.1 goes into the archive and release/notices.py does not know"):
        list(notices.libraries(tmp_path, ()))


@pytest.mark.skipif(sys.platform != "linux", reason="GLIBC is Linux's")
def test_it_asks_for_no_newer_glibc_than_it_may(unpacked: Path, record_property: Callable[[str, object], None]) -> None:
    """GLIBC_AT_MOST says what it may, 2.28 where releases are built; elsewhere it is this machine's own."""
    asked = glibc.check(unpacked, os.environ.get("GLIBC_AT_MOST") or platform.libc_ver()[1])
    shown = f"{asked[0]}.{asked[1]}"
    record_property("archive", f"asks for GLIBC {shown}")
    assert glibc.check(unpacked, shown) == asked
    with pytest.raises(Failure, match=rf"^\S+ asks for GLIBC {shown}, and {asked[0]}\.{asked[1] - 1} is what it may$"):
        glibc.check(unpacked, f"{asked[0]}.{asked[1] - 1}")


LINES = (
    "kubectl smlogs --version",
    "kubectl smlogs --help",
    "kubectl smlogs",
    "kubectl smlogs pods x",
    "kubectl smlogs trainingjob xgb -o long",
    "kubectl smlogs xgb --tail 3 -o json",
    "kubectl smlogs trainingjob hostile -o raw",
    "kubectl smlogs trainingjob long -i 9999 --timezone Europe/Berlin -o long --color always",
    "kubectl smlogs trainingjob xgb-2 -f -o raw",
    "kubectl smlogs trainingjob nothing-of-the-kind",
    "kubectl smlogs trainingjob xgb --profile none",
    "kubectl smlogs trainingjob xgb -q --proxy-url socks5://127.0.0.1:1",
    "kubectl sagemaker --help",
    "kubectl sagemaker logs batchtransformjob batch",
    "kubectl sagemaker status -A -o wide",
    "kubectl sagemaker status -A --all-kinds -o name",
    "kubectl sagemaker status -A --color always",
    "kubectl sagemaker status processingjob -n ml -o json",
    "kubectl sagemaker status trainingjob xgb-2",
    "kubectl sagemaker status trainingjob xgb-2 -o yaml",
    "kubectl sagemaker completion bash",
    "kubectl sagemaker completion zsh",
    "kubectl sagemaker completion fish",
    "kubectl sagemaker sandbox --help",
    "kubectl sagemaker operator --help",
    "kubectl_complete-smlogs trainingjob x",
    "kubectl_complete-sagemaker status trainingjob --con",
)
"""Every command, and each way by which one reaches a library of its own: tables, colours, YAML, zones, profiles."""


def test_the_lines_below_try_every_command() -> None:
    tried = {line.split()[2] for line in LINES if line.startswith("kubectl sagemaker ")}
    assert set(VERBS) <= tried


def timeless(text: str) -> str:
    """Without ages, and without the width that a column has for them: time goes by between two commands."""
    return re.sub(r" +", " ", re.sub(r"\b\d+(d|h|m|s)(\d+[hms])?\b", "AGE", text))


@pytest.mark.parametrize("line", LINES)
def test_its_programs_answer_as_the_checkouts_do(frozen: Shell, plain: Shell, line: str) -> None:
    ours, theirs = (shell.run(*line.split()) for shell in (frozen, plain))
    assert (timeless(ours.stdout), timeless(ours.stderr)) == (timeless(theirs.stdout), timeless(theirs.stderr))
    assert ours.code == theirs.code
    assert "Traceback" not in ours.stderr


@POSIX
def test_nothing_is_written_beside_it(frozen: Shell, unpacked: Path) -> None:
    before = sorted((str(path), path.stat().st_mtime_ns) for path in unpacked.rglob("*"))
    assert frozen.smlogs("trainingjob", "mnist", "-q", "-o", "raw", "--tail", "1") == Ran("step 4 of algo-1\n", "", 0)
    assert sorted((str(path), path.stat().st_mtime_ns) for path in unpacked.rglob("*")) == before


@POSIX
@pytest.mark.parametrize(
    "own",
    [{}, {"LD_LIBRARY_PATH": "/my/lib:/other"}, {"LD_LIBRARY_PATH_ORIG": "/mine"}, {"_PYI_ARCHIVE_FILE": "/other"}],
    ids=str,
)
def test_an_exec_plugin_gets_the_persons_own_environment(
    sandbox: Sandbox, frozen: Shell, tmp_path: Path, own: dict[str, str]
) -> None:
    """What PyInstaller's loader sets would lead other programs to our libraries, or make them take ours for theirs."""
    token = json.loads(Path(sandbox.environment["KUBECONFIG"]).read_text())["users"][0]["user"]["token"]
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": token}}
    script = tmp_path / "plugin"
    script.write_text(f"#!/bin/sh\n/usr/bin/env -0 >'{tmp_path}/environment'\necho '{json.dumps(credential)}'\n")
    script.chmod(0o755)
    plugin = {"apiVersion": credential["apiVersion"], "command": str(script), "interactiveMode": "Never"}
    users = [
        {"name": user["name"], "user": {"exec": plugin}}
        for user in json.loads(Path(sandbox.environment["KUBECONFIG"]).read_text())["users"]
    ]
    kubeconfig = kubeconfig_with(sandbox, tmp_path / "kubeconfig", users=users)
    frozen = frozen.having(KUBECONFIG=kubeconfig, **own)
    ran = frozen.sagemaker("status", "processingjob", "-o", "name")
    assert ran == Ran("processingjob.sagemaker.aws.amazon.com/kmeans\n", "", 0)
    seen = dict(word.split("=", 1) for word in (tmp_path / "environment").read_text().split("\0") if word)
    mine = frozen.environment
    changed = {name for name in seen.keys() | mine.keys() if seen.get(name) != mine.get(name)}
    # kubectl sets its path, the shell that runs the script the rest. What another loader left is nobody's own.
    expected = {"KUBERNETES_EXEC_INFO", "KUBECTL_PATH", "PWD", "OLDPWD", "SHLVL", "_"}
    assert changed - {name for name in own if name.startswith("_PYI_")} <= expected


@contextmanager
def inspected(address: tuple[str, int], folder: Path) -> Iterator[tuple[str, Path]]:
    """A TLS front of an address, as a company's proxy is one, and the file of the authority that it is verified by."""
    made = certificate.make(datetime.now(UTC))
    bundle = folder / "proxy-ca.pem"
    bundle.write_text(made.certificate)
    context = made.context()

    over = threading.Event()

    def serve(listening: socket.socket) -> None:
        while True:
            client, _ = listening.accept()
            if over.is_set():
                client.close()
                return
            threading.Thread(target=forward, args=(client,), daemon=True).start()

    def forward(client: socket.socket) -> None:
        try:
            with context.wrap_socket(client, server_side=True) as near, socket.create_connection(address) as far:
                threading.Thread(target=pump, args=(far, near), daemon=True).start()
                pump(near, far)
        except (OSError, ssl.SSLError):
            pass  # the client does not trust us, or has gone

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side has gone

    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = threading.Thread(target=serve, args=(listening,), daemon=True)
        serving.start()
        yield f"https://127.0.0.1:{listening.getsockname()[1]}", bundle
        # No system but Linux lets who listens be shut down.
        over.set()
        socket.create_connection(listening.getsockname()).close()
        serving.join()


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_a_proxys_authority_is_trusted_where_it_is_named(
    sandbox: Sandbox, frozen: Shell, tmp_path: Path, variable: str
) -> None:
    host, _, port = sandbox.environment["AWS_ENDPOINT_URL"].rpartition("//")[2].partition(":")
    with inspected((host, int(port)), tmp_path) as (url, bundle):
        asked = ("trainingjob", "mnist", "-o", "raw", "--tail", "1", "-q")
        ran = frozen.having(AWS_ENDPOINT_URL=url, **{variable: str(bundle)}).smlogs(*asked)
        assert ran == Ran("step 4 of algo-1\n", "", 0)
        ran = frozen.having(AWS_ENDPOINT_URL=url).smlogs(*asked)
    assert (ran.stdout, ran.code) == ("", 1)
    assert "set AWS_CA_BUNDLE to its CA's file" in ran.stderr


@POSIX
def test_completion_installs_from_it(frozen: Shell, unpacked: Path, tmp_path: Path) -> None:
    """Called by its bare name, which is all that a program that is no script gets."""
    folder = Path(frozen.environment["PATH"])
    for program in folder.glob("kubectl_complete-*"):
        program.unlink()
    person = frozen.having(HOME=str(tmp_path / "home"))
    assert "xgb" not in person.run("kubectl", "__complete", "smlogs", "trainingjob", "xg").stdout
    command = [str(folder / "kubectl-sagemaker"), "completion", "--install"]
    said = []
    for _ in range(2):
        done = subprocess.run(
            ["kubectl-sagemaker", *command[1:]],
            executable=command[0],
            env=person.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout.splitlines()[-2:])
    names = ["kubectl_complete-smlogs", "kubectl_complete-sagemaker"]
    assert said[0] == [f"installed: {folder / name}, from {command[0]}" for name in names]
    assert said[1] == [f"unchanged: {folder / name}" for name in names]
    assert person.run("kubectl", "__complete", "smlogs", "trainingjob", "xg").stdout == "xgb\nxgb-2\n:4\n"


def make_archive(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run what `make dist` runs."""
    return subprocess.run(
        [sys.executable, "-m", "release.archive", str(folder)],
        cwd=CHECKOUT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_archive_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    there = tmp_path / here().archive(VERSION)
    there.write_text("mine")
    done = make_archive(tmp_path)
    assert done.stderr == f"error: {there} exists already: remove it to build it anew\n"
    assert (done.stdout, done.returncode, there.read_text()) == ("", 1, "mine")


def test_a_build_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    done = make_archive(tmp_path / "dist", SOURCE_DATE_EPOCH="yesterday")
    assert done.stderr == "error: SOURCE_DATE_EPOCH is 'yesterday', no number of seconds\n"
    assert (done.stdout, done.returncode, list(tmp_path.iterdir())) == ("", 1, [])
    # Git's own words: it has more than one reason, such as a checkout that belongs to another user.
    done = make_archive(tmp_path / "dist", GIT_DIR=str(tmp_path / "nowhere"))
    assert done.stderr.startswith("error: git does not tell the commit's time (fatal: not a git repository: ")
    assert done.stderr.endswith("): set SOURCE_DATE_EPOCH to the time that the files are to have, in seconds\n")
    assert (done.stdout, done.returncode, list(tmp_path.iterdir())) == ("", 1, [])


@pytest.mark.skipif("REPRODUCIBLE" not in os.environ, reason="a second build takes half a minute: make dist-test")
def test_a_second_build_is_the_same_byte_for_byte(archive: Path, tmp_path: Path) -> None:
    done = make_archive(tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).read_bytes() == archive.read_bytes()
