"""Resources as they change: listed, watched, and listed again where a watch can't go on."""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from kubectl_sagemaker import jobs
from kubectl_sagemaker.errors import Error, Forbidden, NotFound
from kubectl_sagemaker.jobs import Job

if TYPE_CHECKING:
    from kubectl_sagemaker.kinds import Api, Kind
    from kubectl_sagemaker.kube import Kube

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds before a request that failed is made again: doubled at each failure, times a half to one and a half."""
JUMP: Final = 5.0
"""Seconds that the clock may gain on the time that this machine was awake for, before it is taken to have slept."""


@dataclass(frozen=True, slots=True)
class Listed:
    """All that there is of one resource; what is not in it is gone."""

    api: Api
    jobs: tuple[Job, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """One object, new or changed."""

    job: Job


@dataclass(frozen=True, slots=True)
class Deleted:
    """One object, which is gone."""

    job: Job


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a resource from being seen; None: it is seen again."""

    api: Api
    error: Error | None
    first: bool = False
    """Whether it has never been seen."""


News: TypeAlias = Listed | Changed | Deleted | Trouble


class Changes:
    """Follows rows of the registry in threads, a connection each; `get` gives their news.

    A restart of the API server, a version that is too old (410), refused credentials and a laptop that slept are all
    met by listing again, as often as it takes.
    """

    def __init__(
        self,
        kube: Kube,
        rows: Sequence[tuple[Kind, Api]],
        namespace: str | None,
        *,
        selector: str | None = None,
        name: str | None = None,
        clocks: Callable[[], tuple[float, float]] = lambda: (time.time(), time.monotonic()),
    ) -> None:
        """`clocks` tell the time of day, and the time that this machine was awake for; both in seconds."""
        self._kube = kube
        self._rows = rows
        self._namespace = namespace
        self._selector = selector
        self._name = name
        self._news: queue.SimpleQueue[tuple[int, News | None]] = queue.SimpleQueue()
        self._generation = 0
        self._read_clocks = clocks
        self._clocks = clocks()

    def start(self) -> None:
        """Begin to list and watch; nothing that an earlier start brings is heard any more."""
        self._generation += 1
        for row in self._rows:
            threading.Thread(target=self._follow, args=(*row, self._generation), daemon=True).start()

    def wake(self) -> None:
        """Have a `get` that waits return at once; it may be called by a signal's handler."""
        self._news.put((0, None))

    def get(self, seconds: float) -> list[News]:
        """News, waited for so long at most; none if nothing came, or after `wake`."""
        if self._has_slept():
            # Its connections are dead, which their threads would only notice when they have been silent for long.
            self.start()
        taken: list[News] = []
        try:
            taken += self._current(*self._news.get(timeout=max(0.0, seconds)))
            while True:
                taken += self._current(*self._news.get_nowait())
        except queue.Empty:
            return taken

    def _current(self, generation: int, news: News | None) -> list[News]:
        return [news] if news is not None and generation == self._generation else []

    def _has_slept(self) -> bool:
        before, self._clocks = self._clocks, self._read_clocks()
        wall, awake = (now - then for now, then in zip(self._clocks, before, strict=True))
        return wall - awake > JUMP

    def _follow(self, kind: Kind, api: Api, generation: int) -> None:
        """List and watch one row until nobody listens any more."""
        pause, version, well, listed = FIRST_PAUSE, "", True, False
        # Whether lists, again and again, are all there is: the right to watch is missing. That is said once.
        blind = False
        while generation == self._generation:
            try:
                if not version:
                    version = self._list(kind, api, generation)
                    listed = True
                if not well and not blind:
                    self._put(generation, Trouble(api, None))
                    well = True
                version = self._watch(kind, api, version, generation)
                pause, blind = FIRST_PAUSE, False
            except Error as error:
                if not listed and isinstance(error, Forbidden | NotFound):
                    # A right, or a definition, that is missing from the start is waited for by nobody.
                    self._put(generation, Trouble(api, error, first=True))
                    return
                blind = bool(version) and isinstance(error, Forbidden)
                # Also 410: a list is never wrong, and a watch that was cut may have missed something.
                version = ""
                if pause > FIRST_PAUSE or not listed:
                    # A connection that is cut once, and is there again at once, is not worth a word.
                    self._put(generation, Trouble(api, error, first=not listed))
                    well = False
                time.sleep(pause * (0.5 + random.random()))  # noqa: S311  # it spreads requests
                pause = min(LONGEST_PAUSE, pause * 2)

    def _list(self, kind: Kind, api: Api, generation: int) -> str:
        version, found = "", list[Job]()
        for page in self._kube.pages(api, self._namespace, selector=self._selector, name=self._name):
            version = version or page.version
            found += [jobs.read(kind, api, item) for item in page.items]
        self._put(generation, Listed(api, tuple(found)))
        return version

    def _watch(self, kind: Kind, api: Api, version: str, generation: int) -> str:
        for event in self._kube.watch(api, self._namespace, version, selector=self._selector, name=self._name):
            if generation != self._generation:
                break
            version = event.version or version
            if event.type in {"ADDED", "MODIFIED", "DELETED"}:
                job = jobs.read(kind, api, event.object)
                self._put(generation, Deleted(job) if event.type == "DELETED" else Changed(job))
        return version

    def _put(self, generation: int, news: News) -> None:
        self._news.put((generation, news))
