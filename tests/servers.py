"""A real API server (etcd and kube-apiserver) on loopback, for the tests that need one.

    with ApiServer() as server:
        server.install(crds)                        # a folder of CRDs, at any depth
        server.request("GET", "/api/v1/namespaces") # JSON in, JSON out, as admin
        subprocess.run(["kubectl", "get", "ns"], env={**os.environ, "KUBECONFIG": str(server.kubeconfig)})

It is up after about 4 s. Start one a session or a module; give tests that share one the same xdist group.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import pytest

from kubectl_sagemaker.operator import crds, manifest

GROUP_OF_USER: Final[Mapping[str, str]] = {
    "admin": "system:masters",
    "viewer": "viewers",
    "plugin": "plugins",
    "scientist": "scientists",
}
"""Each user's token is `tok-USER`. Only `admin` has any rights beyond discovery, until a test grants some."""

START_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
CRD_PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class NotStarted(Exception):
    """A process ended, or was not ready in time; the text is the end of its log."""


def missing() -> str | None:
    """Say why no API server can be started here, or None."""
    folder = os.environ.get("KUBEBUILDER_ASSETS")
    if not folder:
        return "KUBEBUILDER_ASSETS names no folder with etcd and kube-apiserver"
    for program in ("etcd", "kube-apiserver"):
        if not os.access(Path(folder, program), os.X_OK):
            return f"KUBEBUILDER_ASSETS has no {program}"
    return None if shutil.which("openssl") else "openssl is not in PATH"


def free_port() -> int:
    """A loopback port that is free now; somebody else can take it before it is used."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def install_operator(server: ApiServer, *, image: str = "none") -> str:
    """Apply what the operator's installer does; return a token of its own account, for two hours."""
    server.define(json.dumps(definition).encode() for definition in crds.definitions())
    query, content = "?fieldManager=test&force=true", "application/apply-patch+yaml"
    for thing in manifest.objects(manifest.Choice(image=image)):
        status, answer = server.request("PATCH", manifest.path(thing) + query, thing, content_type=content)
        assert status in {200, 201}, answer
    path = f"{manifest.PATHS['ServiceAccount']}/{manifest.ACCOUNT}/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 7200}}
    status, answer = server.request("POST", path, asked)
    assert status == 201, answer
    return str(answer["status"]["token"])


