"""kubectl's flags and kubeconfig: the real API server is asked who arrived, with our flags and with kubectl's."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import re
import shutil
import socket
import socketserver
import struct
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from kubectl_sagemaker import kinds
from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.errors import (
    Conflict,
    Dropped,
    Error,
    Forbidden,
    NotFound,
    Throttled,
    Unauthorized,
    Unavailable,
    Usage,
)
from kubectl_sagemaker.kube import Kube
from tests.servers import ApiServer

pytestmark = pytest.mark.xdist_group("apiserver")

REVIEWS: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
REVIEW: Final = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
FLAGS: Final = {"as_user": "as", "as_groups": "as-group"}
"""Where a field of Connection is not its flag's name."""
GROUPS: Final = next(api for kind in kinds.KINDS for api in kind.apis if api.kind == "ModelPackageGroup")
TRAINING_JOBS: Final = {api.group: api for kind in kinds.KINDS for api in kind.apis if api.kind == "TrainingJob"}

Server = TypeVar("Server", bound=socketserver.BaseServer)


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    folder = os.environ.get("SAGEMAKER_CRDS")
    if not folder:
        pytest.skip("SAGEMAKER_CRDS names no folder with the published CRDs")
    # Without its snapshots a list that is read in pages can expire, as it does on a server that lacks them or is busy.
    with ApiServer("--feature-gates=ListFromCacheSnapshot=false") as server:
        server.install(Path(folder, "ack"))
        for namespace in ("ml", "pages", "expired"):
            server.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        yield server


@pytest.fixture(autouse=True)
def _only_this_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "KUBERNETES_SERVICE_HOST", "POD_NAMESPACE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def kubeconfig(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kubeconfig with a user for every way to prove oneself, KUBECONFIG naming it; `admin` is the current one."""
    certificate, key = server.client_certificate("carol", "people")
    (tmp_path / "token").write_text("tok-viewer\n")
    (tmp_path / "ca.crt").write_bytes(server.ca_file.read_bytes())
    trusted = {"server": server.url, "certificate-authority": "ca.crt"}
    return write(
        tmp_path / "config",
        monkeypatch,
        clusters={
            "c": trusted,
            "closed": {**trusted, "server": "https://127.0.0.1:1"},
            "unverified": {"server": server.url, "insecure-skip-tls-verify": True},
            "named": {**trusted, "tls-server-name": "wrong.example"},
        },
        users={
            "admin": {"token": "tok-admin"},
            "viewer": {"tokenFile": "token"},
            "carol": {"client-certificate": str(certificate), "client-key": str(key)},
            "jane": {"token": "tok-admin", "as": "jane", "as-groups": ["a", "b"], "as-user-extra": {"k": ["1", "2"]}},
            "plugin": {"exec": plugin(tmp_path, "tok-plugin")},
        },
        contexts={
            "c": {"cluster": "c", "user": "admin"},
            "other": {"cluster": "c", "user": "viewer", "namespace": "ml"},
            "closed": {"cluster": "closed", "user": "admin"},
        },
    )


def write(file: Path, monkeypatch: pytest.MonkeyPatch, **parts: Mapping[str, Any]) -> Path:
    """Write a kubeconfig whose first context is the current one, and name it in KUBECONFIG."""
    document: dict[str, Any] = {
        what: [{"name": name, what[:-1]: body} for name, body in entries.items()] for what, entries in parts.items()
    }
    document["current-context"] = next(iter(parts["contexts"]))
    file.write_text(json.dumps(document))
    monkeypatch.setenv("KUBECONFIG", str(file))
    return file


