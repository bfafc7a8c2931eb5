"""The door to Kubernetes: get, list and call by path, with every error made one of ours.

urllib3 sends the requests. Where to connect is kubeconfig.py's to say, as whom credentials.py's.
"""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.credentials import Credentials, obtain
from kubectl_sagemaker.eks import is_meant
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
from kubectl_sagemaker.kubeconfig import Access, load
from kubectl_sagemaker.text import one_line
from kubectl_sagemaker.transport import new_pool, timeouts, translated

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager

    from kubectl_sagemaker.kinds import Api, Group

    _Answer = tuple[int, bytes, HTTPHeaderDict]
    """Status, body, headers."""

__all__ = ["Connection", "Event", "Expired", "Kube", "Page"]

CONNECT_SECONDS: Final = 30
"""kubectl's own limit for opening a connection, where --request-timeout gives none."""
SILENCE_SECONDS: Final = 75
"""How long a connection may be silent, where --request-timeout says nothing: the API server itself gives a request up
after 60 s, so that only a dead connection (a laptop that slept) is silent for longer."""
CONTENT_TYPES: Final = {"PATCH": "application/merge-patch+json", "APPLY": "application/apply-patch+yaml"}
"""Of bodies that are not plain JSON; JSON is YAML."""
MESSAGE_LENGTH: Final = 500
PAGE: Final = 500
"""Objects of a page, as kubectl asks for."""
WATCH_SECONDS: Final = 60
REPEATS: Final = (0.0, 1.0, 1.0)
"""Seconds of waiting before each repetition of a request that can be repeated. kubectl repeats ten times, by the second
(client-go's with_retry.go); what follows or watches has a patience of its own beyond these."""
LATER_SECONDS: Final = 5
"""The longest Retry-After that is waited for; who is told of more is told so."""


class Page(NamedTuple):
    """A page of a list."""

    items: list[dict[str, Any]]
    version: str
    """Of the list, for a watch."""


class Event(NamedTuple):
    """A change that a watch tells of."""

    type: str
    """ADDED, MODIFIED, DELETED, or BOOKMARK: nothing but the version."""
    object: dict[str, Any]
    version: str
    """From which a watch can go on after this."""


@dataclass(frozen=True, slots=True)
class _Session:
    """A pool of connections, with what it was made for."""

    access: Access
    pool: PoolManager
    credentials: Credentials
    headers: HTTPHeaderDict = field(repr=False)

    @property
    def expired(self) -> bool:
        expires = self.credentials.expires
        return expires is not None and datetime.now(UTC) >= expires


