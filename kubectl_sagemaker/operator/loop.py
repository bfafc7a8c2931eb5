"""The control loop: watches fill a queue, workers take looks from it while this replica holds the lease."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.errors import Conflict, Error, NotFound, Throttled, Unauthorized
from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.operator import objects, passes
from kubectl_sagemaker.operator.lease import Leader
from kubectl_sagemaker.operator.metrics import CountedAws, Metrics
from kubectl_sagemaker.operator.place import Refused
from kubectl_sagemaker.operator.polling import POLL_SECONDS, Polling
from kubectl_sagemaker.operator.queue import Key, Queue
from kubectl_sagemaker.operator.rows import Row
from kubectl_sagemaker.operator.store import Store, key_of
from kubectl_sagemaker.operator.watching import Watching

if TYPE_CHECKING:
    from kubectl_sagemaker.aws import Aws
    from kubectl_sagemaker.kinds import Api
    from kubectl_sagemaker.kube import Kube
    from kubectl_sagemaker.operator.objects import Object

log: Final = logging.getLogger("kubectl_sagemaker.operator")

WORKERS: Final = 10
RATE: Final = 100.0
"""Looks a second at most. SageMaker's own limits are lower: throttling slows it down to them."""
RENEWAL_SECONDS: Final = 10.0
"""Between two tries to read credentials anew that AWS does not accept."""