def plugin(folder: Path, *tokens: str, status: Mapping[str, str] | None = None, **fields: object) -> dict[str, Any]:
    """An exec block whose n-th run gives the n-th token (the last again and again), and writes down how it was run."""
    script = folder / "plugin.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import json, os, pathlib
            runs = pathlib.Path({str(folder / "runs")!r})
            before = runs.read_text().splitlines() if runs.exists() else []
            info = json.loads(os.environ["KUBERNETES_EXEC_INFO"])
            line = json.dumps({{"info": info, "cwd": os.getcwd(), "GREETING": os.environ.get("GREETING")}})
            with runs.open("a") as file:
                file.write(line + "\\n")
            tokens = {list(tokens)!r}
            status = {dict(status or {})!r}
            if tokens:
                status["token"] = tokens[min(len(before), len(tokens) - 1)]
            print(json.dumps({{"apiVersion": info["apiVersion"], "kind": "ExecCredential", "status": status}}))
            """
        )
    )
    return {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": sys.executable,
        "args": [str(script)],
        **fields,
    }


def runs(folder: Path) -> list[dict[str, Any]]:
    """How the plugin was run, each time."""
    return [json.loads(line) for line in (folder / "runs").read_text().splitlines()]


def who(**flags: Any) -> dict[str, Any]:
    """Ask the server who arrives with these flags."""
    user: dict[str, Any] = Kube(Connection(**flags)).call("POST", REVIEWS, body=REVIEW)["status"]["userInfo"]
    return user


def kubectl(*arguments: str, **flags: Any) -> str:
    """Run kubectl with the same flags; return its output."""
    program = shutil.which("kubectl", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip("kubectl is not in PATH")
    words = [
        f"--{FLAGS.get(field, field.replace('_', '-'))}={value}"
        for field, values in flags.items()
        for value in (values if isinstance(values, tuple) else (values,))
    ]
    done = subprocess.run(
        [program, *arguments, *words], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def who_by_kubectl(**flags: Any) -> dict[str, Any]:
    """Ask the server who arrives when kubectl is given these flags."""
    user: dict[str, Any] = json.loads(kubectl("auth", "whoami", "--output=json", **flags))["status"]["userInfo"]
    return user


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, "admin"),
        ({"context": "other"}, "viewer"),
        ({"user": "viewer"}, "viewer"),
        ({"user": "carol"}, "carol"),
        ({"user": "plugin"}, "plugin"),
        ({"user": "jane"}, "jane"),
        ({"token": "tok-scientist"}, "scientist"),
        ({"user": "plugin", "token": "tok-scientist"}, "scientist"),
        # The API server looks at a certificate first, and kubectl still shows it.
        ({"user": "carol", "token": "tok-scientist"}, "carol"),
        ({"context": "closed", "cluster": "c"}, "admin"),
        ({"as_user": "system:serviceaccount:ml:default"}, "system:serviceaccount:ml:default"),
        ({"as_user": "jörg"}, "jörg"),
        ({"as_user": "bob", "as_groups": ("a", "b,c")}, "bob"),
        ({"as_user": "bob", "as_uid": "7"}, "bob"),
        ({"as_user": "bob", "as_user_extra": ("example.com/k=1", "example.com/k=2", "other=x=y")}, "bob"),
        ({"user": "jane", "as_user": "bob", "as_groups": ("c",), "as_user_extra": ("l=3",)}, "bob"),
    ],
)
@pytest.mark.usefixtures("kubeconfig")
def test_the_same_user_arrives_as_with_kubectl(flags: dict[str, Any], expected: str) -> None:
    arrived = who(**flags)
    assert arrived["username"] == expected
    assert arrived == who_by_kubectl(**flags)


@pytest.mark.usefixtures("kubeconfig")
def test_each_as_group_is_a_group() -> None:
    assert who(as_user="bob", as_groups=("a", "b,c"))["groups"][:2] == ["a", "b,c"]


@pytest.mark.usefixtures("kubeconfig")
def test_client_certificate_flags_replace_a_plugin_and_are_shown_beside_a_token(
    server: ApiServer, tmp_path: Path
) -> None:
    certificate, key = map(str, server.client_certificate("dora", "people"))
    for user in ("admin", "carol", "plugin"):
        flags = {"user": user, "client_certificate": certificate, "client_key": key}
        assert who(**flags)["username"] == "dora"
        assert who(**flags) == who_by_kubectl(**flags)
    assert not (tmp_path / "runs").exists()


def test_token_replaces_a_token_file_and_a_password(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # kubectl 1.37 goes on with the file's token, and refuses a token beside a password: the flag had no effect.
    (tmp_path / "token").write_text("tok-viewer")
    write(
        tmp_path / "config",
        monkeypatch,
        clusters={"c": {"server": server.url, "certificate-authority": str(server.ca_file)}},
        users={"file": {"tokenFile": "token"}, "password": {"username": "a", "password": "b"}},
        contexts={"c": {"cluster": "c", "user": "file"}},
    )
    assert who(token="tok-scientist")["username"] == "scientist"
    assert who(user="password", token="tok-scientist")["username"] == "scientist"


def test_kubeconfig_flag_goes_before_the_variable(server: ApiServer, kubeconfig: Path, tmp_path: Path) -> None:
    assert os.environ["KUBECONFIG"] == str(kubeconfig)
    flags: dict[str, Any] = {"kubeconfig": str(server.kubeconfig), "context": "viewer"}
    assert who(**flags) == who_by_kubectl(**flags)
    assert Kube(Connection(**flags)).namespace == "ml"


@pytest.mark.usefixtures("kubeconfig")
def test_server_flag_replaces_the_server_and_keeps_the_user(server: ApiServer) -> None:
    with pytest.raises(Unavailable, match=r"cannot reach 127\.0\.0\.1:1: connection refused"):
        who(context="closed")
    with pytest.raises(Unavailable, match=r"cannot reach b\u00fccher\.invalid:6443: "):
        who(context="closed", server="https://b\u00fccher.invalid:6443")
    assert who(context="closed", server=server.url)["username"] == "admin"
    # As in kubectl, the cluster's tls-server-name was meant for its own server.
    assert who(cluster="named", server=server.url) == who_by_kubectl(cluster="named", server=server.url)


def test_flags_alone_are_enough(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    flags = {"server": server.url, "token": "tok-viewer", "certificate_authority": str(server.ca_file)}
    assert who(**flags)["username"] == "viewer"
    assert who(**flags) == who_by_kubectl(**flags)


def test_certificates_are_verified_as_the_flags_say(
    server: ApiServer, kubeconfig: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    authority = str(server.ca_file)
    another = str(server.directory / "client-ca.crt")
    flags: dict[str, Any]
    for flags in (
        {"tls_server_name": "wrong.example"},
        {"cluster": "named"},
        {"certificate_authority": another},
        {"cluster": "unverified", "certificate_authority": another},
        {"cluster": "unverified", "insecure_skip_tls_verify": False},
    ):
        with pytest.raises(Error, match=r"the certificate of 127\.0\.0\.1:\d+ is not valid: ") as raised:
            who(**flags)
        assert not isinstance(raised.value, Unavailable)
    for flags in (
        {"tls_server_name": "kubernetes"},
        {"cluster": "unverified"},
        {"insecure_skip_tls_verify": True},
        {"cluster": "named", "insecure_skip_tls_verify": True},
        {"cluster": "unverified", "certificate_authority": authority},
    ):
        assert who(**flags)["username"] == "admin"
    assert capfd.readouterr() == ("", "")


def test_certificates_and_keys_can_stand_in_the_kubeconfig(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = server.client_certificate("erna", "people")
    certificate_data, key_data, authority_data = (
        base64.b64encode(file.read_bytes()).decode() for file in (certificate, key, server.ca_file)
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    write(
        tmp_path / "config",
        monkeypatch,
        clusters={"c": {"server": server.url, "certificate-authority-data": authority_data}},
        users={"erna": {"client-certificate-data": certificate_data, "client-key-data": key_data}},
        contexts={"c": {"cluster": "c", "user": "erna"}},
    )
    assert who()["username"] == "erna"
    assert who() == who_by_kubectl()
    assert list(temporary.iterdir()) == []


def test_two_files_are_merged_as_kubectl_merges_them(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = {"server": server.url, "certificate-authority": "ca.crt"}
    for name, user, namespace in (("one", "viewer", "first"), ("two", "scientist", "second")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "ca.crt").write_bytes(server.ca_file.read_bytes())
        (folder / "token").write_text(f"tok-{user}")
        write(
            folder / "config",
            monkeypatch,
            clusters={"shared": cluster, name: cluster},
            users={"shared": {"tokenFile": "token"}, name: {"tokenFile": "token"}},
            contexts={
                f"of-{name}": {"cluster": name, "user": name, "namespace": namespace},
                "shared": {"cluster": "shared", "user": "shared", "namespace": namespace},
            },
        )
    files = [str(tmp_path / name / "config") for name in ("missing", "one", "two")]
    for order in (files, files[::-1]):
        monkeypatch.setenv("KUBECONFIG", os.pathsep.join(order))
        each: tuple[dict[str, Any], ...] = ({}, {"context": "shared"}, {"context": "of-one"}, {"context": "of-two"})
        for flags in (*each, {"user": "two"}):
            assert who(**flags) == who_by_kubectl(**flags)
            view = json.loads(kubectl("config", "view", "--minify", "--output=json", **flags))
            assert Kube(Connection(**flags)).namespace == view["contexts"][0]["context"]["namespace"]


def test_namespace_is_the_flag_s_else_the_context_s(kubeconfig: Path) -> None:
    assert Kube(Connection()).namespace == "default"
    assert Kube(Connection(context="other")).namespace == "ml"
    assert Kube(Connection(context="other", namespace="x")).namespace == "x"


class TestPlugin:
    """The kubeconfig's exec plugins."""

    @pytest.fixture
    def use(self, server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        """Make a plugin the current user's."""

        def use(block: Mapping[str, Any], **cluster: object) -> None:
            trusted = {"server": server.url, "certificate-authority": str(server.ca_file), **cluster}
            write(
                tmp_path / "config",
                monkeypatch,
                clusters={"c": trusted},
                users={"u": {"exec": block}},
                contexts={"c": {"cluster": "c", "user": "u"}},
            )

        return use

    @pytest.mark.parametrize("version", ["v1", "v1beta1"])
    def test_is_told_what_kubectl_tells_it(self, use: Any, tmp_path: Path, version: str) -> None:
        extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
        block = plugin(
            tmp_path,
            "tok-plugin",
            apiVersion=f"client.authentication.k8s.io/{version}",
            provideClusterInfo=True,
            env=[{"name": "GREETING", "value": "hello"}],
        )
        use(block, extensions=[extension], **{"tls-server-name": "kubernetes"})
        assert who()["username"] == "plugin"
        who_by_kubectl()
        ours, theirs = runs(tmp_path)
        assert ours == theirs
        assert ours["GREETING"] == "hello"
        assert ours["info"]["spec"]["cluster"]["config"] == {"audience": "x"}

    def test_is_looked_up_beside_the_kubeconfig_when_it_has_a_folder(self, use: Any, tmp_path: Path) -> None:
        block = plugin(tmp_path, "tok-plugin")
        script = tmp_path / "bin" / "own"
        script.parent.mkdir()
        script.write_text(f"#!{sys.executable}\n{(tmp_path / 'plugin.py').read_text()}")
        script.chmod(0o755)
        use({**block, "command": "bin/own", "args": []})
        assert who() == who_by_kubectl()

    def test_that_fails_is_an_error_of_its_own_and_nothing_is_asked_anonymously(self, use: Any, tmp_path: Path) -> None:
        script = "import sys; print('first\\nno \\x1b[31mcredentials', file=sys.stderr); sys.exit(3)"
        block = plugin(tmp_path) | {"args": ["-c", script], "installHint": "install it\nlike this"}
        use(block)
        lines: list[str] = []
        with pytest.raises(Error) as raised:
            Kube(Connection(), debug=lines.append).call("GET", "/version")
        name = Path(sys.executable).name
        assert raised.value.message == (
            f"exec plugin {name} of user 'u' failed with exit code 3: no \\x1b[31mcredentials"
        )
        assert raised.value.hint == "install it like this"
        assert not isinstance(raised.value, Unavailable | Unauthorized | Forbidden)
        assert lines == []

    def test_that_is_not_installed_is_named_with_its_hint(self, use: Any, tmp_path: Path) -> None:
        use(plugin(tmp_path) | {"command": "no-such-plugin", "installHint": "see example.com"})
        with pytest.raises(Error, match="no-such-plugin of user 'u' is not installed") as raised:
            who()
        assert raised.value.hint == "see example.com"

    @pytest.mark.parametrize(
        ("printed", "message"),
        [
            ("secret", "printed no JSON"),
            ('["secret"]', "printed no ExecCredential"),
            (
                '{"kind": "ExecCredential", "apiVersion": "x", "status": {"token": "secret"}}',
                "answered in apiVersion x",
            ),
            ({}, "gave neither a token nor a certificate"),
            ({"clientKeyData": "secret"}, "gave only one of certificate and key"),
            ({"clientKeyData": "secret", "clientCertificateData": "x"}, "are no pair of PEM texts"),
            ({"token": "secret\nX-Forged: yes"}, "has characters that no token has"),
            ({"token": "secret", "expirationTimestamp": "soon"}, "is no RFC 3339 time"),
        ],
    )
    def test_that_prints_something_else_is_an_error_without_what_it_printed(
        self, use: Any, tmp_path: Path, printed: object, message: str
    ) -> None:
        block = plugin(tmp_path)
        answer = {"kind": "ExecCredential", "apiVersion": block["apiVersion"], "status": printed}
        text = printed if isinstance(printed, str) else json.dumps(answer)
        use(block | {"args": ["-c", f"print({text!r})"]})
        with pytest.raises(Error, match=message) as raised:
            who()
        assert "secret" not in raised.value.message

    def test_runs_once_for_many_requests_at_once(self, use: Any, tmp_path: Path) -> None:
        use(plugin(tmp_path, "tok-plugin"))
        kube = Kube(Connection())
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: kube.call("GET", "/version"), range(24)))
        assert len({answer["gitVersion"] for answer in answers}) == 1
        assert len(runs(tmp_path)) == 1

    def test_runs_again_once_its_token_has_expired(self, use: Any, tmp_path: Path) -> None:
        use(plugin(tmp_path, "tok-plugin", status={"expirationTimestamp": "2020-01-01T00:00:00Z"}))
        kube = Kube(Connection())
        kube.call("GET", "/version")
        kube.call("GET", "/version")
        assert len(runs(tmp_path)) == 2

    def test_runs_again_once_when_its_token_is_refused(self, use: Any, tmp_path: Path) -> None:
        use(plugin(tmp_path, "tok-stale", "tok-plugin"))
        kube = Kube(Connection())
        with ThreadPoolExecutor(8) as pool:
            names = list(pool.map(lambda _: kube.call("POST", REVIEWS, body=REVIEW)["status"]["userInfo"], range(8)))
        assert {name["username"] for name in names} == {"plugin"}
        assert len(runs(tmp_path)) == 2

    def test_whose_second_token_is_refused_too_leaves_it_at_that(self, use: Any, tmp_path: Path) -> None:
        use(plugin(tmp_path, "tok-stale"))
        with pytest.raises(
            Unauthorized, match=r"127\.0\.0\.1:\d+ does not accept the credentials of user 'u'"
        ) as raised:
            who()
        assert raised.value.hint == f"see what `{Path(sys.executable).name}` says by itself"
        assert len(runs(tmp_path)) == 2

    def test_can_give_a_client_certificate(self, use: Any, tmp_path: Path, server: ApiServer) -> None:
        certificate, key = server.client_certificate("frida", "people")
        status = {"clientCertificateData": certificate.read_text(), "clientKeyData": key.read_text()}
        use(plugin(tmp_path, status=status))
        assert who()["username"] == "frida"
        assert who() == who_by_kubectl()

    def test_that_needs_a_terminal_is_not_run_without(
        self, use: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        use(plugin(tmp_path, "tok-plugin", interactiveMode="Always"))
        with Path(os.devnull).open() as nothing:
            monkeypatch.setattr("sys.stdin", nothing)
            with pytest.raises(Error, match="needs a terminal, and standard input is none"):
                who()
        assert not (tmp_path / "runs").exists()


def test_a_token_file_is_read_again_when_its_token_is_refused(kubeconfig: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("tok-stale")
    kube = Kube(Connection(user="viewer"))
    with pytest.raises(Unauthorized):
        kube.call("GET", "/version")
    (tmp_path / "token").write_text("tok-scientist")
    assert kube.call("POST", REVIEWS, body=REVIEW)["status"]["userInfo"]["username"] == "scientist"


def test_a_refused_token_is_named_by_its_user_and_not_shown(kubeconfig: Path) -> None:
    lines: list[str] = []
    with pytest.raises(Unauthorized) as raised:
        Kube(Connection(token="tok-nobody"), debug=lines.append).call("GET", "/version")
    assert lines[0].startswith("GET /version 401 ")
    assert "tok-nobody" not in raised.value.message + "".join(lines)


@pytest.mark.usefixtures("kubeconfig")
def test_rights_on_one_kind_of_one_group_are_enough(server: ApiServer) -> None:
    job, legacy = TRAINING_JOBS[kinds.ACK], TRAINING_JOBS[kinds.LEGACY]
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/ml"
    rule = {"apiGroups": [job.group.name], "resources": [job.plural], "verbs": ["get", "list"]}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "scientist"}
    server.request("POST", f"{rbac}/roles", {"metadata": {"name": "reader"}, "rules": [rule]})
    server.request(
        "POST", f"{rbac}/rolebindings", {"metadata": {"name": "reader"}, "roleRef": reference, "subjects": [subject]}
    )
    kube = Kube(Connection(token="tok-scientist"))
    assert job.plural in kube.serves(kinds.ACK)
    assert kube.serves(kinds.LEGACY) == frozenset()
    assert not [plural for plural in kube.serves(kinds.ACK) if "/" in plural]
    # The authorizer in the server learns of the Role by a watch, a moment later.
    assert wait_for(lambda: list(kube.list(job, "ml"))) == []
    with pytest.raises(NotFound, match=r'trainingjobs\.sagemaker\.services\.k8s\.aws "none" not found'):
        kube.get(job, "ml", "none")
    with pytest.raises(Forbidden, match='User "scientist" cannot list resource "trainingjobs"'):
        list(kube.list(job, None))
    # What makes serves() necessary: 403, not 404, for a group that is not installed.
    with pytest.raises(Forbidden):
        kube.get(legacy, "ml", "none")
    with pytest.raises(NotFound, match=r"has no /apis/sagemaker\.aws\.amazon\.com/v1/"):
        Kube(Connection()).get(legacy, "ml", "none")


def wait_for(attempt: Any) -> Any:
    """Repeat what is Forbidden for some seconds at most; return its first result."""
    for _ in range(200):
        with contextlib.suppress(Forbidden):
            return attempt()
        threading.Event().wait(0.05)
    return attempt()


def create(server: ApiServer, namespace: str, count: int) -> None:
    """Create model package groups named g-0000, g-0001, …"""

    def one(number: int) -> None:
        body = {
            "apiVersion": f"{GROUPS.group.name}/{GROUPS.group.version}",
            "kind": GROUPS.kind,
            "metadata": {"name": f"g-{number:04}", "labels": {"even": str(number % 2 == 0)}},
            "spec": {"modelPackageGroupName": f"g-{number:04}"},
        }
        status, answer = server.request("POST", f"{GROUPS.group.path}/namespaces/{namespace}/{GROUPS.plural}", body)
        assert status == 201, answer

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(count)))


