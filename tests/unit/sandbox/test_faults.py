"""Faults: drawn from a seed, and the same to botocore without sockets as over loopback."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from tests.transport import Clock, bind, connect, serve

GROUP = "/aws/sagemaker/TrainingJobs"
T = 1_750_000_000.0
EVERY = dict.fromkeys(Fault, 0.09)


def account_with_log() -> Account:
    account = Account(now=time.time)
    account.logs.put_lines(GROUP, "a", range(1_750_000_000_000, 1_750_000_000_100), [f"line {n}" for n in range(100)])
    return account


@contextlib.contextmanager
def without_sockets(account: Account) -> Iterator[Any]:
    logs = connect("logs", account, retries={"total_max_attempts": 1})
    bind(logs, account)
    yield logs


@contextlib.contextmanager
def over_http(account: Account) -> Iterator[Any]:
    with serve(account) as url:
        logs = connect("logs", account, url=url, read_timeout=0.3, retries={"total_max_attempts": 1})
        with contextlib.closing(logs):
            yield logs


def seen(call: Callable[[], Any]) -> str:
    """What a client makes of a call: the code of an error, the name of an exception, or how many events."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        page = call()
    except ClientError as error:
        return f"{error.response['Error']['Code']} {error.response['ResponseMetadata']['HTTPStatusCode']}"
    except BotoCoreError as error:
        return type(error).__name__
    return f"{len(page['events'])} events" if "events" in page else "no events"


@pytest.mark.parametrize("transport", [without_sockets, over_http])
@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (Fault.THROTTLED, "ThrottlingException 400"),
        (Fault.UNAVAILABLE, "ServiceUnavailableException 503"),
        (Fault.UNAVAILABLE_PAGE, "503 503"),
        (Fault.PROXY_PAGE, "no events"),
        (Fault.RESET, "ConnectionClosedError"),
        (Fault.CUT, "no events"),  # half an answer, and botocore does not compare its length
        (Fault.STALL, "ReadTimeoutError"),
        (Fault.EMPTY_PAGE, "0 events"),
        (None, "100 events"),
    ],
    ids=str,
)
def test_what_a_client_sees_of_a_fault(
    transport: Callable[[Account], contextlib.AbstractContextManager[Any]], fault: Fault | None, answer: str
) -> None:
    account = account_with_log()
    account.faults = Faults(script=[fault])
    with transport(account) as logs:
        assert seen(lambda: logs.filter_log_events(logGroupName=GROUP)) == answer
        assert seen(lambda: logs.filter_log_events(logGroupName=GROUP)) == "100 events"
    assert account.journal[0].outcome == ("ok" if fault is None else SAID.get(fault, fault.name))


SAID = {Fault.THROTTLED: "ThrottlingException", Fault.UNAVAILABLE: "ServiceUnavailableException"}


def test_a_short_page_and_a_token_that_expires_early() -> None:
    account = account_with_log()
    account.faults = Faults(script=[Fault.SHORT_PAGE, Fault.EXPIRED_TOKEN])
    with without_sockets(account) as logs:
        token = logs.filter_log_events(logGroupName=GROUP)["nextToken"]
        again = seen(lambda: logs.filter_log_events(logGroupName=GROUP, nextToken=token))
    assert again == "InvalidParameterException 400"


def test_a_fault_befalls_only_what_it_can() -> None:
    account = account_with_log()
    account.faults = Faults(script=[Fault.EXPIRED_TOKEN, Fault.EMPTY_PAGE, Fault.SHORT_PAGE])
    with without_sockets(account) as logs:
        assert seen(lambda: logs.filter_log_events(logGroupName=GROUP)) == "100 events"
        assert len(logs.describe_log_groups()["logGroups"]) == 1
        assert len(logs.describe_log_streams(logGroupName=GROUP)["logStreams"]) == 1


def test_the_same_seed_and_requests_give_the_same_faults() -> None:
    def run(seed: int) -> list[str]:
        account = account_with_log()
        account.faults = Faults(seed, EVERY)
        with without_sockets(account) as logs:
            return [seen(lambda: logs.filter_log_events(logGroupName=GROUP)) for _ in range(60)]

    assert run(7) == run(7)
    assert run(7) != run(8)


def test_faults_come_at_their_rates() -> None:
    faults = Faults(1, {Fault.THROTTLED: 0.15, Fault.RESET: 0.03})
    drawn = Counter(faults.draw("FilterLogEvents", paging=False) for _ in range(10_000))
    assert drawn[Fault.THROTTLED] == pytest.approx(1_500, rel=0.1)
    assert drawn[Fault.RESET] == pytest.approx(300, rel=0.2)
    with pytest.raises(ValueError, match="more than 1"):
        Faults(1, {Fault.THROTTLED: 0.6, Fault.RESET: 0.5})


def test_only_the_named_operations_suffer() -> None:
    faults = Faults(1, {Fault.RESET: 1.0}, operations=["FilterLogEvents"])
    assert faults.draw("DescribeTrainingJob", paging=False) is None
    assert faults.draw("FilterLogEvents", paging=False) is Fault.RESET


def test_botocores_own_retries_work_without_sockets() -> None:
    account = account_with_log()
    account.faults = Faults(script=[Fault.RESET])
    logs = connect("logs", account, retries={"total_max_attempts": 2, "mode": "standard"})
    bind(logs, account)
    page = logs.filter_log_events(logGroupName=GROUP)
    assert len(page["events"]) == 100
    assert page["ResponseMetadata"]["RetryAttempts"] == 1


def test_time_passes_for_a_test_as_it_would_on_a_network() -> None:
    clock = Clock(T)
    account = Account(now=clock)
    account.faults = Faults(script=[None, Fault.STALL])
    logs = connect("logs", account, read_timeout=20, retries={"total_max_attempts": 1})
    bind(logs, account, elapse=clock.advance, latency=0.1)
    logs.describe_log_groups()
    assert clock() == pytest.approx(T + 0.1)
    assert seen(logs.describe_log_groups) == "ReadTimeoutError"
    assert clock() == pytest.approx(T + 20.2)
