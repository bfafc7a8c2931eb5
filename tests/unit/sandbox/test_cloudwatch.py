"""Every rule of CloudWatch Logs' API that a reader can stumble over, asked with real botocore clients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from kubectl_sagemaker.sandbox.aws import Account
from kubectl_sagemaker.sandbox.cloudwatch import compile_pattern
from kubectl_sagemaker.sandbox.faults import Fault, Faults
from kubectl_sagemaker.sandbox.protocol import AwsError, check, operation_model
from tests.transport import Clock, bind, connect

T = 1_750_000_000_000
"""ms; the clock of these tests starts a minute later."""
GROUP = "/aws/sagemaker/TrainingJobs"


@pytest.fixture
def clock() -> Clock:
    return Clock(T / 1000 + 60)


@pytest.fixture
def account(clock: Clock) -> Account:
    return Account(now=clock)


@pytest.fixture
def logs(account: Account, clock: Clock) -> Any:
    """A client for which a request takes a millisecond: no token is the same as another by the time it was made."""
    client = connect("logs", account, retries={"total_max_attempts": 1})
    bind(client, account, elapse=clock.advance, latency=0.001)
    return client


def refused(call: Any, **parameters: Any) -> str:
    """The code of the error that a call is answered with."""
    from botocore.exceptions import ClientError

    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value.response["Error"]["Code"])


def pages(logs: Any, **parameters: Any) -> Iterator[dict[str, Any]]:
    """All pages of one chain of FilterLogEvents."""
    page = logs.filter_log_events(logGroupName=GROUP, **parameters)
    yield page
    while "nextToken" in page:
        page = logs.filter_log_events(logGroupName=GROUP, nextToken=page["nextToken"], **parameters)
        yield page


def messages(page: dict[str, Any]) -> list[str]:
    return [event["message"] for event in page["events"]]


def read(logs: Any, **parameters: Any) -> list[str]:
    """The messages of a whole chain."""
    return [message for page in pages(logs, **parameters) for message in messages(page)]


def put(account: Account, stream: str, *texts: str, at: int = T) -> None:
    """Put lines a millisecond apart."""
    for number, text in enumerate(texts):
        account.logs.put(GROUP, stream, at + number, text)


# FilterLogEvents: what is read


def test_events_come_by_timestamp_then_ingestion_across_streams(account: Account, logs: Any) -> None:
    account.logs.put(GROUP, "a", T + 5, "third", ingested=T + 9)
    account.logs.put(GROUP, "b", T + 5, "second", ingested=T + 8)
    account.logs.put(GROUP, "b", T + 6, "fourth")
    account.logs.put(GROUP, "a", T, "first", ingested=T + 100)
    assert read(logs) == ["first", "second", "third", "fourth"]


def test_both_ends_of_the_time_range_are_inclusive(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1", "2", "3")
    assert read(logs, startTime=T + 1, endTime=T + 2) == ["1", "2"]


def test_a_prefix_is_a_prefix_and_no_more(account: Account, logs: Any) -> None:
    put(account, "xgb/algo-1", "mine")
    put(account, "xgb-2/algo-1", "another's")
    assert read(logs, logStreamNamePrefix="xgb/") == ["mine"]
    assert read(logs, logStreamNamePrefix="xgb") == ["mine", "another's"]


def test_stream_names_select_and_must_exist(account: Account, logs: Any) -> None:
    put(account, "a", "1")
    put(account, "b", "2")
    assert read(logs, logStreamNames=["b"]) == ["2"]
    unknown = refused(logs.filter_log_events, logGroupName=GROUP, logStreamNames=["a", "c"])
    assert unknown == "ResourceNotFoundException"


@pytest.mark.parametrize(
    "parameters",
    [
        {"logStreamNames": ["a"], "logStreamNamePrefix": "a"},
        {"logStreamNames": [f"s{number}" for number in range(101)]},
        {"limit": 10_001},
        {"logGroupIdentifier": GROUP},
    ],
    ids=["names and prefix", "101 names", "limit", "name and identifier"],
)
def test_parameters_that_cannot_be_are_refused(account: Account, logs: Any, parameters: dict[str, Any]) -> None:
    put(account, "a", "1")
    assert refused(logs.filter_log_events, logGroupName=GROUP, **parameters) == "InvalidParameterException"


def test_a_group_can_be_named_by_its_arn(account: Account, logs: Any) -> None:
    put(account, "a", "1")
    for identifier in (GROUP, account.arn("logs", f"log-group:{GROUP}")):
        assert messages(logs.filter_log_events(logGroupIdentifier=identifier)) == ["1"]


def test_event_ids_are_unique_and_stay(account: Account, logs: Any) -> None:
    put(account, "a", "same", "same")
    account.logs.put(GROUP, "a", T, "same")
    account.logs.put(GROUP, "b", T, "same")
    account.logs.put("another", "a", T, "same")
    first = [event["eventId"] for event in logs.filter_log_events(logGroupName=GROUP)["events"]]
    account.logs.put(GROUP, "a", T - 1, "earlier")
    again = [event["eventId"] for event in logs.filter_log_events(logGroupName=GROUP)["events"]]
    other = [event["eventId"] for event in logs.filter_log_events(logGroupName="another")["events"]]
    assert again[1:] == first
    assert len({*again, *other}) == 6
    assert {len(event) for event in again} == {56}


def test_an_event_is_not_shown_before_its_moment(account: Account, logs: Any, clock: Clock) -> None:
    event = account.logs.put(GROUP, "a", T, "late", visible_at=clock() + 3, ingested=T + 7)
    put(account, "a", "early")
    assert read(logs) == ["early"]
    clock.advance(3)
    shown = logs.filter_log_events(logGroupName=GROUP)["events"][1]
    assert shown == {
        "logStreamName": "a",
        "timestamp": T,
        "message": "late",
        "ingestionTime": T + 7,
        "eventId": event,
    }


def test_a_lone_surrogate_is_sent_as_json_escapes_it(account: Account, logs: Any) -> None:
    put(account, "a", "half \ud83d emoji")
    assert read(logs) == ["half \ud83d emoji"]


# FilterLogEvents: pages


def test_a_page_has_at_most_ten_thousand_events(account: Account, logs: Any) -> None:
    account.logs.put_lines(GROUP, "a", range(T, T + 10_001), ["x"] * 10_001)
    assert [len(page["events"]) for page in pages(logs)] == [10_000, 1]


def test_a_page_has_at_most_a_megabyte_of_messages(account: Account, logs: Any) -> None:
    put(account, "a", *["ä" * (1 << 17)] * 5)  # 256 KiB each in UTF-8
    assert [len(page["events"]) for page in pages(logs)] == [4, 1]


def test_the_end_is_no_token_and_nothing_else(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1", "2", "3")
    found = list(pages(logs, limit=2))
    assert [messages(page) for page in found] == [["0", "1"], ["2", "3"]]
    assert ["nextToken" in page for page in found] == [True, False]
    assert all(not page.get("searchedLogStreams") for page in found)


def test_a_bounded_scan_answers_empty_pages_while_more_follows(account: Account, logs: Any) -> None:
    account.logs.scan_limit = 100
    account.logs.put_lines(GROUP, "a", range(T, T + 250), ["no"] * 249 + ["yes"])
    assert [messages(page) for page in pages(logs, filterPattern="yes")] == [[], [], ["yes"]]


def test_pages_may_be_cut_anywhere_without_loss(account: Account, logs: Any) -> None:
    texts = [str(number) for number in range(2_000)]
    account.logs.put_lines(GROUP, "a", range(T, T + 2_000), texts)
    account.faults = Faults(5, {Fault.SHORT_PAGE: 0.5}, script=[Fault.EMPTY_PAGE, Fault.SHORT_PAGE, Fault.EMPTY_PAGE])
    found = list(pages(logs))
    assert [message for page in found for message in messages(page)] == texts
    assert any(not page["events"] and "nextToken" in page for page in found)


# FilterLogEvents: tokens are positions


def test_an_event_that_appears_behind_the_token_is_lost_to_its_chain(account: Account, logs: Any, clock: Clock) -> None:
    put(account, "a", "0", "1", "2", "3")
    account.logs.put(GROUP, "a", T, "behind", visible_at=clock() + 1)
    account.logs.put(GROUP, "a", T + 3, "ahead", visible_at=clock() + 1)
    first = logs.filter_log_events(logGroupName=GROUP, limit=2)
    clock.advance(1)
    rest = logs.filter_log_events(logGroupName=GROUP, nextToken=first["nextToken"])
    assert messages(first) + messages(rest) == ["0", "1", "2", "3", "ahead"]
    assert read(logs) == ["0", "behind", "1", "2", "3", "ahead"]


def test_a_stream_created_later_is_not_seen_by_an_old_token(account: Account, logs: Any, clock: Clock) -> None:
    put(account, "a", "0", "1", "2", "3")
    first = logs.filter_log_events(logGroupName=GROUP, limit=1)
    clock.advance(1)
    account.logs.put(GROUP, "b", T + 2, "of a new stream", visible_at=clock())
    second = logs.filter_log_events(logGroupName=GROUP, nextToken=first["nextToken"], limit=1)
    rest = logs.filter_log_events(logGroupName=GROUP, nextToken=second["nextToken"])
    assert messages(second) + messages(rest) == ["1", "2", "3"]
    assert "of a new stream" in read(logs)


def test_a_token_lives_24_hours(account: Account, logs: Any, clock: Clock) -> None:
    put(account, "a", "0", "1")
    token = logs.filter_log_events(logGroupName=GROUP, limit=1)["nextToken"]
    clock.advance(86_399)
    assert messages(logs.filter_log_events(logGroupName=GROUP, nextToken=token)) == ["1"]
    clock.advance(1)
    assert refused(logs.filter_log_events, logGroupName=GROUP, nextToken=token) == "InvalidParameterException"


@pytest.mark.parametrize(
    "other",
    [{"startTime": T}, {"endTime": T + 9}, {"logStreamNamePrefix": "a"}, {"filterPattern": "x"}],
    ids=lambda other: next(iter(other)),
)
def test_a_token_is_good_only_with_its_own_parameters(account: Account, logs: Any, other: dict[str, Any]) -> None:
    put(account, "a", "0", "1")
    token = logs.filter_log_events(logGroupName=GROUP, limit=1)["nextToken"]
    code = refused(logs.filter_log_events, logGroupName=GROUP, nextToken=token, **other)
    assert code == "InvalidParameterException"


@pytest.mark.parametrize("token", ["x", "AAAAAAAA", "Zm9vYmFy", "ä"])
def test_a_token_that_was_never_given_is_refused(account: Account, logs: Any, token: str) -> None:
    put(account, "a", "0", "1")
    assert refused(logs.filter_log_events, logGroupName=GROUP, nextToken=token) == "InvalidParameterException"


# FilterLogEvents: newest first


def test_newest_first_reads_the_same_events_backwards(account: Account, logs: Any) -> None:
    put(account, "a", "0", "2", "4", at=T)
    put(account, "b", "1", "3", "5", at=T)
    forward = read(logs, startTime=T, limit=2)
    assert read(logs, startTime=T, limit=2, startFromHead=False) == forward[::-1]


def test_newest_first_needs_a_start_time_since_2024(account: Account, logs: Any) -> None:
    put(account, "a", "0")
    for start in ({}, {"startTime": 1_704_067_199_999}):
        code = refused(logs.filter_log_events, logGroupName=GROUP, startFromHead=False, **start)
        assert code == "InvalidParameterException"
    assert read(logs, startFromHead=False, startTime=1_704_067_200_000) == ["0"]


def test_the_tokens_direction_wins(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1", "2")
    first = logs.filter_log_events(logGroupName=GROUP, startTime=T, startFromHead=False, limit=1)
    second = logs.filter_log_events(logGroupName=GROUP, startTime=T, startFromHead=True, nextToken=first["nextToken"])
    assert messages(first) + messages(second) == ["2", "1", "0"]


# Filter patterns


@pytest.mark.parametrize(
    ("pattern", "matching"),
    [
        ("", ["ERROR disk full", "WARN disk", "INFO ok"]),
        ("disk", ["ERROR disk full", "WARN disk"]),
        ("disk ERROR", ["ERROR disk full"]),
        ('"disk full"', ["ERROR disk full"]),
        ("?ERROR ?INFO", ["ERROR disk full", "INFO ok"]),
        ("disk -full", ["WARN disk"]),
        ('-"disk full" -INFO', ["WARN disk"]),
        ("error", []),
    ],
)
def test_terms_of_a_filter_pattern(account: Account, logs: Any, pattern: str, matching: list[str]) -> None:
    put(account, "a", "ERROR disk full", "WARN disk", "INFO ok")
    assert read(logs, filterPattern=pattern) == matching


@pytest.mark.parametrize("pattern", ["{ $.level = 1 }", "[a, b]", "%re%", "loss=1", '"open', "?a b", "?a -b"])
def test_other_filter_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(AwsError, match="InvalidParameterException"):
        compile_pattern(pattern)


# GetLogEvents


def get(logs: Any, **parameters: Any) -> dict[str, Any]:
    answer: dict[str, Any] = logs.get_log_events(logGroupName=GROUP, logStreamName="a", **parameters)
    return answer


def test_the_newest_page_is_first_and_each_page_ascends(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1", "2", "3", "4")
    newest = get(logs, limit=2)
    older = get(logs, limit=2, nextToken=newest["nextBackwardToken"])
    oldest = get(logs, limit=2, nextToken=older["nextBackwardToken"])
    assert [messages(page) for page in (newest, older, oldest)] == [["3", "4"], ["1", "2"], ["0"]]


def test_the_end_is_the_token_that_was_passed(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1", "2")
    page = get(logs, limit=2, startFromHead=True)
    seen, tokens = messages(page), [page["nextForwardToken"]]
    for _ in range(5):
        page = get(logs, limit=2, startFromHead=True, nextToken=tokens[-1])
        if page["nextForwardToken"] == tokens[-1]:
            break
        seen += messages(page)
        tokens.append(page["nextForwardToken"])
    assert seen == ["0", "1", "2"]
    assert len(tokens) == 2
    assert page["events"] == []


def test_a_token_at_the_end_goes_on_when_events_come(account: Account, logs: Any, clock: Clock) -> None:
    put(account, "a", "0", "1")
    end = get(logs, startFromHead=True)["nextForwardToken"]
    assert get(logs, startFromHead=True, nextToken=end)["nextForwardToken"] == end
    account.logs.put(GROUP, "a", T, "behind")
    account.logs.put(GROUP, "a", T + 2, "ahead")
    assert messages(get(logs, startFromHead=True, nextToken=end)) == ["ahead"]


def test_tokens_are_never_null(account: Account, logs: Any) -> None:
    account.logs.create_stream(GROUP, "a", at=T / 1000)
    for parameters in ({}, {"startFromHead": True}):
        page = get(logs, **parameters)
        assert page["events"] == []
        assert page["nextForwardToken"].startswith("f/")
        assert page["nextBackwardToken"].startswith("b/")
    forward = page["nextForwardToken"]
    put(account, "a", "0")
    assert messages(get(logs, startFromHead=True, nextToken=forward)) == ["0"]


def test_the_start_is_inclusive_and_the_end_is_not(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1", "2", "3")
    assert messages(get(logs, startTime=T + 1, endTime=T + 3)) == ["1", "2"]


def test_events_of_a_stream_have_no_id(account: Account, logs: Any) -> None:
    account.logs.put(GROUP, "a", T, "0", ingested=T + 1)
    assert get(logs)["events"] == [{"timestamp": T, "message": "0", "ingestionTime": T + 1}]


def test_a_forward_token_needs_start_from_head(account: Account, logs: Any) -> None:
    put(account, "a", "0")
    token = get(logs, startFromHead=True)["nextForwardToken"]
    code = refused(logs.get_log_events, logGroupName=GROUP, logStreamName="a", nextToken=token)
    assert code == "InvalidParameterException"


def test_a_token_of_a_stream_is_good_for_its_own_direction_only(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1")
    forward = get(logs, limit=1)["nextForwardToken"]
    for token in (f"b/{forward[2:]}", forward[2:]):
        code = refused(logs.get_log_events, logGroupName=GROUP, logStreamName="a", startFromHead=True, nextToken=token)
        assert code == "InvalidParameterException"


@pytest.mark.parametrize("forward", [True, False])
def test_empty_and_short_pages_happen_and_have_new_tokens(account: Account, logs: Any, *, forward: bool) -> None:
    texts = [str(number) for number in range(3_000)]
    account.logs.put_lines(GROUP, "a", range(T, T + 3_000), texts)
    account.faults = Faults(3, {Fault.EMPTY_PAGE: 0.5, Fault.SHORT_PAGE: 0.3}, script=[Fault.EMPTY_PAGE] * 3)
    name = "nextForwardToken" if forward else "nextBackwardToken"
    page = get(logs, startFromHead=forward)
    seen: list[str] = []
    passed, empty = None, 0
    for _ in range(5_000):
        if page[name] == passed:
            break
        seen = seen + messages(page) if forward else messages(page) + seen
        empty += not page["events"]
        passed = page[name]
        page = get(logs, startFromHead=forward, nextToken=passed)
    assert seen == texts
    assert empty >= 3


def test_after_an_empty_newest_page_the_forward_token_brings_only_what_is_new(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1")
    account.faults = Faults(script=[Fault.EMPTY_PAGE])
    page = get(logs)
    put(account, "a", "2", at=T + 2)
    assert messages(page) == []
    assert messages(get(logs, startFromHead=True, nextToken=page["nextForwardToken"])) == ["2"]
    assert messages(get(logs, nextToken=page["nextBackwardToken"])) == ["0", "1", "2"]


def test_a_page_of_a_stream_is_bounded_too(account: Account, logs: Any) -> None:
    account.logs.put_lines(GROUP, "a", range(T, T + 10_005), ["x"] * 10_005)
    assert len(get(logs)["events"]) == 10_000
    account.logs.put_lines(GROUP, "b", range(T, T + 5), ["y" * (1 << 18)] * 5)
    assert len(logs.get_log_events(logGroupName=GROUP, logStreamName="b")["events"]) == 4


# What does not exist


def test_a_group_that_does_not_exist_yet(account: Account, logs: Any, clock: Clock) -> None:
    account.logs.create_group(GROUP, at=clock() + 10)
    for call in (logs.filter_log_events, logs.describe_log_streams):
        assert refused(call, logGroupName=GROUP) == "ResourceNotFoundException"
    clock.advance(10)
    assert read(logs) == []


def test_a_group_exists_from_the_moment_its_first_event_is_shown(account: Account, logs: Any, clock: Clock) -> None:
    account.logs.put(GROUP, "a", T, "0", visible_at=clock() + 10)
    code = refused(logs.get_log_events, logGroupName=GROUP, logStreamName="a")
    assert code == "ResourceNotFoundException"
    clock.advance(10)
    assert messages(get(logs)) == ["0"]


def test_an_unknown_stream(account: Account, logs: Any) -> None:
    put(account, "b", "0")
    code = refused(logs.get_log_events, logGroupName=GROUP, logStreamName="a")
    assert code == "ResourceNotFoundException"


# DescribeLogStreams, DescribeLogGroups


def described(logs: Any, **parameters: Any) -> list[str]:
    paginator = logs.get_paginator("describe_log_streams").paginate(logGroupName=GROUP, **parameters)
    return [stream["logStreamName"] for page in paginator for stream in page["logStreams"]]


def test_streams_are_described_50_a_page_by_name_and_prefix(account: Account, logs: Any) -> None:
    names = [f"job/algo-{number:03}" for number in range(120)]
    for name in (*reversed(names), "other"):
        put(account, name, "0")
    assert len(logs.describe_log_streams(logGroupName=GROUP)["logStreams"]) == 50
    assert described(logs, logStreamNamePrefix="job/") == names
    assert described(logs, descending=True) == ["other", *reversed(names)]
    code = refused(logs.describe_log_streams, logGroupName=GROUP, limit=51)
    assert code == "InvalidParameterException"


def test_last_event_timestamp_lags_by_up_to_an_hour(account: Account, logs: Any, clock: Clock) -> None:
    put(account, "a", "0", "1")
    assert "lastEventTimestamp" not in logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]
    clock.advance(3_600)
    stream = logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (T, T + 1)


def test_streams_by_last_event_time_take_no_prefix(account: Account, logs: Any, clock: Clock) -> None:
    put(account, "a", "0", at=T + 5)
    put(account, "b", "0", at=T)
    clock.advance(3_600)
    assert described(logs, orderBy="LastEventTime") == ["b", "a"]
    assert described(logs, orderBy="LastEventTime", descending=True, PaginationConfig={"PageSize": 1}) == ["a", "b"]
    code = refused(logs.describe_log_streams, logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="a")
    assert code == "InvalidParameterException"


def test_a_stream_is_described_from_its_creation(account: Account, logs: Any, clock: Clock) -> None:
    put(account, "a", "0")
    account.logs.create_stream(GROUP, "b", at=clock() + 1)
    assert described(logs) == ["a"]
    clock.advance(1)
    assert described(logs) == ["a", "b"]


def test_groups_by_prefix_and_part(account: Account, logs: Any) -> None:
    for group in ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/Endpoints/x", "/aws/lambda/x"):
        account.logs.put(group, "a", T, "0")

    def names(**parameters: Any) -> list[str]:
        pages = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 1}, **parameters)
        return [group["logGroupName"] for page in pages for group in page["logGroups"]]

    assert names(logGroupNamePrefix="/aws/sagemaker/") == ["/aws/sagemaker/Endpoints/x", "/aws/sagemaker/TrainingJobs"]
    assert names(logGroupNamePattern="/x") == ["/aws/lambda/x", "/aws/sagemaker/Endpoints/x"]
    code = refused(logs.describe_log_groups, logGroupNamePrefix="/", logGroupNamePattern="x")
    assert code == "InvalidParameterException"


# The store itself


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("FilterLogEvents", {"logGroupName": GROUP, "limit": 1}),
        ("GetLogEvents", {"logGroupName": GROUP, "logStreamName": "a"}),
        ("DescribeLogStreams", {"logGroupName": GROUP, "limit": 1}),
        ("DescribeLogGroups", {}),
    ],
)
def test_answers_have_the_models_shape(
    account: Account, clock: Clock, operation: str, parameters: dict[str, Any]
) -> None:
    put(account, "a", "0", "1")
    put(account, "b", "0")
    clock.advance(3_600)
    answer = account.logs.call(operation, parameters)
    violations: list[str] = []
    model = operation_model("logs", operation)
    assert model is not None
    check(model.output_shape, answer, "", violations)
    assert violations == []


class Numbered(Sequence[str]):
    """A million messages that cost no memory."""

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: Any) -> Any:
        return f"line {index}"


def test_messages_can_be_made_when_asked_for(account: Account, logs: Any, clock: Clock) -> None:
    clock.at += 1_000
    account.logs.put_lines(GROUP, "a", range(T, T + 1_000_000), Numbered(), lag=1.5)
    assert messages(get(logs, limit=2)) == ["line 999998", "line 999999"]
    page = logs.filter_log_events(logGroupName=GROUP, startTime=T + 500_000, limit=1)
    assert messages(page) == ["line 500000"]
    assert page["events"][0]["ingestionTime"] == T + 501_500


def test_lines_put_in_bulk_must_ascend(account: Account) -> None:
    with pytest.raises(ValueError, match="ascend"):
        account.logs.put_lines(GROUP, "a", [T + 1, T], ["0", "1"])
    account.logs.put_lines(GROUP, "a", [T, T + 1], ["0", "1"])
    with pytest.raises(ValueError, match="go on"):
        account.logs.put_lines(GROUP, "a", [T], ["2"])


def test_a_sealed_log_gives_the_same_bytes_again_and_takes_no_more(account: Account, logs: Any) -> None:
    put(account, "a", "0", "1", "2")
    account.logs.seal()
    first = list(pages(logs, limit=2))
    again = list(pages(logs, limit=2))
    assert [page["events"] for page in again] == [page["events"] for page in first]
    assert again[0]["nextToken"] == first[0]["nextToken"]
    with pytest.raises(ValueError, match="sealed"):
        put(account, "a", "3")


# A stream without end

NOW = T + 60_000


def test_an_endless_stream_shows_what_has_been_written_by_now(account: Account, logs: Any, clock: Clock) -> None:
    account.logs.put_endless(GROUP, "v/i-1", NOW, 2_000, "line {}".format, lag=0.5)
    account.logs.put_endless(GROUP, "v/i-2", NOW + 1_000, 2_000, "other {}".format, lag=2.0)
    assert refused(logs.filter_log_events, logGroupName=GROUP) == "ResourceNotFoundException"
    clock.advance(4.6)
    assert read(logs) == ["line 0", "other 0", "line 1", "line 2"], "by timestamp, as far as they are shown"
    assert read(logs, startTime=NOW + 2_000, endTime=NOW + 3_000) == ["line 1"]
    clock.advance(1)
    assert read(logs)[-2:] == ["other 1", "line 2"], "a line that is shown late comes before some that were shown"
    clock.advance(86_400)
    assert len(read(logs)) == 2 * 43_203 - 1
    newest = logs.get_log_events(logGroupName=GROUP, logStreamName="v/i-1", limit=2)["events"]
    assert [event["message"] for event in newest] == ["line 43201", "line 43202"]
    described = logs.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert [stream["firstEventTimestamp"] for stream in described] == [NOW, NOW + 1_000]


def test_nothing_is_put_into_an_endless_stream(account: Account) -> None:
    account.logs.put_endless(GROUP, "v/i-1", NOW, 2_000, str)
    with pytest.raises(ValueError, match="writes by itself"):
        put(account, "v/i-1", "line")
