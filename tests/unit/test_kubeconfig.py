"""What flags, kubeconfig and environment mean, and what the libraries' errors mean: all that needs no server."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.errors import Error, Unavailable, Usage
from kubectl_sagemaker.kube import Kube
from kubectl_sagemaker.kubeconfig import Access, User, load
from kubectl_sagemaker.transport import _system_authorities, environment_proxy, translate

PEM = "-----BEGIN CERTIFICATE-----\nsecret\n-----END CERTIFICATE-----\n"


@pytest.fixture(autouse=True)
def _only_this_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "KUBERNETES_SERVICE_HOST", "POD_NAMESPACE", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A kubeconfig in its usual place."""
    return write(
        tmp_path / ".kube" / "config",
        """
        current-context: c
        contexts:
        - {name: c, context: {cluster: c, user: u, namespace: team}}
        - {name: bare, context: {cluster: c}}
        - {name: no-cluster, context: {user: u}}
        - {name: lost-cluster, context: {cluster: gone, user: u}}
        - {name: lost-user, context: {cluster: c, user: gone}}
        clusters:
        - {name: c, cluster: {server: https://c.example:6443/}}
        - {name: no-server, cluster: }
        - {name: proxied, cluster: {server: https://c.example, proxy-url: "ftp://me:secret@proxy"}}
        - {name: address, cluster: {server: "https://me:secret@[::1"}}
        - {name: scheme, cluster: {server: "unix://secret/socket"}}
        - {name: both, cluster: {server: https://c, insecure-skip-tls-verify: true, certificate-authority: gone.crt}}
        - {name: no-file, cluster: {server: https://c.example, certificate-authority: gone.crt}}
        - {name: no-base64, cluster: {server: https://c.example, certificate-authority-data: "secret"}}
        - {name: no-pem, cluster: {server: https://c.example, certificate-authority-data: "/w=="}}
        - {name: maybe, cluster: {server: https://c.example, insecure-skip-tls-verify: maybe}}
        users:
        - {name: u, user: {token: tok}}
        - {name: number, user: {token: 123456}}
        - {name: half, user: {client-certificate: ca.crt}}
        - {name: no-key, user: {client-certificate: ca.crt, client-key: gone.key}}
        - {name: two, user: {token: secret, username: a, password: secret}}
        - {name: acting, user: {token: tok, as-groups: [g]}}
        - {name: no-command, user: {exec: {apiVersion: client.authentication.k8s.io/v1}}}
        - {name: alpha, user: {exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}}}
        - {name: mode, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: x, interactiveMode: Often}}}
        - {name: args, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: x, args: [1]}}}
        - {name: env, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: x, env: [x]}}}
        - {name: exec, user: {exec: x}}
        - {name: gcp, user: {auth-provider: {name: gcp, config: {access-token: secret}}}}
        - {name: oidc, user: {auth-provider: {name: oidc, config: {id-token: id}}}}
        """,
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"context": "gone"}, "context 'gone' does not exist in kubeconfig FILE"),
        ({"context": "a\n\x1b[2J"}, "context 'a \\\\x1b[2J' does not exist in kubeconfig FILE"),
        ({"cluster": "gone"}, "cluster 'gone' does not exist in kubeconfig FILE"),
        ({"user": "gone"}, "user 'gone' does not exist in kubeconfig FILE"),
        ({"context": "lost-cluster"}, "cluster 'gone' does not exist in kubeconfig FILE"),
        ({"context": "lost-user"}, "user 'gone' does not exist in kubeconfig FILE"),
        ({"context": "no-cluster"}, "context 'no-cluster' in FILE has no cluster"),
        ({"cluster": "no-server"}, "cluster 'no-server' in FILE has no server"),
        ({"cluster": "proxied"}, "proxy-url begins with ftp://, not with http://, https:// or socks5://"),
        ({"cluster": "address"}, "the server is no valid URL"),
        ({"server": "https://c.example:secret"}, "the server is no valid URL"),
        ({"server": "https://c.example/\r\nX: y"}, "the server is no valid URL"),
        ({"cluster": "scheme"}, "the server's URL begins with unix://, not with https://"),
        (
            {"cluster": "both"},
            "cannot read certificate-authority of cluster 'both' FOLDER/gone.crt: no such file or directory",
        ),
        (
            {"cluster": "no-file"},
            "cannot read certificate-authority of cluster 'no-file' FOLDER/gone.crt: no such file or directory",
        ),
        ({"cluster": "no-base64"}, "certificate-authority-data of cluster 'no-base64' in FILE is no base64"),
        ({"cluster": "no-pem"}, "the certificate authority is no PEM text"),
        ({"cluster": "maybe"}, "insecure-skip-tls-verify of cluster 'maybe' in FILE is neither true nor false"),
        ({"certificate_authority": "/"}, "cannot read certificate-authority /: is a directory"),
        ({"user": "number"}, "token of user 'number' in FILE is no string"),
        ({"user": "half"}, "cannot read client-certificate FOLDER/ca.crt: no such file or directory"),
        ({"user": "two"}, "user 'two' in FILE has both a token and a password"),
        ({"user": "acting"}, "--as-uid, --as-group and --as-user-extra need --as"),
        ({"as_uid": "7"}, "--as-uid, --as-group and --as-user-extra need --as"),
        ({"as_user": "a", "as_user_extra": ("x",)}, "--as-user-extra needs KEY=VALUE"),
        ({"as_user": "a\r\nX: y"}, "the user, uid, group or extra to act as has a control character in it"),
        ({"user": "no-command"}, "exec of user 'no-command' in FILE has no command"),
        (
            {"user": "alpha"},
            (
                "exec of user 'alpha' in FILE has apiVersion 'client.authentication.k8s.io/v1alpha1', "
                "not client.authentication.k8s.io/v1 or client.authentication.k8s.io/v1beta1"
            ),
        ),
        ({"user": "mode"}, "exec of user 'mode' in FILE has an unknown interactiveMode"),
        ({"user": "args"}, "args of user 'args' in FILE is no list of strings"),
        ({"user": "env"}, "exec of user 'env' in FILE has an env that is no list of names and values"),
        ({"user": "exec"}, "exec of user 'exec' in FILE is no mapping"),
        ({"user": "gcp"}, "auth-provider 'gcp' of user 'gcp' in FILE is not supported"),
        ({"kubeconfig": "/gone"}, "kubeconfig /gone does not exist"),
        ({"kubeconfig": "/"}, "cannot read kubeconfig /: is a directory"),
    ],
)
def test_what_is_wrong_is_said_with_its_name_and_without_secrets(
    file: Path, flags: dict[str, Any], message: str
) -> None:
    with pytest.raises(Error) as raised:
        load(Connection(**flags))
    expected = message.replace("FILE", str(file)).replace("FOLDER", str(file.parent))
    assert raised.value.message == expected
    assert "secret" not in f"{raised.value.message} {raised.value.hint}"
    assert isinstance(raised.value, Usage) == message.startswith(("--as", "the user, uid"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [secret\n", "is no valid YAML, line 2"),
        ("a: b\nusers: *secret", "is no valid YAML, line 2"),
        ("a: !!python/object:secret {}", "is no valid YAML, line 1"),
        ("\x00", "is no valid YAML"),
        ("[" * 100_000, "is no valid YAML, line 1"),
        ("- " * 100_000, "is no valid YAML, line 1"),
        ("{secret: " * 100_000, "is no valid YAML, line 1"),
        # libyaml has a limit of its own, of 1,000 levels, from 0.2.6 on; before, it has none.
        ("a: b\nusers: " + "[" * 200 + "]" * 200, "is no valid YAML, line 2"),
        ("- secret", "is no mapping with clusters, users and contexts"),
        ("secret", "is no mapping with clusters, users and contexts"),
        ("users: secret", "users in kubeconfig"),
        ("users: [secret]", "has an entry that is no name with a user"),
        ("users: [{name: u, user: secret}]", "has an entry that is no name with a user"),
        ("users: [{user: {token: secret}}]", "has an entry that is no name with a user"),
        ("current-context: [c]", "current-context of file"),
        ("", "has no contexts"),
        ("users: null\nclusters:\ncontexts: ~", "has no contexts"),
        ("contexts: [{name: c}]", "has no current context"),
    ],
)
def test_a_broken_kubeconfig_is_named_without_its_text(tmp_path: Path, text: str, message: str) -> None:
    file = write(tmp_path / "config", text)
    with pytest.raises(Error) as raised:
        load(Connection(kubeconfig=str(file)))
    assert message in raised.value.message
    assert str(file) in raised.value.message
    assert "secret" not in raised.value.message


def test_an_extension_may_be_nested(tmp_path: Path) -> None:
    nested = "[" * 90 + "]" * 90
    file = write(
        tmp_path / "config",
        f"current-context: c\n"
        f"contexts: [{{name: c, context: {{cluster: c}}}}]\n"
        f"clusters: [{{name: c, cluster: {{server: 'https://c.example', extensions: {nested}}}}}]\n",
    )
    assert load(Connection(kubeconfig=str(file))).server == "https://c.example"


def test_users_null_is_an_unknown_user(tmp_path: Path) -> None:
    file = write(
        tmp_path / "config",
        """
        current-context: c
        contexts: [{name: c, context: {cluster: c, user: u}}]
        clusters: [{name: c, cluster: {server: https://c.example}}]
        users: null
        """,
    )
    with pytest.raises(Error, match=rf"^user 'u' does not exist in kubeconfig {file}$"):
        load(Connection(kubeconfig=str(file)))


def test_without_any_kubeconfig_the_places_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Error, match=rf"^there is no kubeconfig: {tmp_path}/\.kube/config does not exist$") as raised:
        load(Connection())
    assert raised.value.hint == "name one with --kubeconfig or KUBECONFIG"
    monkeypatch.setenv("KUBECONFIG", f"/gone{os.pathsep}/too")
    with pytest.raises(Error, match=r"^there is no kubeconfig: /gone, /too does not exist$"):
        load(Connection())


