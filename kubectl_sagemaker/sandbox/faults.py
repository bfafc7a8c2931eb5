"""What goes wrong between a client and AWS, drawn from a seed: the same faults for the same sequence of requests."""

from __future__ import annotations

import enum
import random
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from kubectl_sagemaker.sandbox.protocol import Response


class Fault(enum.Enum):
    """One thing that happens to one request."""

    THROTTLED = "ThrottlingException"
    UNAVAILABLE = "503, in the service's protocol"
    UNAVAILABLE_PAGE = "503, a load balancer's HTML"
    PROXY_PAGE = "200, a proxy's HTML"
    RESET = "the connection is reset before an answer"
    CUT = "the connection is closed in the middle of the answer"
    STALL = "the request is read and never answered"
    EMPTY_PAGE = "a page of events without events, and more follows"
    SHORT_PAGE = "a page of fewer events than there are, and more follows"
    EXPIRED_TOKEN = "a token is refused before its time"  # noqa: S105 -- a paging token


PAGE_FAULTS: Final = frozenset({Fault.EMPTY_PAGE, Fault.SHORT_PAGE})
EVENT_OPERATIONS: Final = frozenset({"FilterLogEvents", "GetLogEvents"})

HTML: Final[Mapping[Fault, Response]] = {
    Fault.UNAVAILABLE_PAGE: Response(
        503,
        {"Content-Type": "text/html"},
        b"<html><body><h1>503 Service Unavailable</h1>No server is available to handle this request.</body></html>",
    ),
    Fault.PROXY_PAGE: Response(
        200,
        {"Content-Type": "text/html; charset=utf-8"},
        b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to this network.</body></html>",
    ),
}


class Interrupted(Exception):
    """The connection fails instead of answering: RESET, STALL, or CUT with the answer that is only half sent."""

    def __init__(self, fault: Fault, response: Response | None = None) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.response = response


class Faults:
    """Draws a fault or none for each request."""

    def __init__(
        self,
        seed: int = 0,
        rates: Mapping[Fault, float] | None = None,
        *,
        operations: Iterable[str] | None = None,
        script: Iterable[Fault | None] = (),
    ) -> None:
        """`rates` are probabilities that add up to at most 1.

        `operations` names those that suffer (default: all). `script` says what happens to the first of their
        requests, in order, before rates apply.
        """
        self.rates = dict(rates or {})
        if sum(self.rates.values()) > 1:
            raise ValueError("the rates add up to more than 1")
        self._random = random.Random(seed)  # noqa: S311 -- no secret; a seed must give the same faults again
        self._operations = None if operations is None else frozenset(operations)
        self._script = deque(script)

    def draw(self, operation: str, *, paging: bool) -> Fault | None:
        """The fault of the next request; `paging` says whether it carries a token.

        Every request advances the sequence by the same amount, whether or not the fault can befall it.
        """
        if self._operations is not None and operation not in self._operations:
            return None
        at = self._random.random()
        if self._script:
            return _possible(self._script.popleft(), operation, paging=paging)
        for fault, rate in self.rates.items():
            if at < rate:
                return _possible(fault, operation, paging=paging)
            at -= rate
        return None

    def take(self, fault: Fault) -> int | None:
        """How many events a page has at most with this fault; None if it doesn't cut pages."""
        lengths = {Fault.EMPTY_PAGE: (0,), Fault.SHORT_PAGE: (1, 2, 10, 500)}.get(fault)
        return None if lengths is None else self._random.choice(lengths)


def _possible(fault: Fault | None, operation: str, *, paging: bool) -> Fault | None:
    """None instead of a fault that can't befall this request."""
    if fault in PAGE_FAULTS and operation not in EVENT_OPERATIONS:
        return None
    if fault is Fault.EXPIRED_TOKEN and not paging:
        return None
    return fault
