"""AWS or the API server is lost for ten minutes and more: the loop goes on by itself, soon, and does nothing twice.

The loop's own steps, on a test's clock: in `Operator.run` threads take them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import pytest

from kubectl_sagemaker.errors import Error
from kubectl_sagemaker.operator.lease import DEADLINE_SECONDS, RENEW_SECONDS, Leader
from kubectl_sagemaker.operator.loop import Operator, Settings
from kubectl_sagemaker.operator.polling import POLL_SECONDS
from kubectl_sagemaker.operator.queue import LONGEST_WAIT
from kubectl_sagemaker.operator.store import Store
from kubectl_sagemaker.operator.watching import LONGEST_WAIT as LONGEST_PAUSE
from kubectl_sagemaker.operator.watching import Watching
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from kubectl_sagemaker.sandbox.protocol import AwsError
from kubectl_sagemaker.sandbox.sagemaker import Stage, ordinary
from tests.lab import ROW, Lab
from tests.specs import EDITS, ENDPOINT, JOBS, SPECS

MINUTE: Final = 60.0
KEPT: Final = ("model", "endpointconfig", "hostingdeployment", "hostingautoscalingpolicy")
DONE: Final = {"model": "Created", "endpointconfig": "Created", "hostingdeployment": "InService"}
DONE["hostingautoscalingpolicy"] = "Created"


class Loop:
    """The operator in a lab, a second at a time."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        settings = Settings(lease_namespace="default", identity="one", rate=1000)
        self.operator = Operator(lab.kube, lab.aws, ROW.values(), settings, clock=lab.clock, now=lab.clock)
        self._next = {"list": 0.0, "lease": 0.0, "poll": 0.0}

    def second(self) -> None:
        """What its threads would do within the next second."""
        operator = self.operator
        self.lab.clock.advance(1)
        if self._is_time("list", 3):
            # As if each watch broke off; after what goes wrong, the longest pause.
            try:
                for watching in operator.watching:
                    watching.list()
            except Error:
                self._next["list"] = self.lab.clock() + LONGEST_PAUSE
        if self._is_time("lease", RENEW_SECONDS):
            operator.leader.step()
        if self._is_time("poll", POLL_SECONDS):
            operator.poll()
        while operator.leader.acting.is_set() and (wait := operator.queue.wait()) is not None and wait <= 0:
            key = operator.queue.take()
            assert key is not None
            operator.look(key)

    def _is_time(self, step: str, every: float) -> bool:
        if self.lab.clock() < self._next[step]:
            return False
        self._next[step] = self.lab.clock() + every
        return True

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> float:
        """Go on for so long, or until something holds; the seconds that it took."""
        for passed in range(int(seconds)):
            if until():
                return passed
            self.second()
        return seconds


def _begun() -> tuple[Lab, Loop]:
    """One of each kind in being, by the name `old`, jobs that run and one of each that is to end in five minutes."""
    lab = Lab()
    kinds = {ROW[singular].kind.name for singular in JOBS}
    lab.account.jobs.lifecycle = lambda kind, parameters: (
        (Stage(0, "InProgress"), Stage(300 if parameters[f"{kind}Name"].startswith("ends") else 1e6, "Completed"))
        if kind in kinds
        else ordinary(kind, parameters)
    )
    lab.account.jobs.put("Endpoint", ENDPOINT, (Stage(0, "InService"),))
    loop = Loop(lab)
    for singular in ROW:
        lab.apply(singular, "old", SPECS[singular])
    for singular in JOBS:
        for name in ("goes", "ends"):
            spec = {
                **SPECS[singular],
                **({ROW[singular].spec_name or "": f"ends-{singular[:5]}"} if name == "ends" else {}),
            }
            lab.apply(singular, name, spec if ROW[singular].spec_name else SPECS[singular])
    loop.run(
        120, lambda: _states(lab, "goes", JOBS) == _states(lab, "old", JOBS) == {"InProgress"} and _kept(lab, "old")
    )
    assert _kept(lab, "old")
    return lab, loop


def _states(lab: Lab, name: str, kinds: Any) -> set[Any]:
    return {lab.status(one, name).get(ROW[one].state) for one in kinds}