def names(objects: Iterator[dict[str, Any]]) -> list[str]:
    return [item["metadata"]["name"] for item in objects]


@pytest.mark.usefixtures("kubeconfig")
def test_a_long_list_is_read_in_pages_each_object_once(server: ApiServer) -> None:
    create(server, "pages", 1200)
    lines: list[str] = []
    kube = Kube(Connection(), debug=lines.append)
    found = list(kube.list(GROUPS, "pages"))
    assert names(iter(found)) == [f"g-{number:04}" for number in range(1200)]
    assert {(item["apiVersion"], item["kind"]) for item in found} == {
        ("sagemaker.services.k8s.aws/v1alpha1", "ModelPackageGroup")
    }
    assert len(lines) == 3
    assert len(names(kube.list(GROUPS, "pages", selector="even=True", limit=100))) == 600
    assert "pages" in {item["metadata"]["namespace"] for item in kube.list(GROUPS, None)}
    assert kube.get(GROUPS, "pages", "g-0007")["spec"] == {"modelPackageGroupName": "g-0007"}


@pytest.mark.usefixtures("kubeconfig")
def test_a_list_that_expires_between_two_pages_goes_on(server: ApiServer) -> None:
    create(server, "expired", 30)
    lines: list[str] = []
    listed = Kube(Connection(), debug=lines.append).list(GROUPS, "expired", limit=10)
    first = [next(listed) for _ in range(10)]
    server.request("DELETE", f"{GROUPS.group.path}/namespaces/expired/{GROUPS.plural}/g-0015")
    server.compact()
    rest = names(listed)
    assert names(iter(first)) + rest == [f"g-{number:04}" for number in range(30) if number != 15]
    assert [line.split()[2] for line in lines] == ["200", "410", "200", "200"]


