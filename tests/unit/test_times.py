"""Durations, zones, moments and ages."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo  # noqa: TID253  # a test pays for its own start

import pytest

from kubectl_sagemaker.errors import Usage
from kubectl_sagemaker.times import ZONE_NAMES, age, clock, duration, rfc3339, when, zone

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400

needs_tzset = pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system can't change its local zone")


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The local zone is Berlin's; clock()'s memory of the real one is forgotten before and after."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    clock.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    clock.cache_clear()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("2d4h30m", 2 * DAY + 4 * HOUR + 30 * MINUTE),
        ("1.5h", 5400),
        ("100ms", 0.1),
        ("1m500ms", 60.5),
        ("0s", 0),
        ("0", 0),
    ],
)
def test_durations_are_read_as_kubectl_writes_them(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", " ", "5", "yesterdayish", "-5m", "+5m", "5 m", " 5m", "5m ", "1h-5m", "5M", "1w", "m", ".5h", "1e3s", "٣s"],
)
def test_what_is_no_duration_is_wrong_usage_and_says_how_to_write_one(text: str) -> None:
    with pytest.raises(Usage) as caught:
        duration(text)
    assert caught.value.message == f"{text!r} is no duration"
    assert caught.value.hint == "write it as 90s, 15m, 1h30m or 2d4h30m"


@pytest.mark.parametrize("text", ["293000d", "9" * 400 + "s", "9" * 308 + "d"])
def test_a_duration_beyond_what_go_and_a_timer_can_hold_is_wrong_usage(text: str) -> None:
    with pytest.raises(Usage, match="longer than 292 years"):
        duration(text)


def test_zones() -> None:
    assert zone("local") is None
    assert zone("Local") is None
    assert zone("UTC") is UTC
    assert zone("utc") is UTC
    assert zone("Europe/Berlin") == ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("name", ["", "Mars", "Europe", "../../etc/passwd", "/etc/passwd", "\x00", "\ud800", "x" * 300])
def test_an_unknown_zone_is_wrong_usage(name: str) -> None:
    with pytest.raises(Usage) as caught:
        zone(name)
    assert caught.value.message == f"unknown time zone {name!r}"


def written(second: int, name: str) -> str:
    day, clock_time, suffix = clock(second, zone(name))
    return f"{day} {clock_time}{suffix}"


def names(*zones: str) -> list[str]:
    """The names of zones where the system shows them."""
    return [f" {name}" if ZONE_NAMES else "" for name in zones]


def test_a_clock_shows_zone_and_offset() -> None:
    (pst,) = names("PST")
    assert written(1_580_260_783, "America/Los_Angeles") == f"2020-01-28 17:19:43 -0800{pst}"
    assert written(1_580_260_783, "utc") == "2020-01-29 01:19:43 +0000" + names("UTC")[0]
    assert written(1_580_260_783, "Asia/Kathmandu").startswith("2020-01-29 07:04:43 +0545")
    assert clock(0, timezone(timedelta(hours=-3, minutes=-30)))[2].startswith(" -0330")


def test_the_hour_that_comes_twice_in_autumn_is_told_apart_by_its_offset() -> None:
    cest, cet = names("CEST", "CET")
    first = int(datetime(2025, 10, 26, 0, 30, tzinfo=UTC).timestamp())
    assert written(first, "Europe/Berlin") == f"2025-10-26 02:30:00 +0200{cest}"
    assert written(first + HOUR, "Europe/Berlin") == f"2025-10-26 02:30:00 +0100{cet}"


def test_the_hour_that_is_missing_in_spring_is_never_shown() -> None:
    last = int(datetime(2025, 3, 30, 0, 59, 59, tzinfo=UTC).timestamp())
    assert written(last, "Europe/Berlin").startswith("2025-03-30 01:59:59 +0100")
    assert written(last + 1, "Europe/Berlin").startswith("2025-03-30 03:00:00 +0200")


@needs_tzset
@pytest.mark.usefixtures("berlin")
def test_local_follows_this_machines_zone_through_the_year() -> None:
    assert written(1_750_000_000, "local") == "2025-06-15 17:06:40 +0200" + names("CEST")[0]
    assert written(1_737_000_000, "local") == "2025-01-16 05:00:00 +0100" + names("CET")[0]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_580_260_783.244, "2020-01-29T01:19:43.244Z"),
        (1_580_260_783.9996, "2020-01-29T01:19:44.000Z"),
        (-0.001, "1969-12-31T23:59:59.999Z"),
        (-62_135_500_000, "0001-01-02T02:53:20.000Z"),
    ],
)
def test_rfc3339_has_four_digits_of_year_and_three_of_second(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text


@pytest.mark.parametrize("seconds", [10**15, 10**18, -(10**15), -(10**18), 253_402_300_800, -62_135_596_801])
@pytest.mark.parametrize("where", ["utc", "Pacific/Kiritimati", "Pacific/Pago_Pago", "local"])
def test_a_nonsensical_timestamp_is_shown_as_the_end_of_time(seconds: int, where: str) -> None:
    year = "9999" if seconds > 0 else "0001"
    assert rfc3339(seconds).startswith(f"{year}-")
    assert clock(seconds, zone(where))[0].startswith(f"{year}-")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (0, "0s"),
        (0.9, "0s"),
        (119.9, "119s"),
        (120, "2m"),
        (121, "2m1s"),
        (10 * MINUTE - 1, "9m59s"),
        (10 * MINUTE, "10m"),
        (10 * MINUTE + 1, "10m"),
        (3 * HOUR - 1, "179m"),
        (3 * HOUR, "3h"),
        (3 * HOUR + MINUTE, "3h1m"),
        (8 * HOUR - 1, "7h59m"),
        (8 * HOUR, "8h"),
        (8 * HOUR + MINUTE, "8h"),
        (48 * HOUR - 1, "47h"),
        (48 * HOUR, "2d"),
        (49 * HOUR, "2d1h"),
        (8 * DAY - 1, "7d23h"),
        (8 * DAY, "8d"),
        (8 * DAY + HOUR, "8d"),
        (2 * YEAR - 1, "729d"),
        (2 * YEAR, "2y"),
        (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR - 1, "7y364d"),
        (8 * YEAR, "8y"),
        (8 * YEAR + DAY, "8y"),
        (10**15, "31709791y"),
    ],
)
def test_ages_change_their_units_where_kubectls_do(seconds: float, text: str) -> None:
    assert age(seconds) == text


BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_750_000_000  # 2025-06-15 17:06:40 in Berlin


def at(text: str, *, now: float = NOW) -> str:
    """A moment as typed, in UTC."""
    return rfc3339(when(text).seconds(now, BERLIN))[:19]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0", "2025-06-15T15:06:40"),
        ("90s", "2025-06-15T15:05:10"),
        ("2d4h", "2025-06-13T11:06:40"),
        ("2026-01-28T17:19:43Z", "2026-01-28T17:19:43"),
        ("2026-01-28T17:19:43-08:00", "2026-01-29T01:19:43"),
        ("2026-01-28T17:19:43", "2026-01-28T16:19:43"),
        ("2026-07-28 17:19", "2026-07-28T15:19:00"),
        ("2026-01-28", "2026-01-27T23:00:00"),
        ("13:10", "2025-06-15T11:10:00"),
        ("9:05", "2025-06-15T07:05:00"),
        ("17:06:40", "2025-06-15T15:06:40"),
        ("17:06:41", "2025-06-14T15:06:41"),
        ("23:59", "2025-06-14T21:59:00"),
    ],
)
def test_a_moment_is_some_time_ago_or_on_a_calendar_or_the_clocks_last(text: str, moment: str) -> None:
    assert at(text) == moment


def test_yesterdays_clock_is_right_across_a_change_of_the_hour() -> None:
    morning = datetime(2025, 10, 26, 6, tzinfo=BERLIN).timestamp()
    assert at("13:10", now=morning) == "2025-10-25T11:10:00"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterdayish",
        "-5m",
        "25:00",
        "13:60",
        "1:2",
        "2026-13-01",
        "2026-02-30",
        "0001-01-01",
        "9999-12-31",
        "\ud800",
    ],
)
def test_what_is_no_moment_is_wrong_usage(text: str) -> None:
    with pytest.raises(Usage) as caught:
        when(text)
    assert caught.value.message == f"{text!r} is neither a duration nor a time"


@needs_tzset
@pytest.mark.usefixtures("berlin")
def test_a_moment_without_a_zone_is_local() -> None:
    for text in ("2026-01-28T17:19:43", "2026-07-28", "13:10"):
        assert when(text).seconds(NOW, None) == when(text).seconds(NOW, BERLIN)


def test_a_duration_is_the_sum_of_its_parts_in_any_order() -> None:
    source = random.Random(7)  # noqa: S311  # a seed, no secret
    sizes = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1}
    for _ in range(200):
        parts = [(source.randrange(100), source.choice("dhms")) for _ in range(source.randint(1, 5))]
        text = "".join(f"{number}{unit}" for number, unit in parts)
        assert duration(text) == sum(number * sizes[unit] for number, unit in parts), text
