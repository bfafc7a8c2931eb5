"""The lines that say why a job failed, among the last that its instances wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from kubectl_sagemaker.logs.events import Aside, LogEvent, Page
from kubectl_sagemaker.logs.read import last_of
from kubectl_sagemaker.logs.source import Source

EVENTS: Final = 2_000
"""Events that are looked at, the newest of all instances together: a page or two."""
END: Final = 180_000
"""Milliseconds before the newest event in which the failure is looked for. SageMaker gives an instance 120 s to stop; a
traceback from long before was survived."""
SHOWN: Final = 16
"""Lines that are shown at most."""

TRACEBACK: Final = re.compile(r"\s*Traceback \(most recent call last\):")
CHAINED: Final = re.compile(r"(During handling of the above exception|The above exception was the direct cause)")
FATAL: Final = re.compile(
    r"\b(?:CRITICAL|FATAL|panic:|Segmentation fault|core dumped|Out of memory|OOM|oom-kill|Killed|terminate called)\b"
    r"|^(?:\w+\.)*\w*(?:Error|Exception)\b|\b(?:ERROR|Error)\b"
)
"""What speaks of a failure where there is no traceback."""


def failing(source: Source) -> Iterator[Aside | LogEvent]:
    """Read a failed job's last events; give those of the instance that failed first that say why."""
    yield from choose((yield from last_of(source, None, EVENTS)))


def choose(events: Page) -> Page:
    """The first traceback of the end, whole, or else the first line that speaks of a failure with what follows it.

    Whatever comes later is what the failure made of the others, and the shutting down. A message of several lines
    counts as so many events.
    """
    lines = [line for event in events for line in _split(event)]
    if not lines:
        return []
    begin = max(line["timestamp"] for line in lines) - END
    late = [line for line in lines if line["timestamp"] >= begin]
    for pattern in (TRACEBACK, FATAL):
        for line in late:
            if pattern.search(line["message"]):
                stream = [other for other in late if other["logStreamName"] == line["logStreamName"]]
                start = next(index for index, other in enumerate(stream) if other is line)
                return _shortened(_block(stream[start:]) if pattern is TRACEBACK else stream[start:][:SHOWN])
    return late[-SHOWN:]


def _split(event: LogEvent) -> Iterable[LogEvent]:
    if "\n" not in event["message"].rstrip("\n"):
        return (event,)
    return (event | {"message": text} for text in event["message"].rstrip("\n").split("\n"))


def _block(lines: Page) -> Page:
    """A traceback to the line that names its exception, and those that it is chained to."""
    end = 1
    while end < len(lines):
        text = lines[end]["message"]
        if text[:1].isspace() or not text.strip():
            end += 1
            continue
        # The exception's own line; the next may say that another exception came of it.
        end += 1
        following = next((n for n in range(end, min(end + 3, len(lines))) if lines[n]["message"].strip()), None)
        if following is not None and CHAINED.search(lines[following]["message"]):
            nested = next((n for n in range(following, len(lines)) if TRACEBACK.search(lines[n]["message"])), None)
            if nested is not None:
                end = nested + 1
                continue
        break
    return lines[:end]


def _shortened(lines: Page) -> Page:
    """The first line and the last ones: a deep stack's middle says least."""
    return lines if len(lines) <= SHOWN else [lines[0], *lines[len(lines) - SHOWN + 1 :]]
