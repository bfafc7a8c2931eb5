"""Which of a failed job's last lines say why."""

from __future__ import annotations

from kubectl_sagemaker.logs.events import LogEvent, Page
from kubectl_sagemaker.logs.failure import END, SHOWN, choose

NOW = 1_769_860_000_000


def event(instance: str, before: float, message: str) -> LogEvent:
    at = NOW - round(before * 1000)
    return {
        "logStreamName": f"job/{instance}-1769849580",
        "timestamp": at,
        "message": message,
        "ingestionTime": at,
        "eventId": f"{instance} {before} {message}",
    }


def messages(page: Page) -> list[str]:
    return [line["message"] for line in choose(sorted(page, key=lambda line: line["timestamp"]))]


STEPS = [event(f"algo-{number}", 300 - index, f"step {index}") for index in range(250) for number in (1, 2)]
TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "train.py", line 1, in <module>',
    "    main()",
    "ValueError: 1",
]


def traceback(instance: str, before: float, *lines: str) -> Page:
    return [event(instance, before, line) for line in lines or TRACEBACK]


def test_the_first_traceback_of_the_end_is_whole_and_stands_alone() -> None:
    noise = [
        event("algo-2", 18, "ERROR exiting"),
        *traceback("algo-1", 10, "Traceback (most recent call last):", "  peer()", "ncclRemoteError: a peer has gone"),
        event("algo-1", 5, "sagemaker-training-toolkit ERROR    ExecuteUserScriptError"),
    ]
    assert messages([*STEPS, *traceback("algo-2", 20), *noise]) == TRACEBACK


def test_a_traceback_that_was_survived_is_not_it() -> None:
    survived = traceback("algo-1", END / 1000 + 60, "Traceback (most recent call last):", "OSError: once")
    assert messages([*STEPS, *survived, *traceback("algo-2", 20), event("algo-1", 0, "bye")]) == TRACEBACK


def test_lines_of_other_instances_between_its_own_are_left_out() -> None:
    mixed = [
        line for pair in zip(traceback("algo-2", 20), traceback("algo-1", 20, *"abcd"), strict=True) for line in pair
    ]
    assert messages([*STEPS, *mixed]) == TRACEBACK


def test_exceptions_that_are_chained_are_one_failure() -> None:
    chained = [
        *TRACEBACK, "", "During handling of the above exception, another exception occurred:", "",
        "Traceback (most recent call last):", "  second()", "RuntimeError: 2",
    ]  # fmt: skip
    assert messages([*traceback("algo-1", 20, *chained), event("algo-1", 19, "INFO shutting down")]) == chained


def test_a_traceback_in_one_message_counts_as_its_lines() -> None:
    assert messages([*STEPS, event("algo-1", 20, "\n".join(TRACEBACK) + "\n"), event("algo-1", 3, "bye")]) == TRACEBACK


def test_a_deep_stack_loses_its_middle() -> None:
    deep = [
        "Traceback (most recent call last):",
        *(f"  frame {number}" for number in range(100)),
        "RecursionError: deep",
    ]
    found = messages(traceback("algo-1", 20, *deep))
    assert (len(found), found[0], found[-1]) == (SHOWN, deep[0], deep[-1])


def test_without_a_traceback_it_is_the_first_line_that_speaks_of_a_failure() -> None:
    end = [
        event("algo-2", 9, "terminate called after throwing"),
        event("algo-2", 8, "core dumped"),
        event("algo-1", 5, "bye"),
    ]
    assert messages([*STEPS, *end]) == ["terminate called after throwing", "core dumped"]


def test_where_nothing_speaks_of_a_failure_the_last_lines_are_shown() -> None:
    assert messages(STEPS)[-1] == "step 249"
    assert len(messages(STEPS)) == SHOWN
    assert messages([]) == []