class Kube:
    """An API server, reached as kubectl would reach it with the same flags. Threads can share one.

    Nothing is imported, read or run before the first use. Each method raises NotFound, Forbidden, Unauthorized,
    Throttled, Unavailable, or Error for what is wrong with the configuration. `debug` is given a line for each request.
    """

    def __init__(self, connection: Connection, *, debug: Callable[[str], None] | None = None) -> None:
        self._connection = connection
        self._debug = debug
        self._lock = threading.Lock()
        self._access: Access | None = None
        self._session: _Session | None = None

    @staticmethod
    def prepare() -> None:
        """Import what the first request would: who limits its time means the server's, not this machine's."""
        import urllib3  # noqa: F401  # for its effect

    def begin(self) -> None:
        """Do as much of the first request as is work of this process: what follows is mostly waiting.

        Two threads that import at once get in each other's way: 19 to 33 ms (measured).
        """
        with self._lock:
            plugin = self._where().user.plugin
        self.prepare()
        if plugin is None or is_meant(plugin):
            # Another plugin is somebody to wait for.
            self._open()

    @property
    def namespace(self) -> str:
        """Of the flags, else of the context, else of the pod that this runs in, else `default`."""
        with self._lock:
            return self._where().namespace

    def serves(self, group: Group) -> frozenset[str]:
        """Plurals that the server has in a group; none where the group is not installed.

        Asked before anything is read: a caller without rights is told 403, not 404, for a group that does not exist
        (measured: RBAC answers before routing).
        """
        try:
            answer = self.call("GET", group.path)
        except NotFound:
            return frozenset()
        names = (str(resource.get("name", "")) for resource in _objects(answer, "resources", group.path))
        return frozenset(name for name in names if "/" not in name)

    def get(self, api: Api, namespace: str, name: str) -> dict[str, Any]:
        """Read one object."""
        return self.call("GET", f"{_collection(api, namespace)}/{_segment(name, 'name')}")

    def list(
        self,
        api: Api,
        namespace: str | None,
        *,
        selector: str | None = None,
        name: str | None = None,
        limit: int = PAGE,
    ) -> Iterator[dict[str, Any]]:
        """Read a namespace's objects, or all namespaces' with None, page by page; each once."""
        for page in self.pages(api, namespace, selector=selector, name=name, limit=limit):
            yield from page.items

    def pages(
        self,
        api: Api,
        namespace: str | None,
        *,
        selector: str | None = None,
        name: str | None = None,
        limit: int = PAGE,
    ) -> Iterator[Page]:
        """Read what `list` reads; a watch from the first page's version on misses nothing of what any page shows.

        A list that changed too much between two pages (410) goes on with the token that the server offers then: what
        follows is newer than what came before. Without one, the rest is read anew in a single page. kubectl gives up
        in both cases.
        """
        path = _collection(api, namespace)
        fixed = list(_selection(selector, name))
        seen: set[str] = set()
        position = ""
        while True:
            query = [*fixed, ("limit", str(limit))] if limit else list(fixed)
            if position:
                query.append(("continue", position))
            try:
                answer = self.call("GET", path, query=query)
            except Expired as expired:
                if not position:
                    raise
                position = expired.position
                limit = limit if position else 0
                continue
            items = []
            for item in _objects(answer, "items", path):
                uid = str(_metadata(item).get("uid", ""))
                if uid not in seen:
                    if uid:
                        seen.add(uid)
                    items.append(_named(item, api))
            yield Page(items, str(_metadata(answer).get("resourceVersion", "")))
            position = str(_metadata(answer).get("continue", ""))
            if not position:
                return

    def watch(
        self,
        api: Api,
        namespace: str | None,
        version: str,
        *,
        selector: str | None = None,
        name: str | None = None,
    ) -> Iterator[Event]:
        """Tell what changes from a version on, until the server ends it, which it does after a minute.

        So short, because a token that expires is only seen at the next request, and because a connection that has
        died, as in a laptop that slept, is then silent for no longer than this, and is given up. Raises Expired where
        the version is too old; whoever watches lists again then.
        """
        path = _collection(api, namespace)
        seconds = WATCH_SECONDS
        if self._connection.request_timeout:
            seconds = max(1, min(seconds, int(self._connection.request_timeout)))
        query = [
            *_selection(selector, name),
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", str(seconds)),
        ]
        what = f"GET {path}"
        session = self._open()
        limit = self._connection.request_timeout or CONNECT_SECONDS
        response = self._request(session, "GET", path, f"{path}?{urlencode(query)}", None, (limit, seconds + limit))
        try:
            if response.status == 401 and session.credentials.renewable:
                response.close()
                session = self._open(refused=session)
                response = self._request(
                    session, "GET", path, f"{path}?{urlencode(query)}", None, (limit, seconds + limit)
                )
            if self._debug:
                self._debug(f"{what} watch from {version} {response.status}")
            if response.status != 200:
                with translated(session.access, what):
                    data = _body(response, None)
                raise _refusal(
                    session.access, response.status, _object(data), what, response.headers.get("Content-Type", "")
                )
            for line in _lines(response, session.access, what):
                answer = _object(line)
                thing = answer.get("object") if answer else None
                if not answer or not isinstance(thing, dict):
                    raise Unavailable(f"{session.access.host} answered {what} with something that is no event")
                if answer.get("type") == "ERROR":
                    raise _refusal(session.access, int(thing.get("code") or 500), thing, what, "")
                yield Event(
                    str(answer.get("type")), _named(thing, api), str(_metadata(thing).get("resourceVersion", ""))
                )
        finally:
            response.close()

    def annotations(self, namespace: str) -> dict[str, str]:
        """Annotations of a Namespace."""
        found = self.call("GET", f"/api/v1/namespaces/{_segment(namespace, 'namespace')}")
        return dict(_metadata(found).get("annotations") or {})

    def call(
        self, method: str, path: str, *, query: Iterable[tuple[str, str]] = (), body: object | None = None
    ) -> dict[str, Any]:
        """Ask for a path, whose parts are quoted already; return the answer's JSON object.

        A body goes as JSON, that of PATCH as a merge patch; APPLY is a PATCH by what is applied server-side.

        As with kubectl, a GET whose connection was dropped is sent again (a load balancer's habit), and so is what the
        server puts off by Retry-After: any request with 429, a GET with 5xx.
        """
        url = f"{path}?{urlencode(list(query))}" if query else path
        session = self._open()
        status, data, headers = self._send(session, method, path, url, body)
        credentials = session.credentials
        if (status == 401 and credentials.renewable) or (status == 403 and credentials.stand_in):
            # A token can be refused before the expiry that its plugin named; kubectl fails then.
            session = self._open(refused=session)
            status, data, headers = self._send(session, method, path, url, body)
        answer = _object(data)
        if 200 <= status < 300 and answer is not None:
            return answer
        raise _refusal(session.access, status, answer, f"{method} {path}", headers.get("Content-Type", ""))

    def _where(self) -> Access:
        """Read the configuration, once; the lock is held."""
        if self._access is None:
            self._access = load(self._connection)
        return self._access

    def _open(self, refused: _Session | None = None) -> _Session:
        """Return the session; open one with new credentials when there is none, or it expired or was refused.

        Of several threads that were refused together, one runs the plugin.
        """
        with self._lock:
            session = self._session
            if session is None or session is refused or session.expired:
                access = self._where()
                with translated(access):
                    # Only the first: a token that expired or was refused is the plugin's own affair.
                    credentials = obtain(access.user, stand_in=session is None, debug=self._debug)
                    same = session and _certificate(session.credentials) == _certificate(credentials)
                    pool = session.pool if session and same else new_pool(access, credentials)
                    session = self._session = _Session(access, pool, credentials, _headers(access, credentials))
            return session

    def _send(self, session: _Session, method: str, path: str, url: str, body: object | None) -> _Answer:
        """Send one request, again where that is safe and may help, within --request-timeout."""
        end = time.monotonic() + (self._connection.request_timeout or math.inf)
        for pause in REPEATS:
            try:
                answer = self._send_once(session, method, path, url, body)
                wait = _put_off(method, answer)
                if wait is None or time.monotonic() + wait >= end:
                    return answer
            except Dropped:
                wait = pause
                if method != "GET" or time.monotonic() + wait >= end:
                    raise
            time.sleep(wait)
        return self._send_once(session, method, path, url, body)

    def _send_once(self, session: _Session, method: str, path: str, url: str, body: object | None) -> _Answer:
        """Send one request; return its status, the answer's body, and its headers."""
        limit = self._connection.request_timeout or None
        start = time.monotonic()
        outcome = "failed"
        try:
            response = self._request(session, method, path, url, body, limit or (CONNECT_SECONDS, SILENCE_SECONDS))
            with translated(session.access, f"{method} {path}", limit):
                data = _body(response, start + limit if limit else None)
            outcome = str(response.status)
            return response.status, data, response.headers
        finally:
            if self._debug:
                self._debug(f"{method} {path} {outcome} {(time.monotonic() - start) * 1000:.0f} ms")

    def _request(
        self,
        session: _Session,
        method: str,
        path: str,
        url: str,
        body: object | None,
        timeout: float | tuple[float, float],
    ) -> BaseHTTPResponse:
        """Send one request; return the response, whose body is still to be read. `timeout`: all, or each wait."""
        headers = session.headers.copy()
        if body is not None:
            headers["Content-Type"] = CONTENT_TYPES.get(method, "application/json")
        limit = self._connection.request_timeout or None
        with translated(session.access, f"{method} {path}", limit):
            return session.pool.request(
                "PATCH" if method == "APPLY" else method,
                session.access.server + url,
                headers=headers,
                body=None if body is None else json.dumps(body),
                timeout=timeouts(timeout),
                preload_content=False,
            )


