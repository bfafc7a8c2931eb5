"""Seeing what has changed in SageMaker by List operations: a request for many jobs, in place of one for each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.operator import objects, place
from kubectl_sagemaker.operator.jobs import name_of
from kubectl_sagemaker.operator.place import Aws, Place, Refused
from kubectl_sagemaker.operator.queue import Key

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Object
    from kubectl_sagemaker.operator.rows import Row

log: Final = logging.getLogger("kubectl_sagemaker.operator")

POLL_SECONDS: Final = 5.0
OVERLAP: Final = timedelta(seconds=15)
"""How far a list goes back behind the newest change that was seen: lists show changes a little late."""
STEP: Final = timedelta(milliseconds=1)
SINGLY_SECONDS: Final = 30.0
"""Between two looks at each job where lists are refused."""


class Target(NamedTuple):
    """What one List operation is asked about."""

    operation: str
    region: str
    endpoint_url: str | None


@dataclass(slots=True)
class _Seen:
    """What a target has shown so far."""

    newest: datetime
    """The newest change, by SageMaker's clock; at first, somewhat before the beginning by ours."""
    news: datetime
    """When the newest was seen, by our clock."""
    states: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """By name, of those that changed within the overlap."""
    singly: float = 0.0
    refused: bool = False


class Polling:
    """Targets and what each has shown. `step` is called from one thread."""

    def __init__(self, aws: Aws, rows: Iterable[Row], *, now: Callable[[], float]) -> None:
        """`now` is the clock in epoch seconds."""
        self._aws = aws
        self._rows = {row.api.resource: row for row in rows}
        self._now = now
        self._seen: dict[Target, _Seen] = {}

    def step(self, things: Iterable[tuple[Key, Object]]) -> Iterator[Key]:
        """Ask each target that has something running; give the objects whose jobs have changed."""
        running: dict[Target, dict[str, set[Key]]] = {}
        shown: dict[Target, dict[str, tuple[Any, ...]]] = {}
        parents: dict[tuple[str, str | None, str], set[Key]] = {}
        for key, thing in things:
            row = self._rows.get(key.resource)
            if row is None or row.lists is None or not _is_running(row, thing):
                continue
            try:
                there = place.of(self._aws, thing, row)
            except Refused:
                continue
            name = name_of(row, thing).lower()
            target = Target(row.lists, there.region, there.endpoint_url)
            running.setdefault(target, {}).setdefault(name, set()).add(key)
            shown.setdefault(target, {})[name] = (dig(thing, row.api.status), dig(thing, row.api.secondary_status))
            if row.children:
                parents.setdefault((there.region, there.endpoint_url, name), set()).add(key)
                running.setdefault(Target(row.children.lists, there.region, there.endpoint_url), {})
        for target in [target for target in self._seen if target not in running]:
            del self._seen[target]
        for target, names in running.items():
            for name in self._ask(target, names, shown.get(target, {})):
                yield from names.get(name, ())
                # A tuning job's children are TUNING-NNN-HASH.
                yield from parents.get((target.region, target.endpoint_url, name.rsplit("-", 2)[0]), ())

    def _ask(self, target: Target, names: Iterable[str], shown: Mapping[str, tuple[Any, ...]]) -> list[str]:
        """The names of a target's jobs that have changed since it was last asked, in lower case.

        One that is seen first has changed if an object shows another state of it than the list.
        """
        moment = datetime.fromtimestamp(self._now(), UTC)
        seen = self._seen.setdefault(target, _Seen(moment - 8 * OVERLAP, moment))
        kind = target.operation.removeprefix("List").removesuffix("s")
        changed = []
        # Without end, a thousand jobs that began together would be listed again with every list.
        newest, since = seen.newest, seen.newest - (OVERLAP if moment - seen.news <= 2 * OVERLAP else -STEP)
        try:
            there = Place(self._aws, target.region, target.endpoint_url)
            for item in there.listed(target.operation, {"LastModifiedTimeAfter": since}):
                name, at = item[f"{kind}Name"].lower(), item["LastModifiedTime"]
                state = (at, item[f"{kind}Status"], item.get("SecondaryStatus"))
                before = seen.states.get(name) or (at, *shown.get(name, ()))
                if before != state:
                    changed.append(name)
                seen.states[name] = state
                newest = max(newest, at)
        except Refused as refused:
            if refused.transient:
                log.debug("%s in %s: %s", target.operation, target.region, refused.error.message)
                return changed
            if not seen.refused:
                seen.refused = True
                log.warning(
                    "what has changed is not told, so each job is looked at every %.0f s: %s",
                    SINGLY_SECONDS,
                    refused.error.message,
                )
            if self._now() - seen.singly >= SINGLY_SECONDS:
                seen.singly = self._now()
                return list(names)
            return []
        seen.refused = False
        # Only now: of a list that broke off between two pages, the rest is still to be seen.
        if newest > seen.newest:
            seen.newest, seen.news = newest, moment
        old = seen.newest - 2 * OVERLAP
        seen.states = {name: state for name, state in seen.states.items() if state[0] > old}
        return changed


def _is_running(row: Row, thing: Object) -> bool:
    """Whether SageMaker may change what an object shows."""
    status = dig(thing, row.api.status)
    return status is not None and (objects.going(thing) or not row.kind.ended(status))