@pytest.mark.usefixtures("kubeconfig")
def test_a_certificate_is_trusted_by_itself_as_kubectl_trusts_it(server: ApiServer, tmp_path: Path) -> None:
    # Without its issuer: OpenSSL asks for a complete chain unless it is told not to.
    end = "-----END CERTIFICATE-----\n"
    (tmp_path / "leaf.crt").write_text(server.ca_file.read_text().partition(end)[0] + end)
    flags = {"certificate_authority": str(tmp_path / "leaf.crt")}
    assert who(**flags) == who_by_kubectl(**flags)


@pytest.mark.skipif(sys.platform != "linux", reason="it reads Linux's table of connections")
def test_a_connection_that_died_in_silence_is_noticed_as_kubectl_notices_it(server: ApiServer) -> None:
    """The system asks after 30 s without traffic, as client-go has it ask; by itself Linux does so after two hours."""
    kube = Kube(Connection(kubeconfig=str(server.kubeconfig)))
    kube.call("GET", "/version")
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    mine = set(_sockets())
    timers = [row[5] for row in rows if row[9] in mine and row[2].endswith(f":{server.port:04X}")]
    # 02 is the timer of keep-alive; then hundredths of a second to its end.
    assert [timer for timer in timers if timer.startswith("02:") and 2_000 < int(timer[3:], 16) <= 3_000], timers


