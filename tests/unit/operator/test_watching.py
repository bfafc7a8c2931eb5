"""The store is kept up to date through whatever a list and a watch can end with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from kubectl_sagemaker.errors import Error, Unauthorized, Unavailable
from kubectl_sagemaker.kube import Event, Expired, Page
from kubectl_sagemaker.operator.queue import Key
from kubectl_sagemaker.operator.store import Store
from kubectl_sagemaker.operator.watching import Watching
from tests.lab import ROW

API = ROW["trainingjob"].api


def thing(name: str, version: int) -> dict[str, Any]:
    metadata = {"namespace": "ns", "name": name, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata}


class Server:
    """Lists and watches as told; the last watch stops the watching."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.asked: list[tuple[str, str]] = []
        self.stopping = threading.Event()

    def pages(self, api: Any, namespace: str | None, **_: Any) -> Iterator[Page]:
        self.asked.append(("list", ""))
        yield from self._next()

    def watch(self, api: Any, namespace: str | None, version: str, **_: Any) -> Iterator[Event]:
        self.asked.append(("watch", version))
        yield from self._next()

    def _next(self) -> Iterator[Any]:
        if not self.script:
            self.stopping.set()
            return
        for item in self.script.pop(0):
            if isinstance(item, Error):
                raise item
            yield item


def watched(*script: Any) -> tuple[Server, Store, list[tuple[str, bool]]]:
    server, store, told = Server(*script), Store(), []
    watching = Watching(
        server,  # type: ignore[arg-type]  # as much of Kube as it needs
        API,
        store,
        lambda key, thing, gone: told.append((key.name, gone)),
        namespace=None,
        stopping=server.stopping,
    )
    watching.run()
    assert watching.synced.is_set()
    return server, store, told


def test_a_watch_goes_on_from_where_the_list_was_and_from_where_the_last_one_ended() -> None:
    server, store, told = watched(
        [Page([thing("a", 3)], "5")],
        [Event("ADDED", thing("b", 6), "6"), Event("BOOKMARK", {"metadata": {}}, "9")],
        [Event("DELETED", thing("a", 11), "11")],
    )
    assert server.asked == [("list", ""), ("watch", "5"), ("watch", "9"), ("watch", "11")]
    assert told == [("a", False), ("b", False), ("a", True)]
    assert [key.name for key, _ in store.items()] == ["b"]


@pytest.mark.parametrize("error", [Expired("too old", ""), Unavailable("cut"), Unauthorized("token")])
def test_after_a_lost_watch_everything_is_listed_again_and_what_has_gone_is_told(error: Error) -> None:
    server, store, told = watched(
        [Page([thing("a", 3), thing("b", 4)], "5")],
        [Event("MODIFIED", thing("a", 7), "7"), error],
        [Page([thing("a", 7), thing("c", 9)], "12")],
    )
    assert server.asked == [("list", ""), ("watch", "5"), ("list", ""), ("watch", "12")]
    assert told == [("a", False), ("b", False), ("a", False), ("c", False), ("b", True)]
    assert store.get(Key(API.resource, "ns", "b")) is None


def test_a_server_that_can_t_be_reached_is_asked_again_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "kubectl_sagemaker.operator")
    server, _, told = watched([Unavailable("away")], [Unavailable("away")], [Page([thing("a", 3)], "5")])
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == ["listing again: away"]
    assert [what for what, _ in server.asked] == ["list", "list", "list", "watch"]
    assert told == [("a", False)]
