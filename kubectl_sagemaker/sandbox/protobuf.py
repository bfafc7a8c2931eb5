"""Bodies that kubectl sends as protobuf for built-in kinds, read into JSON values.

kubectl 1.33 and 1.37 send SelfSubjectAccessReview, SelfSubjectReview and `create namespace` in this form alone, and
do not fall back on 415 (measured). They read JSON answers. Field numbers are those of k8s.io/api's generated.proto.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

MAGIC: Final = b"k8s\x00"

VARINT: Final = 0
BYTES: Final = 2


@dataclass(frozen=True, slots=True)
class Message:
    """What a message's fields are called: number → (name, Message), or None for a string."""

    fields: Mapping[int, tuple[str, Message | None]]


class Unreadable(Exception):
    """A body that is no protobuf of a known kind."""


META: Final = Message({1: ("name", None), 2: ("generateName", None), 3: ("namespace", None)})
RESOURCE_ATTRIBUTES: Final = Message(
    {
        1: ("namespace", None),
        2: ("verb", None),
        3: ("group", None),
        4: ("version", None),
        5: ("resource", None),
        6: ("subresource", None),
        7: ("name", None),
    }
)
PATH_ATTRIBUTES: Final = Message({1: ("path", None), 2: ("verb", None)})
ACCESS: Final = Message({1: ("resourceAttributes", RESOURCE_ATTRIBUTES), 2: ("nonResourceAttributes", PATH_ATTRIBUTES)})
KINDS: Final[Mapping[str, Message]] = {
    "Namespace": Message({1: ("metadata", META)}),
    "SelfSubjectAccessReview": Message({1: ("metadata", META), 2: ("spec", ACCESS)}),
    "SelfSubjectReview": Message({1: ("metadata", META)}),
}
TYPE_META: Final = Message({1: ("apiVersion", None), 2: ("kind", None)})


def read(body: bytes) -> dict[str, Any]:
    """Read a body: four magic bytes, then a runtime.Unknown that holds the type and the object."""
    if not body.startswith(MAGIC):
        raise Unreadable("no Kubernetes protobuf")
    envelope = dict(_fields(body[len(MAGIC) :]))
    kind = _message(envelope.get(1, b""), TYPE_META)
    message = KINDS.get(kind.get("kind", ""))
    if message is None:
        raise Unreadable(f"unknown kind {kind.get('kind')!r}")
    return {**kind, **_message(envelope.get(2, b""), message)}


def _message(content: bytes, message: Message) -> dict[str, Any]:
    """Read a message's known fields; empty strings, which protobuf sends for what is not set, are left out."""
    values: dict[str, Any] = {}
    for number, value in _fields(content):
        if number not in message.fields:
            continue
        name, inner = message.fields[number]
        if inner is not None:
            values[name] = _message(value, inner)
        elif value:
            values[name] = value.decode()
    return values


def _fields(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each field's number and bytes; numbers, of which none is needed, are passed over."""
    place = 0
    while place < len(content):
        tag, place = _varint(content, place)
        size, place = _varint(content, place)
        if tag & 7 == BYTES:
            if place + size > len(content):
                raise Unreadable("cut short")
            yield tag >> 3, content[place : place + size]
            place += size
        elif tag & 7 != VARINT:
            raise Unreadable(f"unknown wire type {tag & 7}")


def _varint(content: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(content):
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
    raise Unreadable("cut short")
