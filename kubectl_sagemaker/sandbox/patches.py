"""Patches of JSON values: merge patch (RFC 7396), JSON patch (RFC 6902) and Kubernetes' strategic merge patch, each
giving a new value."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("containers", "initContainers", "env", "volumes", "imagePullSecrets", "secrets"), ("name",)),
    "ports": ("containerPort", "port"),
    "volumeMounts": ("mountPath",),
    "ownerReferences": ("uid",),
    "conditions": ("type",),
    "topologySpreadConstraints": ("topologyKey",),
}
"""Lists whose items a strategic merge patch merges, and the members by which it finds each: those of the built-in kinds
that are served, by `x-kubernetes-patch-merge-key` in Kubernetes' OpenAPI. Other lists are replaced."""
SETS: Final = frozenset({"finalizers"})
"""Lists of words to which such a patch adds."""


class BadPatch(Exception):
    """A patch that does not fit the value, or a JSON patch whose test fails."""


def merge(value: Any, patch: Any) -> Any:
    """Apply a merge patch; `null` removes a member."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(value) if isinstance(value, Mapping) else {}
    for name, member in patch.items():
        if member is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), member)
    return merged


def strategic(value: Any, patch: Any) -> Any:
    """Apply a strategic merge patch, with its directives (`$patch`, `$retainKeys`, …); raise BadPatch."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    plain = {name: member for name, member in patch.items() if not name.startswith("$")}
    directive = patch.get("$patch", "merge")
    if directive not in {"merge", "replace"}:
        raise BadPatch(f"unknown directive {directive!r}")
    merged = dict(value) if isinstance(value, Mapping) and directive == "merge" else {}
    if (kept := patch.get("$retainKeys")) is not None:
        merged = {name: member for name, member in merged.items() if name in kept}
    for name, member in plain.items():
        old = merged.get(name)
        if member is None:
            merged.pop(name, None)
        elif name in KEYS and isinstance(member, list):
            merged[name] = _items(old or [], member, KEYS[name])
        elif name in SETS and isinstance(member, list):
            merged[name] = [*(old or ()), *(word for word in member if word not in (old or ()))]
        else:
            merged[name] = strategic(old, member)
    for directive, words in patch.items():
        what, _, name = directive.partition("/")
        if what == "$deleteFromPrimitiveList" and name in merged:
            merged[name] = [word for word in merged[name] if word not in words]
        elif what == "$setElementOrder" and name in merged:
            merged[name] = _ordered(merged[name], words, KEYS.get(name, ()))
    return merged


def _mark(item: Any, keys: tuple[str, ...]) -> Any:
    """What an item of a list is found by."""
    if not keys:
        return item
    if not isinstance(item, Mapping) or not (found := [item[key] for key in keys if key in item]):
        raise BadPatch(f"an item has none of {', '.join(keys)}")
    return found[0]


def _items(old: Sequence[Any], patch: Sequence[Any], keys: tuple[str, ...]) -> list[Any]:
    """A list whose items are merged with those of a patch that have the same key."""
    if any(isinstance(item, Mapping) and item.get("$patch") == "replace" for item in patch):
        return [copy.deepcopy(item) for item in patch if item != {"$patch": "replace"}]
    items = {_mark(item, keys): item for item in old}
    for item in patch:
        mark = _mark(item, keys)
        if item.get("$patch") == "delete":
            items.pop(mark, None)
        else:
            items[mark] = strategic(items.get(mark), item)
    return list(items.values())


def _ordered(items: Sequence[Any], order: Sequence[Any], keys: tuple[str, ...]) -> list[Any]:
    """A list in the order of a patch, and at its end what the patch does not name."""
    places = {_mark(item, keys): place for place, item in enumerate(order)}
    return sorted(items, key=lambda item: places.get(_mark(item, keys), len(places)))


def applied(before: Any, config: Any) -> Any:
    """The merge patch by which somebody who applied `before` applies `config`: what is in it no more is removed."""
    if not isinstance(before, Mapping) or not isinstance(config, Mapping):
        return config
    gone = dict.fromkeys(before.keys() - config.keys())
    return gone | {name: applied(before.get(name), member) for name, member in config.items()}


def apply(value: Any, operations: Sequence[Any]) -> Any:
    """Apply a JSON patch's operations in order; raise BadPatch and change nothing when one of them fails."""
    document = {"": copy.deepcopy(value)}
    for operation in operations:
        try:
            _step(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise BadPatch(str(error)) from error
    return document[""]


def _step(document: dict[str, Any], operation: Mapping[str, Any]) -> None:
    """Do one operation on `document`, whose one member "" is the value: a pointer's first word is empty as well."""
    path = operation["path"]
    match operation["op"]:
        case "add":
            _add(document, path, copy.deepcopy(operation["value"]))
        case "remove":
            _remove(document, path)
        case "replace":
            _remove(document, path)
            _add(document, path, copy.deepcopy(operation["value"]))
        case "move":
            _add(document, path, _remove(document, operation["from"]))
        case "copy":
            _add(document, path, copy.deepcopy(_get(document, operation["from"])))
        case "test":
            if _get(document, path) != operation["value"]:
                raise ValueError(f"test failed: {path}")
        case other:
            raise ValueError(f"unknown operation: {other}")


def _split(document: Any, pointer: str) -> tuple[Any, str]:
    """The container that a pointer leads into, and the last word."""
    *words, last = (word.replace("~1", "/").replace("~0", "~") for word in pointer.split("/"))
    for word in words:
        document = document[_key(document, word)]
    return document, last


def _key(container: Any, word: str) -> Any:
    if not isinstance(container, list):
        return word
    if not word.isdecimal():
        raise IndexError(f"no such place: {word}")
    return int(word)


def _get(document: Any, pointer: str) -> Any:
    container, last = _split(document, pointer)
    return container[_key(container, last)]


def _remove(document: Any, pointer: str) -> Any:
    container, last = _split(document, pointer)
    return container.pop(_key(container, last))


def _add(document: Any, pointer: str, value: Any) -> None:
    container, last = _split(document, pointer)
    if not isinstance(container, list):
        container[last] = value
        return
    place = len(container) if last == "-" else _key(container, last)
    if place > len(container):
        raise IndexError(f"no such place: {pointer}")
    container.insert(place, value)
