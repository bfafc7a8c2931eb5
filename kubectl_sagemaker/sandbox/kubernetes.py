"""The embedded Kubernetes API on the network: loopback only, over TLS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from kubectl_sagemaker.sandbox import certificate
from kubectl_sagemaker.sandbox.access import MASTERS, User
from kubectl_sagemaker.sandbox.apiserver import JSON, Answer, Request, Watch, answer, event_line
from kubectl_sagemaker.sandbox.cluster import Cluster, Event
from kubectl_sagemaker.sandbox.refusals import Refused

if TYPE_CHECKING:
    from aiohttp import web

HOST: Final = "127.0.0.1"
BODY_BYTES: Final = 3 * 1024**2
"""The largest body that is read, as in the real server."""
SHUTDOWN_SECONDS: Final = 2.0
"""How long the end waits for a caller who reads no further; aiohttp's own default is a minute."""

ADMIN: Final = User("admin", (MASTERS,), "1")
VIEWER: Final = User("viewer", ("viewers",), "2")


@dataclass(frozen=True, slots=True)
class Server:
    """Where the API is: its URL, and the certificate, as PEM text, that vouches for it."""

    url: str
    authority: str


@contextlib.asynccontextmanager
async def serve(cluster: Cluster, tokens: Mapping[str, User]) -> AsyncIterator[Server]:
    """Serve a cluster on a free loopback port until the block ends."""
    from aiohttp import web

    made = certificate.make(datetime.now(UTC))
    runner = web.AppRunner(application(cluster, tokens), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0, ssl_context=made.context())
        await site.start()
        bound = runner.addresses[0][1]
        yield Server(f"https://{HOST}:{bound}", made.certificate)
    finally:
        # Who watches may never answer the end of TLS, and the loop's end does not wait: sockets would stay open.
        open_still = [connection.transport for connection in runner.server.connections] if runner.server else []
        await runner.cleanup()
        for transport in open_still:
            if transport is not None:
                transport.abort()
        await asyncio.sleep(0)


def kubeconfig(server: Server, *, admin: str, viewer: str) -> str:
    """A kubeconfig, given two tokens: contexts `sandbox`, the current one (namespace default), and `viewer` (ml)."""
    authority = base64.b64encode(server.authority.encode()).decode()
    cluster = {"server": server.url, "certificate-authority-data": authority}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": admin}}, {"name": "viewer", "user": {"token": viewer}}],
        "contexts": [
            {"name": "sandbox", "context": {"cluster": "sandbox", "user": "admin", "namespace": "default"}},
            {"name": "viewer", "context": {"cluster": "sandbox", "user": "viewer", "namespace": "ml"}},
        ],
    }
    return json.dumps(config, indent=1) + "\n"  # JSON is YAML


def application(cluster: Cluster, tokens: Mapping[str, User]) -> web.Application:
    """The API as an aiohttp application; watches end when it is shut down."""
    from aiohttp import web

    watches: set[asyncio.Queue[bytes | None]] = set()

    async def handle(request: web.Request) -> web.StreamResponse:
        given = answer(cluster, tokens, await _request(request))
        if isinstance(given, Answer):
            return web.Response(body=given.body, status=given.status, headers={"Content-Type": given.content_type})
        response = web.StreamResponse(headers={"Content-Type": JSON})
        await response.prepare(request)
        lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        watches.add(lines)
        try:
            await _follow(cluster, given, lines, response.write)
        except ConnectionResetError:
            pass  # the caller has seen enough
        finally:
            watches.discard(lines)
        return response

    async def end_watches(_: web.Application) -> None:
        for lines in watches:
            lines.put_nowait(None)

    served = web.Application(client_max_size=BODY_BYTES)
    served.router.add_route("*", "/{path:.*}", handle)
    served.on_shutdown.append(end_watches)
    return served


async def _request(request: web.Request) -> Request:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return Request(
        request.method,
        request.rel_url.raw_path,
        request.query,
        await request.read(),
        request.headers.get("Content-Type", ""),
        request.headers.get("Accept", ""),
        token if scheme.lower() == "bearer" else None,
    )


async def _follow(
    cluster: Cluster, watch: Watch, lines: asyncio.Queue[bytes | None], write: Callable[[bytes], Awaitable[None]]
) -> None:
    """Write a watch's lines until its time is over, or None is among them."""
    loop = asyncio.get_running_loop()

    def tell(event: Event) -> None:
        if line := watch.line(event):
            loop.call_soon_threadsafe(lines.put_nowait, line)

    reached = cluster.version
    try:
        stop = cluster.watch(watch.resource, tell, watch.since)
    except Refused as refused:
        await write(event_line("ERROR", refused.status()))
        return
    if watch.bookmarked:
        loop.call_soon(lines.put_nowait, watch.bookmark(reached))
    try:
        async with asyncio.timeout(watch.seconds):
            while line := await lines.get():
                await write(line)
    except TimeoutError:
        pass
    finally:
        stop()