def test_without_a_current_context_the_contexts_are_listed(tmp_path: Path) -> None:
    file = write(tmp_path / "config", "contexts: [{name: one}, {name: two}]")
    with pytest.raises(Error, match="has no current context") as raised:
        load(Connection(kubeconfig=str(file)))
    assert raised.value.hint == "name one with --context: one, two"


@pytest.mark.usefixtures("file")
def test_flags_go_before_the_context() -> None:
    assert load(Connection()) == Access(
        server="https://c.example:6443", namespace="team", user=User(name="u", token="tok")
    )
    access = load(
        Connection(context="bare", namespace="x", server="https://d.example", user="oidc", proxy_url="http://p")
    )
    assert (access.server, access.namespace, access.proxy_url) == ("https://d.example", "x", "http://p")
    assert access.user == User(name="oidc", token="id")
    assert load(Connection(context="bare")).user == User(name="")


def test_the_first_of_several_files_wins_and_paths_are_relative_to_their_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        write(
            tmp_path / name / "config",
            f"""
            current-context: {name}
            clusters:
            - {{name: shared, cluster: {{server: "https://{name}.example", certificate-authority: ca.crt}}}}
            contexts:
            - {{name: {name}, context: {{cluster: shared, user: {name}, namespace: {name}}}}}
            - {{name: shared, context: {{cluster: shared, user: two, namespace: {name}}}}}
            users:
            - {{name: shared, user: {{}}}}
            - name: {name}
              user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: bin/login}}}}
            """,
        )
        (tmp_path / name / "ca.crt").write_text(f"{PEM}{name}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(["", "gone", "one/config", "one/config", "two/config"]))
    access = load(Connection())
    assert (access.server, access.namespace, access.authority) == ("https://one.example", "one", f"{PEM}one")
    access = load(Connection(context="two"))
    assert (access.server, access.namespace, access.authority) == ("https://one.example", "two", f"{PEM}one")
    assert access.user.plugin is not None
    assert access.user.plugin.command == str(tmp_path / "two" / "bin" / "login")
    assert load(Connection(context="shared")).namespace == "one"


def test_data_goes_before_a_file_and_a_flag_before_both(tmp_path: Path) -> None:
    data = base64.b64encode(PEM.encode()).decode()
    (tmp_path / "flag.crt").write_text("of the flag")
    file = write(
        tmp_path / "config",
        f"""
        current-context: c
        contexts: [{{name: c, context: {{cluster: c, user: u}}}}]
        clusters:
        - name: c
          cluster: {{server: https://c.example, certificate-authority: gone, certificate-authority-data: {data}}}
        users: [{{name: u, user: {{client-certificate-data: {data}, client-key-data: {data}}}}}]
        """,
    )
    flag = str(tmp_path / "flag.crt")
    access = load(Connection(kubeconfig=str(file)))
    assert (access.authority, access.user.certificate, access.user.key) == (PEM, PEM.encode(), PEM.encode())
    access = load(
        Connection(kubeconfig=str(file), certificate_authority=flag, client_certificate=flag, client_key=flag)
    )
    assert (access.authority, access.user.certificate, access.user.key) == ("of the flag", Path(flag), Path(flag))
    with pytest.raises(Error, match="has a client-certificate without a client-key"):
        load(Connection(server="https://c.example", client_certificate=flag))
    with pytest.raises(Error, match="has a client-key without a client-certificate"):
        load(Connection(server="https://c.example", client_key=flag))


def test_an_authority_and_no_verification_exclude_each_other(tmp_path: Path) -> None:
    file = write(tmp_path / "ca.crt", PEM)
    flags = Connection(server="https://c", certificate_authority=str(file), insecure_skip_tls_verify=True)
    with pytest.raises(Error, match="certificate-authority and insecure-skip-tls-verify exclude each other"):
        load(flags)


def test_plain_http_carries_no_credentials(file: Path) -> None:
    for server in ("http://c.example", "c.example:8080"):
        assert load(Connection(server=server, token="tok")).user == User(name="u")


class TestPod:
    """In a pod, its service account stands in for what is missing."""

    @pytest.fixture(autouse=True)
    def account(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
        for name, text in (("token", "tok"), ("ca.crt", PEM), ("namespace", "mine\n")):
            write(tmp_path / "account" / name, text)
        return tmp_path / "account"

    def test_without_a_kubeconfig_it_is_the_user(self, account: Path) -> None:
        access = load(Connection(), service_account=account)
        assert (access.server, access.namespace, access.authority) == ("https://[fd00::1]:443", "mine", PEM)
        assert access.user == User(name="service account", token_file=account / "token")

    def test_flags_have_their_effect_there_too(self, account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        access = load(Connection(token="other", as_user="jane", namespace="n"), service_account=account)
        assert (access.user.token, access.user.token_file, access.namespace) == ("other", None, "n")
        assert access.user.impersonation is not None
        monkeypatch.setenv("POD_NAMESPACE", "told")
        assert load(Connection(), service_account=account).namespace == "told"

    @pytest.mark.usefixtures("file")
    def test_a_kubeconfig_goes_before_it_save_for_the_namespace(self, account: Path) -> None:
        access = load(Connection(context="bare"), service_account=account)
        assert (access.server, access.namespace, access.user) == ("https://c.example:6443", "mine", User(name=""))

    def test_it_is_none_without_a_token(self, account: Path) -> None:
        (account / "token").unlink()
        with pytest.raises(Error, match="there is no kubeconfig"):
            load(Connection(), service_account=account)


def test_secrets_are_in_no_repr(file: Path) -> None:
    connection = Connection(token="hush")
    assert "hush" not in repr(connection) + repr(load(connection))


@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "SOCKS5"])
def test_a_socks_proxy_is_asked_for_the_server_by_its_name(file: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def refuse() -> bytes:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as asked:
                greeting = asked.read(4)
                connection.sendall(b"\x05\x00")  # no password is needed
                request = asked.read(7 + len("c.example"))
                connection.sendall(b"\x05\x05\x00\x01" + bytes(6))  # refused
                return greeting + request

        asked = pool.submit(refuse)
        proxy = f"{scheme}://me:secret@127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(Unavailable) as raised:
            Kube(Connection(server="https://c.example", proxy_url=proxy)).call("GET", "/version")
    assert asked.result(10) == b"\x05\x02\x00\x02\x05\x01\x00\x03\x09c.example\x01\xbb"
    assert "secret" not in raised.value.message


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ([b"\x05\x00", b"\x05\x05\x00\x01" + bytes(6)], "the proxy of c.example cannot reach it: connection refused"),
        ([b"\x05\x02", b"\x01\x01"], "the proxy of c.example failed: SOCKS5 authentication failed"),
        ([b"HTTP/1.1 400 no\r\n"], "the proxy of c.example failed: SOCKS5 proxy server sent invalid data"),
        ([], "the proxy of c.example failed: connection closed unexpectedly"),
        (None, "cannot reach the proxy of c.example: connection refused"),
    ],
)
def test_what_a_socks_proxy_refuses_is_said_to_be_the_proxys(answers: list[bytes] | None, message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                for each in answers or ():
                    connection.recv(300)
                    connection.sendall(each)
                connection.recv(300)

        port = server.getsockname()[1]
        if answers is None:
            server.close()
        else:
            pool.submit(answer)
        proxy = f"socks5://me:secret@127.0.0.1:{port}"
        with pytest.raises(Unavailable) as raised:
            Kube(Connection(server="https://c.example", kubeconfig=os.devnull, proxy_url=proxy)).call("GET", "/version")
    assert raised.value.message == message


def test_a_get_that_a_socks_proxy_drops_is_sent_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        server.settimeout(10)

        def reset_then_refuse() -> None:
            connection, _ = server.accept()
            connection.recv(300)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
            connection, _ = server.accept()
            with connection:
                connection.recv(300)
                connection.sendall(b"\x05\xff")

        pool.submit(reset_then_refuse)
        proxy = f"socks5://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(Unavailable, match=r"^the proxy of c\.example failed: all offered"):
            Kube(Connection(server="https://c.example", kubeconfig=os.devnull, proxy_url=proxy)).call("GET", "/version")


def test_the_systems_authorities_are_found_where_openssl_looks_elsewhere(tmp_path: Path) -> None:
    nowhere = ssl.get_default_verify_paths()._replace(cafile="", capath="")
    (tmp_path / "second").write_text("")
    bundles = [str(tmp_path / name) for name in ("first", "second", "third")]
    assert _system_authorities(nowhere, bundles) == bundles[1]
    assert _system_authorities(nowhere, bundles[:1]) is None
    # Where OpenSSL finds some, or the person says where, it is not overruled.
    assert _system_authorities(nowhere._replace(capath="/etc/ssl/certs"), bundles) is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", "/mine")
        assert _system_authorities(nowhere, bundles) is None


@pytest.mark.parametrize(
    ("variables", "server", "proxy"),
    [
        ({}, "https://c.example", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://c.example", "http://p:1"),
        ({"https_proxy": "p:1"}, "https://c.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://c.example", None),
        ({"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://q"}, "https://c.example", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://127.0.0.1:6443", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://localhost:6443", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://[::1]:6443", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x,example"}, "https://c.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8"}, "https://10.1.2.3:6443", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "ample"}, "https://c.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, "https://c.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "x, C.Example"}, "https://c.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"}, "https://c.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.example"}, "https://c.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".c.example"}, "https://c.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "c.example:443"}, "https://c.example", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "c.example:6443"}, "https://c.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.1.2.3:6443"}, "https://10.1.2.3:6443", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.1.2.3"}, "https://10.1.2.30", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "[fd00::1]:443"}, "https://[fd00::1]", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "fd00:0::1"}, "https://[fd00::1]", None),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "fd00::/8,10.0.0.0/99,,:"}, "https://c.example", "http://p:1"),
    ],
)
def test_the_environment_s_proxy_is_kubectl_s(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], server: str, proxy: str | None
) -> None:
    """What golang.org/x/net/http/httpproxy 0.62 says of the same (run beside it, these and 4,500 more)."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment_proxy(server) == proxy


def exceptions() -> Iterator[type[Exception]]:
    """Every exception of the libraries below kube.py."""
    import http.client
    import ssl

    import urllib3

    waiting: list[type[Exception]] = [
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
        ssl.SSLError,
        ValueError,
    ]
    while waiting:
        kind = waiting.pop()
        if kind.__module__.split(".")[0] in {"urllib3", "http", "ssl", "builtins", "socket"}:
            yield kind
            waiting += kind.__subclasses__()


def test_no_exception_of_the_libraries_is_left_unmapped() -> None:
    access = Access(server="https://c.example", namespace="n", user=User(name="u"))
    found = set(exceptions())
    assert len(found) > 60
    for kind in found:
        # Made without its arguments, which differ: whatever an exception lacks, it has a message.
        error = translate(kind.__new__(kind), access, "GET /x", None)
        assert type(error).__module__ == "kubectl_sagemaker.errors"
        assert error.message
        assert error.message[0].islower()
        assert "\n" not in error.message
        assert "c.example" in error.message, kind