class Expired(Error):
    """410: the list is too old to go on with; `position` is a token to go on with, or empty."""

    def __init__(self, message: str, position: str) -> None:
        super().__init__(message)
        self.position = position


def _put_off(method: str, answer: _Answer) -> float | None:
    """Seconds after which the server asks for the same request; None where it doesn't, or where that is unsafe."""
    status, _, headers = answer
    after = headers.get("Retry-After", "")
    if (status == 429 or (status >= 500 and method == "GET")) and after.isdecimal() and int(after) <= LATER_SECONDS:
        return float(after)
    return None


def _selection(selector: str | None, name: str | None) -> Iterator[tuple[str, str]]:
    if selector:
        yield "labelSelector", selector
    if name:
        yield "fieldSelector", f"metadata.name={name}"


def _named(item: dict[str, Any], api: Api) -> dict[str, Any]:
    """An object with its type, which items of lists lack."""
    item.setdefault("apiVersion", f"{api.group.name}/{api.group.version}")
    item.setdefault("kind", api.kind)
    return item


def _lines(response: BaseHTTPResponse, access: Access, what: str) -> Iterator[bytes]:
    """The lines of an answer as they come."""
    rest = b""
    while True:
        with translated(access, what):
            piece = response.read1(1 << 16, decode_content=True)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        yield from filter(None, lines)