def _sockets() -> Iterator[str]:
    """The inodes of this process's sockets."""
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            name = os.readlink(entry)
            if name.startswith("socket:["):
                yield name[len("socket:[") : -1]


@pytest.mark.usefixtures("kubeconfig")
def test_annotations_of_a_namespace(server: ApiServer) -> None:
    body = {"metadata": {"name": "annotated", "annotations": {"services.k8s.aws/default-region": "eu-west-1"}}}
    server.request("POST", "/api/v1/namespaces", body)
    kube = Kube(Connection())
    assert kube.annotations("annotated") == {"services.k8s.aws/default-region": "eu-west-1"}
    assert kube.annotations("ml") == {}
    with pytest.raises(NotFound, match='namespaces "nowhere" not found'):
        kube.annotations("nowhere")


# What no API server says of itself: a server of ours that answers, stalls or lies as told.


class Canned(ThreadingHTTPServer):
    """Gives its answers in turn, the last one again and again, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []

    def then(self, status: int, body: object, **headers: str) -> None:
        """Add an answer; a body that is no bytes goes as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, data, {"Content-Length": str(len(data)), **headers}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    server: Canned

    def answer(self) -> None:
        answers, asked = self.server.answers, self.server.asked
        status, body, headers = answers[min(len(asked), len(answers) - 1)]
        asked.append((self.requestline, dict(self.headers)))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_CONNECT = answer  # noqa: N815 - http.server looks them up by these names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's own name
        pass


