"""Which replica acts: the one that holds a Lease, which it renews, and gives back when it ends."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.errors import Conflict, Error, NotFound

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Kube

log: Final = logging.getLogger("kubectl_sagemaker.operator")

LEASE_SECONDS: Final = 15
RENEW_SECONDS: Final = 2.0
DEADLINE_SECONDS: Final = 10.0
"""Who could not renew for so long acts no more: what is under way has until the lease is over to end."""


class Leader:
    """One candidate. `acting` is set while it holds the lease."""

    def __init__(
        self,
        kube: Kube,
        *,
        namespace: str,
        name: str,
        identity: str,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._collection}/{name}"
        self._name = name
        self._identity = identity
        self._now = now
        self._seen: tuple[str, float] = ("", 0.0)
        """The version of another's lease, and when it was first seen: no clock but our own is trusted."""
        self._renewed = 0.0
        self._trouble = ""
        """Why it could not be reached at the last step: said once, not every two seconds of an outage."""
        self._other = ""
        """Who was last said to hold it."""
        self.acting = threading.Event()

    def run(self, stopping: threading.Event) -> None:
        """Stand until `stopping` is set, and give the lease back then."""
        while not stopping.is_set():
            self.step()
            stopping.wait(RENEW_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  # jitter is no secret

    def step(self) -> None:
        """Take the lease if it can be had, renew it if it is ours, and stop acting if it can't be renewed."""
        began = self._now()
        try:
            held = self._hold()
        except Conflict:
            held = False  # another was quicker; the next step sees who
        except Error as error:
            if self.acting.is_set() and self._now() - self._renewed < DEADLINE_SECONDS:
                return
            if error.message != self._trouble:
                log.info("the lease can't be reached: %s", error.message)
            self._trouble = error.message
            held = False
        else:
            self._trouble = ""
        if held:
            self._renewed, self._other = began, ""
        if held != self.acting.is_set():
            log.info("this replica (%s) %s", self._identity, "acts" if held else "acts no more")
            self.acting.set() if held else self.acting.clear()

    def give_back(self) -> None:
        """Let another replica act at once; call it when nothing is under way any more."""
        acted = self.acting.is_set()
        self.acting.clear()
        try:
            lease = self._kube.call("GET", self._path)
            if lease["spec"].get("holderIdentity") == self._identity:
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                self._kube.call("PUT", self._path, body=lease)
        except Error as error:
            if acted:
                log.info("the lease can't be given back: %s", error.message)

    def _hold(self) -> bool:
        """Whether the lease is ours, after taking or renewing it where that can be."""
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        ours: dict[str, Any] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": moment,
        }
        try:
            lease = self._kube.call("GET", self._path)
        except NotFound:
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": self._name},
                "spec": {**ours, "acquireTime": moment, "leaseTransitions": 0},
            }
            self._kube.call("POST", self._collection, body=body)
            return True
        spec, version = lease.get("spec") or {}, lease["metadata"]["resourceVersion"]
        if spec.get("holderIdentity") and spec["holderIdentity"] != self._identity:
            if version != self._seen[0]:
                self._seen = (version, self._now())
            if self._now() - self._seen[1] < (spec.get("leaseDurationSeconds") or LEASE_SECONDS):
                if spec["holderIdentity"] != self._other:
                    self._other = spec["holderIdentity"]
                    log.info("this replica (%s) stands by: %s acts", self._identity, self._other)
                return False
        if spec.get("holderIdentity") != self._identity:
            ours |= {"acquireTime": moment, "leaseTransitions": (spec.get("leaseTransitions") or 0) + 1}
        # The version makes it fail if another was quicker.
        self._kube.call("PUT", self._path, body={**lease, "spec": {**spec, **ours}})
        return True