class Door:
    """A pass's door to the cluster, which tells the store what the operator writes, and lists from the store.

    What a look writes of its own object is no news, unless the answer shows that somebody else has changed it, too;
    what it does to another (makes it, deletes it) `told` is told.
    """

    def __init__(
        self, kube: Kube, store: Store, rows: Iterable[Row], told: Callable[[Key, Object, bool], None]
    ) -> None:
        self._kube = kube
        self.get = kube.get
        self._store = store
        self._told = told
        self._looking = threading.local()
        self._kept = {(f"{row.api.group.name}/{row.api.group.version}", row.api.kind): row.api for row in rows}

    def call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Ask the API server; what it stored is known before the watch tells it."""
        answer = self._kube.call(method, path, **request)
        api = self._kept.get((answer.get("apiVersion", ""), answer.get("kind", "")))
        if method != "GET" and api is not None:
            key = key_of(api.resource, answer)
            own = key == getattr(self._looking, "at", None) and not (
                # Deleted or edited since it was read, which the watch brings too late: the version is an older one.
                path.endswith("/status")
                and (known := self._store.get(key)) is not None
                and known["metadata"].get("generation") != answer["metadata"].get("generation")
            )
            if self._store.put(api.resource, answer, own=own) and not own:
                self._told(key, answer, False)
        return answer

    @contextmanager
    def looking(self, key: Key) -> Iterator[None]:
        """What this thread writes of an object in here is its own."""
        self._looking.at = key
        try:
            yield
        finally:
            self._looking.at = None

    def list(
        self, api: Api, namespace: str | None, *, selector: str | None = None, **options: Any
    ) -> Iterator[dict[str, Any]]:
        """Read from the store, which has every object of the operator's kinds; the owner is the one selector."""
        del options
        if selector is None:
            return iter([dict(thing) for thing in self._store.of(api.resource, namespace)])
        label, _, value = selector.partition("=")
        assert label == objects.OWNER  # noqa: S101  # what passes select by
        return iter([dict(thing) for thing in self._store.owned(api.resource, value)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a person decides."""

    namespace: str | None = None
    """Where objects are kept; None for all namespaces."""
    selector: str | None = None
    """Which of them, by their labels."""
    lease_namespace: str
    lease_name: str = "sagemaker-operator"
    identity: str
    workers: int = WORKERS
    rate: float = RATE
    poll_seconds: float = POLL_SECONDS


class Operator:
    """All of it. `run` goes on until `stopping` is set, and leaves nothing half done; its threads take the steps
    `Watching.list`, `Leader.step`, `look` and `poll`.
    """

    def __init__(
        self,
        kube: Kube,
        aws: Aws,
        rows: Iterable[Row],
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`clock` is monotonic, `now` the time of day in epoch seconds."""
        self._rows = {row.api.resource: row for row in rows}
        self._settings = settings
        self.metrics = metrics = Metrics()
        self._store = store = Store()
        self._clock, self._now = clock, now
        self._kube = Door(kube, store, self._rows.values(), self._told)
        self._aws = CountedAws(aws, metrics)
        self.stopping = threading.Event()
        self.queue = Queue(clock, rate=settings.rate)
        self.leader = Leader(
            kube,
            namespace=settings.lease_namespace,
            name=settings.lease_name,
            identity=settings.identity,
            now=clock,
        )
        self.watching = [
            Watching(
                kube,
                row.api,
                store,
                self._told,
                namespace=settings.namespace,
                selector=settings.selector,
                stopping=self.stopping,
            )
            for row in self._rows.values()
        ]
        self._polling = Polling(self._aws, self._rows.values(), now=now)
        self._threads: list[threading.Thread] = []
        self._renewed = -RENEWAL_SECONDS
        self._acted = False
        """Whether this replica acted when it last asked for changes."""
        metrics.due.set_function(lambda: len(self.queue))
        metrics.acting.set_function(self.leader.acting.is_set)
        metrics.count(self._states)

    @property
    def alive(self) -> bool:
        """Whether every thread that should run does."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def ready(self) -> bool:
        """Whether it knows every object."""
        return bool(self._threads) and all(watching.synced.is_set() for watching in self.watching)

    def run(self) -> None:
        """Watch, stand for the lease, act while it is held; end when `stopping` is set."""
        for row in self._rows.values():
            # Read once, before ten workers would each read the services' models: 216 MB, not 85 (measured).
            for part in row.inputs:
                _ = part.shape
        watches = [self._thread(watching.run, watching) for watching in self.watching]
        while not self.ready and not self.stopping.wait(0.02):
            pass
        candidate = threading.Thread(target=self.leader.run, args=(self.stopping,), name="lease", daemon=True)
        candidate.start()
        workers = [self._thread(self._work, number) for number in range(self._settings.workers)]
        poller = self._thread(self._keep_polling, "poll")
        self._threads.append(candidate)
        self.stopping.wait()
        self.queue.close()
        # What is under way ends first: another replica must not meet it.
        for thread in (*workers, poller):
            thread.join(30)
        candidate.join(5)
        self.leader.give_back()
        del watches

    def _thread(self, target: Any, what: object) -> threading.Thread:
        thread = threading.Thread(target=target, name=str(what), daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _told(self, key: Key, thing: Object, gone: bool) -> None:
        """An object is new, has changed or has gone: look at it, and at the one that it was made for."""
        if gone:
            self.queue.forget(key)
        else:
            self.queue.add(key, thing["metadata"]["resourceVersion"])
        self._wake_owner(thing)

    def _wake_owner(self, thing: Object) -> None:
        if owner := objects.owner_of(thing):
            self.queue.add(Key(owner[0].resource, thing["metadata"]["namespace"], owner[1]))

    def _work(self) -> None:
        """Take looks, one after the other, while this replica acts."""
        while not self.stopping.is_set():
            if not self.leader.acting.wait(0.5):
                continue
            key = self.queue.take()
            if key is not None:
                self.look(key)

    def look(self, key: Key) -> None:
        """Look at an object that was taken from the queue, and give it back."""
        row, thing = self._rows[key.resource], self._store.get(key)
        if thing is None:
            self.queue.forget(key)
            return
        if not self.leader.acting.is_set():
            # Lost while the queue was waited for: whoever acts next looks at everything.
            self.queue.done(key, None)
            return
        began = self._clock()
        outcome = "ok"
        try:
            with self._kube.looking(key):
                again = passes.look(row, thing, self._kube, self._aws, self._now())
        except (Conflict, NotFound):
            # Somebody else was quicker; the watch brings what there is now.
            outcome = "conflict"
            self.queue.done(key, 0.5)
        except Refused as refused:
            outcome = type(refused.error).__name__
            self.queue.failed(key)
            if isinstance(refused.error, Throttled):
                self.queue.slower()
            if isinstance(refused.error, Unauthorized):
                self._renew()
        except Error as error:
            outcome = "cluster"
            wait = self.queue.failed(key)
            log.warning("%s: %s; again in %.0f s", objects.title(row, thing), error.message, wait)
        except Exception:  # what is wrong with one object must not end the looks at all the others
            outcome = "bug"
            self.queue.failed(key)
            log.exception("%s: a look at it went wrong", objects.title(row, thing))
        else:
            self.queue.done(key, None if again is None else again - self._now(), known=self._store.is_own)
            self.queue.faster()
            if (now := self._store.get(key)) is not None and now is not thing:
                self._wake_owner(now)
        finally:
            self.metrics.looks.labels(row.api.kind, outcome).inc()
            self.metrics.seconds.labels(row.api.kind).observe(self._clock() - began)

    def _renew(self) -> None:
        """Read the credentials anew: those that were refused may have been replaced."""
        now = self._clock()
        if now - self._renewed >= RENEWAL_SECONDS:
            self._renewed = now
            self._aws.renew()

    def _keep_polling(self) -> None:
        while not self.stopping.wait(self._settings.poll_seconds):
            self.poll()

    def poll(self) -> None:
        """See by lists what has changed in SageMaker, while this replica acts."""
        acted, self._acted = self._acted, self.leader.acting.is_set()
        if not self._acted:
            return
        if not acted:
            # What another replica has seen is not known here.
            for key, _ in self._store.items():
                self.queue.add(key)
        try:
            for key in self._polling.step(self._store.items()):
                self.queue.add(key, "polled")
        except Exception:  # the next list may be in order
            log.exception("asking SageMaker for changes went wrong")

    def _states(self) -> Iterator[tuple[str, str]]:
        for key, thing in self._store.items():
            row = self._rows[key.resource]
            yield row.api.kind, dig(thing, row.api.status) or ""