@contextlib.contextmanager
def canned(status: int, body: object, **headers: str) -> Iterator[Canned]:
    with serving(Canned()) as server:
        server.then(status, body, **headers)
        yield server


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Let a server answer in a thread, until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind", "message"),
    [
        (403, {"kind": "Status", "message": "a\n\x1b[31mb"}, {}, Forbidden, r"^a \\x1b\[31mb$"),
        (403, b"<html>", {"Content-Type": "text/html"}, Forbidden, "status 403 and text/html instead of a JSON object"),
        (404, b"404 page not found", {}, NotFound, r"^127\.0\.0\.1:\d+ has no /x$"),
        (409, {"kind": "Status", "message": "busy"}, {}, Conflict, "^busy$"),
        (429, {"kind": "Status", "message": "later"}, {"Retry-After": "9"}, Throttled, "too many requests .*: later$"),
        (503, {"kind": "Status", "message": "no quorum"}, {"Retry-After": "9"}, Unavailable, "503: no quorum$"),
        (200, b"<html>log in</html>", {"Content-Type": "text/html"}, Unavailable, "and text/html instead of"),
        (200, b"[]", {"Content-Type": "application/json"}, Unavailable, "instead of a JSON object$"),
        (200, b"", {}, Unavailable, "instead of a JSON object$"),
        (302, b"", {"Location": "http://127.0.0.1:1/"}, Unavailable, "with status 302"),
        (200, b"no gzip", {"Content-Encoding": "gzip"}, Unavailable, "answered GET /x with a damaged body$"),
        (200, b"{}", {"Content-Length": "100"}, Unavailable, "the connection to .* failed at GET /x: "),
    ],
)
def test_an_answer_that_is_none_is_an_error_in_one_line(
    status: int, body: object, headers: dict[str, str], kind: type[Error], message: str
) -> None:
    with canned(status, body, **headers) as server, pytest.raises(Error, match=message) as raised:
        Kube(Connection(server=server.url)).call("GET", "/x")
    assert type(raised.value) is kind
    assert len(server.asked) == 1