def _kept(lab: Lab, name: str) -> bool:
    return all(lab.status(one, name).get(ROW[one].state) == DONE[one] for one in KEPT)


def _asks(lab: Lab) -> None:
    """What people do meanwhile: new objects of each kind, edits and deletions."""
    for singular in ROW:
        lab.apply(singular, "new", SPECS[singular])
    for singular in KEPT:
        lab.edit(singular, "old", EDITS[singular])
    for singular in JOBS:
        lab.delete(singular, "goes")


def _is_right(lab: Lab) -> bool:
    """Whether all of that is so."""
    updated = lab.sagemaker("EndpointConfig", lab.status("hostingdeployment", "old").get("endpointConfigName", ""))
    return (
        _states(lab, "new", JOBS) == {"InProgress"}
        and not any(lab.there(singular, "goes") for singular in JOBS)
        and all(_kept(lab, name) for name in ("old", "new"))
        and (updated or {}).get("KmsKeyId") == "key"
        and _states(lab, "ends", ("trainingjob", "batchtransformjob", "hyperparametertuningjob")) == {"Completed"}
    )


def _nothing_twice(lab: Lab) -> None:
    done = Counter(one.operation for one in lab.account.journal if one.outcome in {"ok", "CUT"})
    assert {kind: done[f"Create{kind}"] for kind in ("TrainingJob", "TransformJob", "ProcessingJob")} == {
        "TrainingJob": 4,
        "TransformJob": 4,
        "ProcessingJob": 4,
    }
    hosted = {verb: done[verb] for verb in ("CreateEndpoint", "UpdateEndpoint", "DeleteEndpoint")}
    assert hosted == {"CreateEndpoint": 2, "UpdateEndpoint": 1, "DeleteEndpoint": 0}
    assert done["CreateHyperParameterTuningJob"] == 4
    # Two deployments of two models each, one of them made anew for the edit; two Models, one of them edited.
    assert done["CreateModel"] == 6 + 3


Trouble = Callable[[Lab], None]


def _failing(error: str, **words: Any) -> Trouble:
    def trouble(lab: Lab) -> None:
        import botocore.exceptions

        lab.fails = lambda url: getattr(botocore.exceptions, error)(endpoint_url=url, **words)

    return trouble


def _refusing(code: str, status: int) -> Trouble:
    def trouble(lab: Lab) -> None:
        lab.account.refuses = lambda operation, given: AwsError(code, "as the test has it", status=status)

    return trouble


def _cut_off(lab: Lab) -> None:
    """Every request is carried out, and no answer comes back."""
    lab.account.faults = Faults(0, {Fault.CUT: 1.0})


OUTAGES: Final[dict[str, Trouble]] = {
    "connections are refused": _failing("EndpointConnectionError"),
    "answers time out": _failing("ReadTimeoutError"),
    "503": _refusing("ServiceUnavailable", 503),
    "throttled": _refusing("ThrottlingException", 400),
    "access denied": _refusing("AccessDeniedException", 400),
    "expired credentials": _refusing("ExpiredTokenException", 403),
}


@pytest.mark.parametrize("outage", OUTAGES)
def test_aws_is_lost(outage: str) -> None:
    lab, loop = _begun()
    OUTAGES[outage](lab)
    _asks(lab)
    before = len(lab.account.journal)
    minutes = 10
    loop.run(minutes * MINUTE)
    # 28 objects with a minute between two looks, or half of it, and five lists every 5 s; where those are refused, each
    # object is asked about twice a minute besides.
    asked = lab.failed + len(lab.account.journal) - before
    assert asked <= minutes * (28 * 4 + 5 * 12) + 28 * 8
    assert lab.renewals <= minutes * 6 + 1
    assert ("credentials" in outage) == (lab.renewals > 0)
    lab.fails = None
    lab.heal()
    # A step of the longest wait, and what SageMaker takes: 10 s for an endpoint, 10 s for its update.
    assert loop.run(300, lambda: _is_right(lab)) <= LONGEST_WAIT + 30
    _nothing_twice(lab)