def _collection(api: Api, namespace: str | None) -> str:
    where = "" if namespace is None else f"/namespaces/{_segment(namespace, 'namespace')}"
    return f"{api.group.path}{where}/{api.plural}"


def _segment(name: str, what: str) -> str:
    """Quote a part of a path. A client would resolve `..`, and an empty name would mean the whole collection."""
    if name in {"", ".", ".."}:
        raise Usage(f"invalid {what} {name!r}")
    return quote(name, safe="")


def _object(data: bytes) -> dict[str, Any] | None:
    """Read a JSON object; None for anything else, such as a proxy's page."""
    import orjson

    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return answer if isinstance(answer, dict) else None


def _objects(answer: dict[str, Any], key: str, path: str) -> list[dict[str, Any]]:
    """Read a list of objects; the key's absence is no empty list."""
    listed = answer.get(key)
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise Unavailable(f"the answer to GET {path} has no {key}")
    return listed


def _metadata(found: dict[str, Any]) -> dict[str, Any]:
    metadata = found.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _refusal(access: Access, status: int, answer: dict[str, Any] | None, what: str, kind: str) -> Error:
    """Say what an answer that is not the one asked for means."""
    text = answer.get("message") if answer and answer.get("kind") == "Status" else None
    message = one_line(text)[:MESSAGE_LENGTH] if isinstance(text, str) else ""
    plain = f"{access.host} answered {what} with status {status}"
    if status < 300 or not answer:
        plain += f" and {one_line(kind)[:80] or 'something'} instead of a JSON object"
    match status:
        case 401:
            who = f" of user {one_line(access.user.name)!r}" if access.user.name else ""
            return Unauthorized(f"{access.host} does not accept the credentials{who}", hint=_log_in(access))
        case 403:
            return Forbidden(message or plain)
        case 404:
            # Only an object's 404 names the object.
            named = answer and isinstance(answer.get("details"), dict) and answer["details"].get("name")
            return NotFound(message if message and named else f"{access.host} has no {what.partition(' ')[2]}")
        case 409:
            return Conflict(message or plain)
        case 410:
            return Expired(message or plain, str(_metadata(answer or {}).get("continue", "")))
        case 429:
            return Throttled(f"{access.host} has too many requests to answer: {message or what}")
        case _ if status >= 500 or status < 400 or status == 408:
            return Unavailable(f"{plain}: {message}" if message else plain)
        case _:
            # A server that wants TLS answers plain HTTP with 400.
            plaintext = access.server.startswith("http:") and not message
            return Error(message or plain, hint="the server's URL begins with http://" if plaintext else None)


def _log_in(access: Access) -> str:
    if access.user.plugin:
        return f"see what `{one_line(os.path.basename(access.user.plugin.command))}` says by itself"
    return "log in again, or name another user with --user or --context"


def _certificate(credentials: Credentials) -> tuple[Path | bytes | None, Path | bytes | None]:
    return credentials.certificate, credentials.key


def _headers(access: Access, credentials: Credentials) -> HTTPHeaderDict:
    """Build the headers of every request. The dictionary keeps several values of one name apart.

    A plain dictionary joins two groups to one that is named `a, b` (measured).
    """
    import urllib3

    headers = urllib3.HTTPHeaderDict({"Accept": "application/json", "User-Agent": "kubectl-sagemaker"})
    if access.compression:
        headers["Accept-Encoding"] = "gzip"
    if credentials.authorization:
        headers["Authorization"] = credentials.authorization
    if acting := access.user.impersonation:
        headers["Impersonate-User"] = _as_utf8(acting.user)
        if acting.uid:
            headers["Impersonate-Uid"] = _as_utf8(acting.uid)
        for group in acting.groups:
            headers.add("Impersonate-Group", _as_utf8(group))
        for key, value in acting.extra:
            headers.add(f"Impersonate-Extra-{quote(key, safe='')}", _as_utf8(value))
    return headers


def _as_utf8(text: str) -> str:
    """Make http.client, which writes headers in Latin-1, write UTF-8, as kubectl does."""
    return text.encode().decode("latin-1")


def _body(response: BaseHTTPResponse, end: float | None) -> bytes:
    """Read an answer to its end. urllib3 limits each wait, not their sum: a server that drips is given up at `end`."""
    import urllib3

    chunks = []
    try:
        while chunk := response.read1(1 << 20, decode_content=True):
            chunks.append(chunk)
            if end is not None and time.monotonic() > end:
                raise urllib3.exceptions.TimeoutError
    except BaseException:
        response.close()
        raise
    response.release_conn()
    return b"".join(chunks)
