"""How one chain of requests is asked to its end, whatever the answers are."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from kubectl_sagemaker.errors import Error, Forbidden, Invalid, NotFound, Throttled, Unauthorized, Unavailable
from kubectl_sagemaker.logs.events import LogEvent, Note, Page, waited
from kubectl_sagemaker.logs.pace import Budget
from kubectl_sagemaker.logs.source import LONGEST_PAUSE, Query, Source, shared_prefix
from tests.follow import SharedClock, T


class Script:
    """CloudWatch that answers, or fails, as it was told to."""

    def __init__(self, *answers: Mapping[str, Any] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def __call__(self, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(dict(parameters))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def event(at: int, identity: str | None = None, stream: str = "job/algo-1-1") -> LogEvent:
    return {
        "logStreamName": stream,
        "timestamp": at,
        "message": "line",
        "ingestionTime": at,
        "eventId": identity or str(at),
    }


def page(*events: LogEvent, token: str | None = None) -> dict[str, Any]:
    return {"events": list(events), **({"nextToken": token} if token else {})}


def source(script: Script, *, patience: float | None = None, **query: Any) -> tuple[Source, SharedClock, list[float]]:
    """A source over a script, its clock, and when its credentials were renewed."""
    clock = SharedClock()
    renewed: list[float] = []
    made = Source(
        fetch=script,
        query=Query(**{"group": "group", "prefix": "job/", **query}),
        now=clock,
        sleep=clock.advance,
        budget=Budget(clock),
        renew=lambda: renewed.append(clock()),
        patience=patience,
        random=random.Random(1),  # noqa: S311 -- no secret; the same pauses each time
    )
    return made, clock, renewed


def chain(made: Source) -> tuple[list[Page], list[str]]:
    pages: list[Page] = []
    notes: list[str] = []
    for item in waited(made.pages(made.query.parameters(0)), made.now, made.sleep):
        if isinstance(item, Note):
            notes.append(item.text)
        elif isinstance(item, list):
            pages.append(item)
    return pages, notes


def ids(pages: Sequence[Page]) -> list[list[str]]:
    return [[event["eventId"] for event in page] for page in pages]


def test_the_end_is_a_page_without_a_token_and_nothing_else() -> None:
    script = Script(page(event(1), token="a"), page(token="b"), page(token="c"), page(event(2)))
    pages, _ = chain(source(script)[0])
    assert ids(pages) == [["1"], [], [], ["2"]]
    assert [asked.get("nextToken") for asked in script.asked] == [None, "a", "b", "c"]


@pytest.mark.parametrize("trouble", [Throttled("slower"), Unavailable("503"), Unauthorized("expired")])
def test_after_an_error_it_goes_on_from_the_last_good_page(trouble: Error) -> None:
    script = Script(page(event(1), token="a"), page(event(2), token="b"), trouble, trouble, page(event(3)))
    pages, _ = chain(source(script)[0])
    assert ids(pages) == [["1"], ["2"], ["3"]]
    assert [asked.get("nextToken") for asked in script.asked] == [None, "a", "b", "b", "b"]


def test_a_page_without_events_is_no_end() -> None:
    script = Script(page(event(1), token="a"), {}, {"events": None}, page(event(2)))
    pages, notes = chain(source(script)[0])
    assert ids(pages) == [["1"], ["2"]]
    assert notes == ["logs:FilterLogEvents: a page without events; trying again"]


def test_a_token_that_is_refused_starts_a_new_chain_at_the_newest_event() -> None:
    script = Script(
        page(event(1), event(5, "a"), token="t"),
        page(event(5, "b"), token="u"),
        Invalid("the token is invalid"),
        page(event(5, "a"), event(5, "b"), event(5, "c"), event(6), token="v"),
        Invalid("the token is invalid"),
        page(event(6), event(7)),
    )
    pages, _ = chain(source(script)[0])
    assert ids(pages) == [["1", "a"], ["b"], ["c", "6"], ["7"]]
    assert [asked["startTime"] for asked in script.asked] == [0, 0, 0, 5, 5, 6]
    assert [asked.get("nextToken") for asked in script.asked] == [None, "t", "u", None, "v", None]


def test_what_is_refused_without_a_token_is_an_error() -> None:
    with pytest.raises(Invalid):
        chain(source(Script(Invalid("limit: 0")))[0])


@pytest.mark.parametrize("trouble", [Forbidden("no"), NotFound("no group"), Error("odd")])
def test_what_no_waiting_mends_is_raised(trouble: Error) -> None:
    with pytest.raises(type(trouble)):
        chain(source(Script(trouble))[0])


def test_credentials_that_never_worked_are_raised() -> None:
    with pytest.raises(Unauthorized):
        chain(source(Script(Unauthorized("no credentials")))[0])


@pytest.mark.parametrize("first", [page(token="a"), NotFound("no group")])
def test_credentials_that_expire_are_renewed_until_they_work(first: Mapping[str, Any] | Exception) -> None:
    script = Script(first, *[Unauthorized("expired", hint="run `aws sso login`")] * 5, page(event(1)))
    made, _, renewed = source(script)
    try:
        pages, notes = chain(made)
    except NotFound:
        pages, notes = chain(made)
    assert ids(pages)[-1] == ["1"]
    assert notes == ["expired; run `aws sso login`; going on once they work"]
    assert len(renewed) == 5


def test_pauses_grow_and_have_an_end() -> None:
    script = Script(*[Unavailable("503")] * 12, page(event(1)))
    made, clock, _ = source(script)
    chain(made)
    longest = sum(min(LONGEST_PAUSE, 0.5 * 2**number) for number in range(12))
    assert longest * 0.5 < clock() - T < longest * 1.5


def test_trouble_is_said_once_and_its_end_too() -> None:
    script = Script(page(event(1), token="a"), *[Unavailable("503")] * 12, page(token="b"), Unavailable("x"), page())
    _, notes = chain(source(script)[0])
    assert notes[0] == "503; trying again"
    assert notes[1].startswith("CloudWatch answers again after ")
    assert len(notes) == 2


def test_throttling_is_not_worth_a_word() -> None:
    _, notes = chain(source(Script(*[Throttled("slower")] * 5, page()))[0])
    assert notes == []


@pytest.mark.parametrize("trouble", [Unavailable("503"), Throttled("slower")])
def test_patience_has_an_end(trouble: Error) -> None:
    made, clock, _ = source(Script(*[trouble] * 100), patience=30.0)
    with pytest.raises(type(trouble)):
        chain(made)
    assert 30 <= clock() - T <= 30 + 1.5 * LONGEST_PAUSE


def test_with_patience_refused_credentials_are_an_error_at_once() -> None:
    made, _, renewed = source(Script(page(token="a"), Unauthorized("expired")), patience=30.0)
    with pytest.raises(Unauthorized):
        chain(made)
    assert not renewed


def test_only_wanted_instances_count() -> None:
    mine, other = event(1, stream="job/algo-1-158"), event(2, stream="job/algo-10-158")
    script = Script(page(mine, other))
    pages, _ = chain(source(script, instances=("algo-1", "nope-*"))[0])
    assert pages == [[mine]]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, {"logStreamNamePrefix": "job/"}),
        ({"stream_prefix": "algo-1"}, {"logStreamNamePrefix": "job/algo-1"}),
        ({"prefix": ""}, {}),
        ({"prefix": "", "stream": "job"}, {"logStreamNames": ["job"]}),
        ({"end": 77}, {"logStreamNamePrefix": "job/", "endTime": 77}),
    ],
)
def test_a_query_is_asked_as_what_it_is(query: dict[str, Any], asked: dict[str, Any]) -> None:
    made, _, _ = source(Script(), **query)
    assert made.query.parameters(5) == {"logGroupName": "group", "startTime": 5, **asked}


@pytest.mark.parametrize(
    ("prefixes", "shared"),
    [
        (["churn-1/", "churn-12/", "churn-3/"], "churn-"),
        (["job/", "job/"], "job/"),
        (["job", "job/"], "job"),
        (["", "job/"], ""),
        (["a/", "b/"], ""),
    ],
)
def test_queries_are_asked_together_by_what_their_prefixes_share(prefixes: list[str], shared: str) -> None:
    assert shared_prefix(Query("group", prefix) for prefix in prefixes) == shared