def test_answers_of_aws_s_are_lost_and_then_it_is() -> None:
    """What was carried out unheard is found by its name, and not done again."""
    lab, loop = _begun()
    _cut_off(lab)
    _asks(lab)
    loop.run(20)
    OUTAGES["connections are refused"](lab)
    loop.run(10 * MINUTE)
    lab.fails = lab.account.faults = None
    assert loop.run(300, lambda: _is_right(lab)) <= LONGEST_WAIT + 30
    _nothing_twice(lab)


def test_the_api_server_is_lost() -> None:
    lab, loop = _begun()
    _asks(lab)
    # It goes away in the middle of a look, after a write that it has stored.

    def goes_away(step: str) -> bool:
        lab.cluster_away = step.startswith("PATCH")
        return False

    lab.kills = goes_away
    loop.run(5, lambda: lab.cluster_away)
    lab.kills = lambda step: False
    assert lab.cluster_away
    loop.run(DEADLINE_SECONDS + RENEW_SECONDS)
    assert not loop.operator.leader.acting.is_set(), "another may act where this one can't see"
    before = len(lab.account.journal)
    loop.run(10 * MINUTE)
    assert len(lab.account.journal) == before, "who does not act asks for nothing"
    lab.cluster_away = False
    assert loop.run(300, lambda: _is_right(lab)) <= LONGEST_PAUSE + 45
    _nothing_twice(lab)


def test_both_are_lost() -> None:
    lab, loop = _begun()
    _asks(lab)
    loop.second()
    OUTAGES["connections are refused"](lab)
    lab.cluster_away = True
    loop.run(10 * MINUTE)
    lab.cluster_away = False
    loop.run(5 * MINUTE)
    lab.fails = None
    assert loop.run(300, lambda: _is_right(lab)) <= LONGEST_WAIT + 30
    _nothing_twice(lab)


class Stopping(threading.Event):
    """Stops after so many seconds; who waits on it lets the time pass."""

    def __init__(self, lab: Lab, seconds: float) -> None:
        super().__init__()
        self._lab = lab
        self._end = lab.clock() + seconds
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self._lab.clock.advance(timeout or 0.0)
        return self.is_set()

    def is_set(self) -> bool:
        return self._lab.clock() >= self._end


def test_a_list_that_fails_is_tried_again_within_half_a_minute() -> None:
    """The thread's own pauses, which the tests above take to be as long as they can be."""
    lab = Lab()
    lab.cluster_away = True
    stopping = Stopping(lab, 10 * MINUTE)
    row = ROW["trainingjob"]
    Watching(lab.kube, row.api, Store(), lambda *_: None, namespace=None, stopping=stopping).run()
    assert max(stopping.waits) <= LONGEST_PAUSE
    assert 20 <= len(stopping.waits) <= 60


def test_a_lease_that_can_t_be_renewed_is_stood_for_all_the_time(caplog: pytest.LogCaptureFixture) -> None:
    lab = Lab()
    caplog.set_level("INFO", "kubectl_sagemaker.operator")
    leader = Leader(lab.kube, namespace="default", name="op", identity="one", now=lab.clock)
    leader.step()
    lab.cluster_away = True
    stopping = Stopping(lab, 10 * MINUTE)
    leader.run(stopping)
    assert not leader.acting.is_set()
    assert max(stopping.waits) <= 1.2 * RENEW_SECONDS
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "this replica (one) acts",
        "the lease can't be reached",
        "this replica (one) acts no more",
    ]
    lab.cluster_away = False
    leader.step()
    assert leader.acting.is_set()


@pytest.mark.parametrize("singular", JOBS)
def test_a_deletion_while_its_state_is_being_written_is_not_missed(singular: str) -> None:
    """The answer shows it, and the watch tells it of a version that is older than the operator's own write."""
    lab = Lab()
    loop = Loop(lab)

    def lifecycle(kind: str, parameters: Any) -> tuple[Stage, ...]:
        del kind, parameters
        if not lab.get(singular, "x")["metadata"].get("deletionTimestamp"):
            lab.delete(singular, "x")
        return (Stage(0, "InProgress"), Stage(1e6, "Completed"))

    lab.account.jobs.lifecycle = lifecycle
    lab.apply(singular, "x", SPECS[singular])
    assert loop.run(60, lambda: not lab.there(singular, "x")) < 60