@pytest.mark.parametrize(("method", "status"), [("GET", 429), ("POST", 429), ("GET", 503)])
def test_what_the_server_puts_off_is_asked_again_when_it_says(method: str, status: int) -> None:
    # As kubectl does; API servers that are short of time answer 429 with Retry-After: 1.
    with canned(status, {"kind": "Status", "message": "later"}, **{"Retry-After": "0"}) as server:
        server.then(200, {"kind": "Thing"})
        assert Kube(Connection(server=server.url)).call(method, "/x") == {"kind": "Thing"}
    assert [line.split()[0] for line, _ in server.asked] == [method, method]


def test_what_is_put_off_again_and_again_is_an_error() -> None:
    with (
        canned(429, {"kind": "Status", "message": "later"}, **{"Retry-After": "0"}) as server,
        pytest.raises(Throttled),
    ):
        Kube(Connection(server=server.url)).call("GET", "/x")
    assert len(server.asked) == 4


def test_a_request_that_changes_something_is_not_repeated_after_5xx() -> None:
    with (
        canned(503, {"kind": "Status", "message": "later"}, **{"Retry-After": "0"}) as server,
        pytest.raises(Unavailable),
    ):
        Kube(Connection(server=server.url)).call("POST", "/x")
    assert len(server.asked) == 1


class Dropper(socketserver.ThreadingTCPServer):
    """Ends its first connections, by a reset and by an end in turn."""

    def __init__(self, drops: int) -> None:
        super().__init__(("127.0.0.1", 0), Dropping)
        self.drops = drops
        self.met = 0


class Dropping(socketserver.BaseRequestHandler):
    server: Dropper

    def handle(self) -> None:
        self.server.met += 1
        if self.server.met > self.server.drops:
            self.request.recv(4096)
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        elif self.server.met % 2:
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self.request.recv(4096)


@pytest.mark.parametrize(("method", "drops", "met"), [("GET", 2, 3), ("GET", 9, 4), ("PATCH", 1, 1), ("PATCH", 2, 1)])
def test_a_dropped_get_is_sent_again_and_nothing_that_changes_something_is(method: str, drops: int, met: int) -> None:
    # As kubectl: load balancers and API servers that restart drop connections, and whoever waits need not know.
    with serving(Dropper(drops)) as server:
        kube = Kube(Connection(server=f"http://127.0.0.1:{server.server_address[1]}"))
        if drops < met:
            assert kube.call(method, "/x") == {}
        else:
            with pytest.raises(Dropped):
                kube.call(method, "/x", body={} if method == "PATCH" else None)
        assert server.met == met


def test_a_tls_handshake_that_breaks_off_is_tried_again() -> None:
    with serving(Dropper(9)) as server:
        kube = Kube(Connection(server=f"https://127.0.0.1:{server.server_address[1]}", insecure_skip_tls_verify=True))
        with pytest.raises(Dropped):
            kube.call("GET", "/x")
        assert server.met == 4