class ApiServer:
    """A context manager that runs etcd and kube-apiserver; the test is skipped where they are missing.

    `flags` are further flags of kube-apiserver. The kubeconfig has two contexts: `c`, the current one
    (user admin, namespace default), and `viewer` (user viewer, namespace ml, which does not exist).
    """

    url: str
    """https://127.0.0.1:PORT"""
    port: int
    directory: Path
    """A folder of its own, removed at the end."""
    ca_file: Path
    """The authority that the server's certificate is verified with."""
    kubeconfig: Path

    def __init__(self, *flags: str) -> None:
        self._flags = flags
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        if reason := missing():
            pytest.skip(reason)
        self.directory = Path(tempfile.mkdtemp(prefix="apiserver-"))
        try:
            self._make_keys()
            try:
                self._start()
            except NotStarted:
                # Somebody may have taken one of the ports between free_port and its use: once more, with others.
                self._stop()
                self._start()
            self._write_kubeconfig()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def request(
        self,
        method: str,
        path: str,
        body: object | None = None,
        *,
        user: str = "admin",
        content_type: str = "application/json",
    ) -> tuple[int, dict[str, Any]]:
        """Ask the server; return HTTP's status and the answer (an empty one for what is no JSON object).

        A `str` or `bytes` body goes as it is, anything else as JSON.
        """
        data = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=self._tls)
        try:
            headers = {
                "Authorization": f"Bearer tok-{user}",
                "Content-Type": content_type,
                "Accept": "application/json",
            }
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        return response.status, answer if isinstance(answer, dict) else {}

    def install(self, crds: Path) -> None:
        """Install every CRD (*.yaml) under a folder, and wait until the server serves them all."""
        self.define(file.read_bytes() for file in sorted(crds.rglob("*.yaml")))

    def define(self, crds: Iterable[bytes]) -> None:
        """Install CRDs, each a YAML text, and wait until the server serves them all."""
        names = []
        for crd in crds:
            status, answer = self.request("POST", CRD_PATH, crd, content_type="application/yaml")
            if status not in {201, 409}:
                raise AssertionError(f"{status} {answer.get('message')}")
            names.append(answer["metadata"].get("name") or answer["details"]["name"])
        end = time.monotonic() + START_SECONDS
        while waiting := set(names) - self._established():
            if time.monotonic() > end:
                raise AssertionError(f"not established: {sorted(waiting)}")
            time.sleep(POLL_SECONDS)

    def stop_serving(self) -> None:
        """End kube-apiserver; etcd goes on, with all that was stored."""
        server = self._processes.pop()
        server.kill()
        server.wait()

    def serve_again(self) -> None:
        """Start kube-apiserver as it was, on the same port."""
        self._run("kube-apiserver", *self._serving)
        end = time.monotonic() + START_SECONDS
        while not self._ready():
            if self._processes[-1].poll() is not None or time.monotonic() > end:
                raise NotStarted(self._log_ends())
            time.sleep(POLL_SECONDS)

    def compact(self) -> None:
        """Make etcd forget all old revisions, so that a list that is read in pages expires."""
        connection = http.client.HTTPConnection("127.0.0.1", self._etcd, timeout=30)
        try:
            # Every answer of etcd's JSON gateway has the newest revision in its header; the key `a` need not exist.
            connection.request("POST", "/v3/kv/range", body=json.dumps({"key": "YQ=="}))
            revision = json.loads(connection.getresponse().read())["header"]["revision"]
            connection.request("POST", "/v3/kv/compaction", body=json.dumps({"revision": revision, "physical": True}))
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "header" not in answer:
            raise AssertionError(f"etcd did not compact: {answer}")

    def client_certificate(self, user: str, group: str) -> tuple[Path, Path]:
        """Make a client certificate that the server accepts; return the files of it and of its key."""
        key, request, certificate = (self.directory / f"{user}.{suffix}" for suffix in ("key", "csr", "crt"))
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key))
        self._openssl("req", "-new", "-key", str(key), "-subj", f"/O={group}/CN={user}", "-out", str(request))
        self._openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.directory / "client-ca.crt"),
            "-CAkey", str(self.directory / "client-ca.key"), "-CAcreateserial", "-days", "2", "-out", str(certificate),
        )  # fmt: skip
        return certificate, key

    def _established(self) -> set[str]:
        _, answer = self.request("GET", CRD_PATH)
        return {
            crd["metadata"]["name"]
            for crd in answer.get("items", [])
            if any(
                condition["type"] == "Established" and condition["status"] == "True"
                for condition in crd.get("status", {}).get("conditions") or ()
            )
        }

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=self.directory)

    def _make_keys(self) -> None:
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key")
        self._openssl("ec", "-in", "sa.key", "-pubout", "-out", "sa.pub")
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "client-ca.key")
        self._openssl(
            "req", "-x509", "-new", "-key", "client-ca.key", "-subj", "/CN=client-ca", "-days", "2",
            "-out", "client-ca.crt",
        )  # fmt: skip
        rows = (f'tok-{user},{user},uid-{user},"{group}"\n' for user, group in GROUP_OF_USER.items())
        (self.directory / "tokens.csv").write_text("".join(rows))

    def _start(self) -> None:
        self._etcd = etcd = free_port()
        peer, self.port = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._run(
            "etcd",
            f"--data-dir={self.directory / f'etcd-{etcd}'}",
            "--unsafe-no-fsync",
            f"--listen-client-urls=http://127.0.0.1:{etcd}",
            f"--advertise-client-urls=http://127.0.0.1:{etcd}",
            f"--listen-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
            f"--initial-cluster=default=http://127.0.0.1:{peer}",
        )
        self._serving = (
            f"--etcd-servers=http://127.0.0.1:{etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.directory / 'certs'}",
            f"--client-ca-file={self.directory / 'client-ca.crt'}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self.directory / 'sa.pub'}",
            f"--service-account-signing-key-file={self.directory / 'sa.key'}",
            # Nothing runs that would create service accounts, or be reached at the server's own address.
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
            *self._flags,
        )
        self._run("kube-apiserver", *self._serving)
        self.ca_file = self.directory / "certs" / "apiserver.crt"
        end = time.monotonic() + START_SECONDS
        while not self._ready():
            for process in self._processes:
                if process.poll() is not None or time.monotonic() > end:
                    raise NotStarted(self._log_ends())
            time.sleep(POLL_SECONDS)

    def _run(self, program: str, *flags: str) -> None:
        with (self.directory / f"{program}.log").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    [str(Path(os.environ["KUBEBUILDER_ASSETS"], program)), *flags],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    def _ready(self) -> bool:
        """Whether it answers, is ready, and has the namespace that it makes by itself a moment later."""
        try:
            self._tls = ssl.create_default_context(cafile=str(self.ca_file))
            return all(self.request("GET", path)[0] == 200 for path in ("/readyz", "/api/v1/namespaces/default"))
        except OSError:
            return False

    def _log_ends(self) -> str:
        ends = []
        for program in ("etcd", "kube-apiserver"):
            lines = (self.directory / f"{program}.log").read_text(errors="replace").splitlines()
            ends += [program, *lines[-5:]]
        return "\n".join(ends)

    def _write_kubeconfig(self) -> None:
        self.kubeconfig = self.directory / "kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "c", "cluster": {"server": self.url, "certificate-authority": str(self.ca_file)}},
            ],
            "users": [
                {"name": "admin", "user": {"token": "tok-admin"}},
                {"name": "viewer", "user": {"token": "tok-viewer"}},
            ],
            "contexts": [
                {"name": "c", "context": {"cluster": "c", "user": "admin", "namespace": "default"}},
                {"name": "viewer", "context": {"cluster": "c", "user": "viewer", "namespace": "ml"}},
            ],
            "current-context": "c",
        }
        self.kubeconfig.write_text(json.dumps(config, indent=1))

    def _stop(self) -> None:
        """End both at once: their data is thrown away, so that neither needs to close in order."""
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
        self._processes.clear()

    def _remove(self) -> None:
        self._stop()
        shutil.rmtree(self.directory, ignore_errors=True)
