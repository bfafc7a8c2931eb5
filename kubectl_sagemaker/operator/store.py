"""The newest known state of every object that the operator keeps, as lists, watches and its own writes tell it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kubectl_sagemaker.operator.objects import OWNER, Object
from kubectl_sagemaker.operator.queue import Key

REMEMBERED: Final = 20_000
"""Own writes and deletions that are remembered: more than come back through a watch before they are forgotten."""


def key_of(resource: str, thing: Object) -> Key:
    """An object's key."""
    return Key(resource, thing["metadata"].get("namespace", ""), thing["metadata"].get("name", ""))


def version(thing: Object) -> int:
    """An object's resource version: a number, since what is stored in etcd has its revision."""
    return int(thing["metadata"]["resourceVersion"])


class Store:
    """Objects by key. Threads share it; what it gives is not to be changed."""

    def __init__(self) -> None:
        self._things: dict[Key, Object] = {}
        self._owned: dict[str, set[Key]] = {}
        """By their owner's uid."""
        self._gone: deque[str] = deque(maxlen=REMEMBERED)
        self._gone_set: set[str] = set()
        self._written: deque[str] = deque(maxlen=REMEMBERED)
        self._written_set: set[str] = set()
        self._lock = threading.Lock()

    def get(self, key: Key) -> Object | None:
        """An object, or None."""
        return self._things.get(key)

    def of(self, resource: str, namespace: str | None = None) -> list[Object]:
        """Every object of a resource, of one namespace or of all."""
        with self._lock:
            return [
                thing
                for key, thing in self._things.items()
                if key.resource == resource and namespace in {None, key.namespace}
            ]

    def owned(self, resource: str, owner: str) -> list[Object]:
        """The objects of a resource that were made for the object with a uid."""
        with self._lock:
            return [self._things[key] for key in sorted(self._owned.get(owner, ())) if key.resource == resource]

    def items(self) -> Iterator[tuple[Key, Object]]:
        """Everything, as it is now."""
        with self._lock:
            return iter(list(self._things.items()))

    def put(self, resource: str, thing: Object, *, own: bool = False) -> bool:
        """Take in an object's state; whether it is news. `own`: the operator has written it itself."""
        key = key_of(resource, thing)
        with self._lock:
            if own:
                _remember(self._written, self._written_set, thing["metadata"]["resourceVersion"])
            elif thing["metadata"]["resourceVersion"] in self._written_set:
                return False
            known = self._things.get(key)
            if thing["metadata"]["uid"] in self._gone_set or (known is not None and version(known) >= version(thing)):
                return False
            self._things[key] = thing
            if owner := _owner(thing):
                self._owned.setdefault(owner, set()).add(key)
            return True

    def remove(self, resource: str, thing: Object) -> None:
        """An object has gone."""
        key = key_of(resource, thing)
        with self._lock:
            _remember(self._gone, self._gone_set, thing["metadata"]["uid"])
            if (known := self._things.get(key)) and known["metadata"]["uid"] == thing["metadata"]["uid"]:
                self._drop(key)

    def keep(self, resource: str, listed: Mapping[Key, Object], as_of: int) -> list[Object]:
        """Forget the objects of a resource that a whole list, of a version, does not have; return them."""
        with self._lock:
            gone = [
                thing
                for key, thing in self._things.items()
                if key.resource == resource and key not in listed and version(thing) <= as_of
            ]
            for thing in gone:
                self._drop(key_of(resource, thing))
            return gone

    def is_own(self, mark: str) -> bool:
        """Whether a version is one that the operator has written itself."""
        return mark in self._written_set

    def _drop(self, key: Key) -> None:
        thing = self._things.pop(key)
        if owner := _owner(thing):
            keys = self._owned.get(owner, set())
            keys.discard(key)
            if not keys:
                self._owned.pop(owner, None)


def _owner(thing: Object) -> Any:
    return (thing["metadata"].get("labels") or {}).get(OWNER)


def _remember(order: deque[str], known: set[str], mark: str) -> None:
    if len(order) == order.maxlen:
        known.discard(order[0])
    order.append(mark)
    known.add(mark)