def test_a_name_is_one_part_of_the_path() -> None:
    with canned(200, {}) as server:
        kube = Kube(Connection(server=server.url))
        kube.get(GROUPS, "ml", "a/../b?c=d e")
        for name in ("", ".", ".."):
            with pytest.raises(Usage, match=f"^invalid name '{re.escape(name)}'$"):
                kube.get(GROUPS, "ml", name)
            with pytest.raises(Usage, match=f"^invalid namespace '{re.escape(name)}'$"):
                list(kube.list(GROUPS, name))
    assert [line.split()[1].rpartition("/")[2] for line, _ in server.asked] == ["a%2F..%2Fb%3Fc%3Dd%20e"]


def test_a_list_without_items_is_no_empty_list() -> None:
    with canned(200, {"kind": "List"}) as server, pytest.raises(Unavailable, match="has no items"):
        list(Kube(Connection(server=server.url)).list(GROUPS, "ml"))


def test_a_list_that_expires_without_a_token_is_read_anew_each_object_once() -> None:
    def page(last: int, position: str = "") -> dict[str, Any]:
        items = [{"metadata": {"name": f"g-{number}", "uid": str(number)}} for number in range(last)]
        return {"items": items, "metadata": {"continue": position}}

    with canned(200, page(2, "on")) as server:
        server.then(410, {"kind": "Status", "message": "too old"})
        server.then(200, page(4))
        found = list(Kube(Connection(server=server.url)).list(GROUPS, "ml", limit=2))
    assert names(iter(found)) == ["g-0", "g-1", "g-2", "g-3"]
    # The items of a list may lack what the list itself says.
    assert {(item["apiVersion"], item["kind"]) for item in found} == {
        ("sagemaker.services.k8s.aws/v1alpha1", "ModelPackageGroup")
    }
    assert [line.split()[1].partition("?")[2] for line, _ in server.asked] == ["limit=2", "limit=2&continue=on", ""]


def test_the_server_is_asked_for_gzip_unless_compression_is_disabled() -> None:
    with canned(200, gzip.compress(b'{"a": 1}'), **{"Content-Encoding": "gzip"}) as server:
        assert Kube(Connection(server=server.url)).call("GET", "/x") == {"a": 1}
        Kube(Connection(server=server.url, disable_compression=True)).call("GET", "/x")
    assert [headers["Accept-Encoding"] for _, headers in server.asked] == ["gzip", "identity"]


def test_credentials_are_not_sent_over_plain_http() -> None:
    # kubectl's rule, and so is http for a server without a scheme.
    with canned(200, {}) as server:
        for address in (server.url, server.url.removeprefix("http://")):
            Kube(Connection(server=address, token="tok-admin", as_user="bob")).call("GET", "/x")
    assert [name for _, headers in server.asked for name in headers if name[:4] in {"Auth", "Impe"}] == []


def test_request_timeout_is_one_try_s() -> None:
    with socket.create_server(("127.0.0.1", 0)) as stalled:
        address = f"http://127.0.0.1:{stalled.getsockname()[1]}"
        with pytest.raises(Unavailable, match=r"did not answer GET /x within 0\.2 s$") as raised:
            Kube(Connection(server=address, request_timeout=0.2)).call("GET", "/x")
        assert raised.value.hint == "allow it more time with --request-timeout"
        stalled.setblocking(False)
        stalled.accept()[0].close()
        with pytest.raises(BlockingIOError):  # no second try
            stalled.accept()


class Drip(socketserver.BaseRequestHandler):
    """Answers a byte at a time, for longer than the test waits, and breaks off."""

    def handle(self) -> None:
        self.request.recv(4096)
        with contextlib.suppress(OSError):
            self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
            for _ in range(250):
                self.request.sendall(b" ")
                threading.Event().wait(0.02)


def test_request_timeout_holds_for_an_answer_that_drips() -> None:
    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Drip)) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(Unavailable, match=r"within 0\.3 s$"):
            Kube(Connection(server=address, request_timeout=0.3)).call("GET", "/x")


def test_a_proxy_is_used_with_its_password_and_named_when_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    with canned(502, b"") as proxy:
        address = proxy.url.replace("http://", "http://me:secret@")
        monkeypatch.setenv("HTTPS_PROXY", address)
        with pytest.raises(Unavailable, match=r"the proxy of api\.example failed: tunnel .* 502") as by_environment:
            Kube(Connection(server="https://api.example")).call("GET", "/x")
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        # A proxy of kubectl's own configuration goes before the environment's, NO_PROXY included.
        monkeypatch.setenv("NO_PROXY", "api.example")
        with pytest.raises(Unavailable, match=r"the proxy of api\.example failed") as by_flag:
            Kube(Connection(server="https://api.example", proxy_url=address)).call("GET", "/x")
    assert [line.split()[:2] for line, _ in proxy.asked] == [["CONNECT", "api.example:443"]] * 2
    assert all(headers["proxy-authorization"].startswith("Basic ") for _, headers in proxy.asked)
    assert "secret" not in by_environment.value.message + by_flag.value.message
