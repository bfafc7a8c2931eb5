"""Keeping the store up to date with one resource: a list, and then a watch from where the list was."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kubectl_sagemaker.errors import Error
from kubectl_sagemaker.operator.queue import Key
from kubectl_sagemaker.operator.store import Store, key_of

if TYPE_CHECKING:
    from kubectl_sagemaker.kinds import Api
    from kubectl_sagemaker.kube import Kube
    from kubectl_sagemaker.operator.objects import Object

log: Final = logging.getLogger("kubectl_sagemaker.operator")

LONGEST_WAIT: Final = 30.0


class Watching:
    """One resource, of one namespace or of all; `run` goes on until `stopping` is set.

    `told` gets each object that is new, has changed or has gone (True), and the store's key for it.
    """

    def __init__(
        self,
        kube: Kube,
        api: Api,
        store: Store,
        told: Callable[[Key, Object, bool], None],
        *,
        namespace: str | None,
        selector: str | None = None,
        stopping: threading.Event,
    ) -> None:
        self._kube = kube
        self._api = api
        self._namespace = namespace
        self._selector = selector
        self._store = store
        self._told = told
        self._stopping = stopping
        self.synced = threading.Event()
        """Set once the store has the first list."""

    def run(self) -> None:
        """List and watch; after whatever goes wrong, wait a little, longer each time, and list again."""
        wait, trouble = 0.5, ""
        while not self._stopping.is_set():
            try:
                position = self.list()
                self.synced.set()
                wait, trouble = 0.5, ""
                while not self._stopping.is_set():
                    position = self._watch(position)
            except Error as error:
                # 410, a connection that was cut, a server that restarts: all are healed by a new list.
                if error.message != trouble:
                    log.info("%s: listing again: %s", self._api.resource, error.message)
                trouble = error.message
                self._stopping.wait(wait * random.uniform(0.5, 1.0))  # noqa: S311  # jitter is no secret
                wait = min(LONGEST_WAIT, wait * 2)

    def list(self) -> str:
        """Take in every object; return the version from which to watch."""
        listed: dict[Key, Object] = {}
        version = ""
        for page in self._kube.pages(self._api, self._namespace, selector=self._selector):
            version = version or page.version
            listed |= {key_of(self._api.resource, thing): thing for thing in page.items}
        for key, thing in listed.items():
            if self._store.put(key.resource, thing):
                self._told(key, thing, False)
        for thing in self._store.keep(self._api.resource, listed, int(version or 0)):
            self._told(key_of(self._api.resource, thing), thing, True)
        return version

    def _watch(self, version: str) -> str:
        """Take in what changes until the watch is over; return the version from which to go on."""
        for event in self._kube.watch(self._api, self._namespace, version, selector=self._selector):
            version, thing, key = event.version, event.object, key_of(self._api.resource, event.object)
            if event.type == "DELETED":
                self._store.remove(key.resource, thing)
                self._told(key, thing, True)
            elif event.type != "BOOKMARK" and self._store.put(key.resource, thing):
                self._told(key, thing, False)
            if self._stopping.is_set():
                break
        return version
