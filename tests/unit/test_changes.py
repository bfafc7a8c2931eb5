"""What is told of resources that can't be seen as usual."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kubectl_sagemaker import changes, kinds
from kubectl_sagemaker.changes import Changes, Listed, News, Trouble
from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.errors import Forbidden, Unavailable
from kubectl_sagemaker.kube import Event, Kube, Page

TARGET = kinds.parse("trainingjob.sagemaker.services.k8s.aws")
ROW = (TARGET.kind, TARGET.apis[0])


class Server(Kube):
    """Lists nothing, and refuses to be watched until it is allowed."""

    def __init__(self) -> None:
        super().__init__(Connection())
        self.may_watch = self.is_away = False

    def pages(self, *_: Any, **__: Any) -> Iterator[Page]:
        if self.is_away:
            raise Unavailable("cannot reach the server")
        yield Page([], "1")

    def watch(self, *_: Any, **__: Any) -> Iterator[Event]:
        if not self.may_watch:
            raise Forbidden("may not watch")
        time.sleep(0.05)
        yield from ()


def told(news: list[News]) -> list[str | None]:
    """What is told of trouble, each once until something else is."""
    messages = (item.error.message if item.error else None for item in news if isinstance(item, Trouble))
    return [message for message, _ in itertools.groupby(messages)]


def test_who_may_list_and_not_watch_is_told_once_and_sees_what_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(changes, "LONGEST_PAUSE", 0.05)
    server, news, end = Server(), list[News](), time.monotonic() + 60
    watched = Changes(server, [ROW], "ml")
    watched.start()

    def until(wanted: Callable[[], bool]) -> None:
        while not wanted():
            assert time.monotonic() < end
            news.extend(watched.get(0.05))

    until(lambda: sum(isinstance(item, Listed) for item in news) >= 8)
    assert told(news) == ["may not watch"]
    server.is_away = True
    until(lambda: len(told(news)) == 2)
    server.is_away, server.may_watch = False, True
    until(lambda: told(news)[-1] is None)
    assert told(news) == ["may not watch", "cannot reach the server", None]
    server.is_away = True  # its thread has long pauses from now on
