"""Two Kubernetes APIs, the sandbox's and a real API server's, behind one interface: the same tests run on both."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.kinds import KINDS
from kubectl_sagemaker.kube import Kube
from kubectl_sagemaker.operator import crds
from kubectl_sagemaker.sandbox.access import User
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.kubernetes import Server, kubeconfig, serve
from tests.environment import kubectls
from tests.servers import GROUP_OF_USER, ApiServer

TOKENS = {f"tok-{user}": User(user, (group,), f"uid-{user}") for user, group in GROUP_OF_USER.items()}
"""As the real server's."""

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@dataclass(frozen=True, slots=True)
class Api:
    """A server under test, with a kubectl to ask it by and a namespace of the test's own.

    The kubeconfig's current context is an admin's; the context `viewer` has no rights beyond discovery.
    """

    kind: str
    """sandbox or real"""
    kubeconfig: Path
    port: int
    authority: str
    """The PEM text that the server's certificate is verified with."""
    binary: str
    namespace: str

    @property
    def environment(self) -> dict[str, str]:
        """One whose kubectl and plugins ask this server, with a cache of its own: kubectl's goes by port."""
        folder = str(self.kubeconfig.parent)
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "HOME": folder, "KUBECACHEDIR": f"{folder}/cache"}

    def command(self, *arguments: str) -> list[str]:
        """A kubectl command line, in the test's namespace."""
        return [self.binary, "--namespace", self.namespace, *arguments]

    def kubectl(
        self, *arguments: str, check: bool = True, manifest: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl, with a manifest on its stdin; a failure fails the test unless `check` is off."""
        done = subprocess.run(
            self.command(*arguments),
            input=manifest,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=60,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"kubectl {' '.join(arguments)}: exit {done.returncode}: {done.stderr}")
        return done

    def lines(self, *arguments: str, manifest: str | None = None) -> list[str]:
        """What kubectl prints, line by line, without trailing space."""
        return [line.rstrip() for line in self.kubectl(*arguments, manifest=manifest).stdout.splitlines()]

    def connection(self) -> http.client.HTTPSConnection:
        """A connection, for many requests; close it."""
        context = ssl.create_default_context(cadata=self.authority)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)

    def request(
        self,
        method: str,
        path: str,
        body: object | None = None,
        *,
        user: str | None = "admin",
        content_type: str = "application/json",
        accept: str = "application/json",
        connection: http.client.HTTPSConnection | None = None,
    ) -> tuple[int, Any]:
        """Ask the server, anonymously if `user` is None; return HTTP's status and the answer: JSON, or else text."""
        headers = {"Content-Type": content_type, "Accept": accept}
        if user:
            headers["Authorization"] = f"Bearer tok-{user}"
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        with contextlib.ExitStack() as stack:
            if connection is None:
                connection = stack.enter_context(contextlib.closing(self.connection()))
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            text = response.read().decode()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text

    def path(self, api_path: str, plural: str, name: str = "") -> str:
        """The path of a resource, or of an object, in the test's namespace."""
        return f"{api_path}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")


@contextlib.contextmanager
def running_sandbox(cluster: Cluster) -> Iterator[Server]:
    """Serve a cluster from a thread."""
    started: Future[Server] = Future()
    ended: Future[None] = Future()

    async def run() -> None:
        async with serve(cluster, TOKENS) as server:
            started.set_result(server)
            await asyncio.wrap_future(ended)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield started.result(timeout=30)
    finally:
        ended.set_result(None)
        thread.join()


@contextlib.contextmanager
def sandboxed(cluster: Cluster, folder: Path) -> Iterator[Api]:
    """A cluster that is served, with its kubeconfig in a folder."""
    with running_sandbox(cluster) as server:
        path = folder / "kubeconfig"
        path.write_text(kubeconfig(server, admin="tok-admin", viewer="tok-viewer"))
        yield Api("sandbox", path, int(server.url.rpartition(":")[2]), server.authority, "kubectl", "default")


@pytest.fixture(scope="session")
def sandbox_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """The sandbox's API."""
    with sandboxed(Cluster(now=time.time), tmp_path_factory.mktemp("sandbox")) as api:
        yield api


@pytest.fixture(scope="session")
def real_api() -> Iterator[Api]:
    """A real API server, with the CRDs of both groups."""
    published = os.environ.get("SAGEMAKER_CRDS")
    if not published:
        pytest.skip("SAGEMAKER_CRDS names no folder with the published CRDs")
    with ApiServer() as server:
        server.install(Path(published))
        yield real(server)


@pytest.fixture(scope="session")
def defined() -> Iterator[ApiServer]:
    """A real API server with the operator's own definitions."""
    with ApiServer() as server:
        server.define(json.dumps(definition).encode() for definition in crds.definitions())
        yield server


def real(server: ApiServer) -> Api:
    """A real API server that is ready to be asked."""
    api = Api("real", server.kubeconfig, server.port, server.ca_file.read_text(), "kubectl", "default")
    # A CRD's storage is made at its first use; until then, for some 0.1 s, the server answers 429.
    cold = [f"{row.group.path}/{row.plural}" for kind in KINDS for row in kind.apis]
    while cold := [path for path in cold if api.request("GET", path)[0] == 429]:
        time.sleep(0.1)
    return api


@pytest.fixture(
    params=[
        pytest.param("sandbox", marks=pytest.mark.xdist_group("sandbox-api")),
        pytest.param("real", marks=pytest.mark.xdist_group("apiserver")),
    ]
)
def server(request: pytest.FixtureRequest) -> Api:
    """Each of the two servers in turn, with a new namespace."""
    api: Api = request.getfixturevalue(f"{request.param}_api")
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    status, answer = api.request("POST", "/api/v1/namespaces", body)
    assert status == 201, answer
    return replace(api, namespace=namespace, binary=next(iter(kubectls().values()), "kubectl"))


@pytest.fixture(params=list(kubectls()))
def cluster(request: pytest.FixtureRequest, server: Api) -> Api:
    """Each server, asked by each kubectl."""
    return replace(server, binary=kubectls()[request.param])


@pytest.fixture
def kube(server: Api) -> Kube:
    """Our own door to a server, as its admin, in the test's namespace."""
    return Kube(Connection(kubeconfig=str(server.kubeconfig), namespace=server.namespace))
