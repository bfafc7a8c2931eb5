"""Real botocore clients that talk to a sandbox account: without sockets, or over loopback.

clock = Clock(1_700_000_000.0)
account = Account(now=clock)
logs = connect("logs", account)
bind(logs, account, elapse=clock.advance)      # no sockets, the test's clock
with serve(account) as url: ...                # a server of its own, in a thread
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from kubectl_sagemaker.sandbox.aws import SANDBOX, Account, Credential, application
from kubectl_sagemaker.sandbox.faults import Fault, Interrupted
from kubectl_sagemaker.sandbox.protocol import Response


class Clock:
    """Epoch seconds that pass when a test says so."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        """Let time pass; however little, it passes, as it does on a real clock."""
        self.at = max(self.at + seconds, math.nextafter(self.at, math.inf)) if seconds > 0 else self.at


class _Body:
    """As much of urllib3's response as botocore's AWSResponse reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self._body


def bind(
    client: Any, account: Account, *, elapse: Callable[[float], None] = lambda seconds: None, latency: float = 0.0
) -> None:
    """Let `client` talk to `account` directly; botocore signs, serialises, parses and retries as ever.

    `elapse` is told how many seconds a request takes: `latency`, or the client's read timeout for one that stalls.
    A test's clock advances there.
    """
    answer = answering(account, elapse=elapse, latency=latency, read_timeout=client.meta.config.read_timeout)
    client.meta.events.register("before-send", answer)


def answering(
    account: Account, *, elapse: Callable[[float], None], latency: float, read_timeout: float
) -> Callable[..., Any]:
    """The handler of botocore's before-send event that answers in the network's place."""

    def answer(request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse
        from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

        url = urlsplit(request.url)
        headers = {
            name: value.decode() if isinstance(value, bytes) else value for name, value in request.headers.items()
        }
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        elapse(latency)
        try:
            response: Response = account.respond(request.method, path, headers, body)
        except Interrupted as interruption:
            if interruption.fault is Fault.STALL:
                elapse(read_timeout)
                raise ReadTimeoutError(endpoint_url=request.url, error=interruption) from None
            if interruption.response is None:
                raise ConnectionClosedError(endpoint_url=request.url, error=interruption) from None
            # botocore takes half an answer for a whole one: it tells urllib3 enforce_content_length=False.
            whole = interruption.response
            response = Response(whole.status, whole.headers, whole.body[: len(whole.body) // 2])
        return AWSResponse(request.url, response.status, dict(response.headers), _Body(response.body))

    return answer


def connect(
    service: str, account: Account, *, url: str | None = None, credential: Credential = SANDBOX, **config: Any
) -> Any:
    """A botocore client of `service`, for `bind` or for a server at `url`; `config` is botocore.config.Config's.

    It reads no environment and no files. Close it where it has used sockets.
    """
    from botocore.config import Config

    return _session().create_client(
        service,
        region_name=account.region,
        endpoint_url=url or f"http://{service}.test",
        aws_access_key_id=credential.access_key,
        aws_secret_access_key=credential.secret_key,
        aws_session_token=credential.session_token,
        config=Config(**config),
    )


@functools.cache
def _session() -> Any:
    """One for all: reading service models is most of what a client costs (100 ms against 10)."""
    import botocore.session

    return botocore.session.Session()


@contextlib.contextmanager
def serve(account: Account, *elsewhere: Account, latency: float = 0.0) -> Iterator[str]:
    """The account behind HTTP on a free port of loopback, in a thread; gives its URL. `elsewhere`: other regions."""
    from aiohttp import web

    started: list[str] = []
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def run() -> None:
        runner = web.AppRunner(application(account, *elsewhere, latency=latency))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            started.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
            ready.set()
            await stop.wait()
        finally:
            ready.set()
            await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    try:
        ready.wait()
        yield started[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
