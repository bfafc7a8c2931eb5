"""Durations and moments: as people type them, and as they read them."""

from __future__ import annotations

import math
import re
import sys
from datetime import UTC, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final, NamedTuple

from kubectl_sagemaker.errors import Usage

UNITS: Final = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|[dhms])")
LONGEST: Final = 2.0**63 / 1e9
"""Seconds of the longest duration of Go, and so of kubectl's flags: 292 years."""
ZONE_NAMES: Final = sys.platform != "win32"
"""Windows has long, translated names of time zones; only the offset is shown there."""


def duration(text: str) -> float:
    """Seconds of a duration such as `90s`, `1h30m` or `2d4h30m`; raises Usage."""
    parts = PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        if text == "0":
            return 0.0
        raise Usage(f"{text!r} is no duration", hint="write it as 90s, 15m, 1h30m or 2d4h30m")
    seconds = sum(float(number) * UNITS[unit] for number, unit in parts)
    if seconds >= LONGEST:
        raise Usage(f"{text!r} is longer than 292 years")
    return seconds


CLOCK: Final = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


class When(NamedTuple):
    """A moment as people type it: some time ago, or on a clock whose zone is known later."""

    ago: float | None = None
    """Seconds before now."""
    at: datetime | None = None
    """On a calendar; in the zone that is asked for unless it names its own."""
    clock: time | None = None
    """The last time that the clock showed this."""

    def seconds(self, now: float, where: tzinfo | None) -> float:
        """Seconds since the epoch; `where` is the zone (None: local) of what names none."""
        if self.ago is not None:
            return now - self.ago
        if self.at is not None:
            return (self.at if self.at.tzinfo else _in(self.at, where)).timestamp()
        today = datetime.fromtimestamp(now, UTC).astimezone(where).replace(tzinfo=None)
        latest = datetime.combine(today.date(), self.clock or time())
        if _in(latest, where).timestamp() > now:
            # A day of the calendar, which is not always 24 hours.
            latest -= timedelta(days=1)
        return _in(latest, where).timestamp()


def _in(moment: datetime, where: tzinfo | None) -> datetime:
    return moment.astimezone() if where is None else moment.replace(tzinfo=where)


def when(text: str) -> When:
    """Read `90s`, `2d4h30m`, `2026-01-28T17:19:43Z`, `2026-01-28`, `2026-01-28 17:19` or `13:10`; raises Usage."""
    if PART.match(text) or text == "0":
        return When(ago=duration(text))
    try:
        if CLOCK.fullmatch(text):
            return When(clock=time.fromisoformat(text.rjust(8 if text.count(":") == 2 else 5, "0")))
        at = datetime.fromisoformat(text)
        if not 1 < at.year < 9999:
            # In some zone it would lie outside datetime's years.
            raise ValueError(text)
        return When(at=at)
    except ValueError as error:
        hint = "write it as 90s, 2d4h30m, 2026-01-28T17:19:43Z, 2026-01-28 or 13:10"
        raise Usage(f"{text!r} is neither a duration nor a time", hint=hint) from error


def zone(text: str) -> tzinfo | None:
    """The time zone named `local` (None), `utc` or as in the IANA data base; raises Usage."""
    if text.lower() == "local":
        return None
    if text.lower() == "utc":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise Usage(f"unknown time zone {text!r}", hint="local, utc, or a name such as Europe/Berlin") from error


EARLIEST: Final = int(datetime(1, 1, 2, tzinfo=UTC).timestamp())
LATEST: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
"""Seconds since the epoch. datetime ends with the years 1 and 9999, in every zone; what lies beyond is shown as
these, because a nonsensical timestamp must not end a log."""


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(min(max(second, EARLIEST), LATEST), UTC)


def rfc3339(seconds: float) -> str:
    """`2020-01-29T01:19:43.244Z`: a moment in UTC, to the millisecond."""
    second, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{_moment(second).isoformat()[:19]}.{milliseconds:03d}Z"


@lru_cache(maxsize=4096)
def clock(second: int, where: tzinfo | None) -> tuple[str, str, str]:
    """A second as `2020-01-28`, `17:19:43` and ` -0800 PST`, in a zone (None: local)."""
    moment = _moment(second).astimezone(where)
    # Not %Y: it does not pad a year to four digits everywhere.
    day, _, clock_time = moment.isoformat()[:19].partition("T")
    return day, clock_time, f" {moment:%z %Z}" if ZONE_NAMES else f" {moment:%z}"


AGES: Final = (
    (120, "s", ""),
    (600, "m", "s"),
    (3 * 3600, "m", ""),
    (8 * 3600, "h", "m"),
    (48 * 3600, "h", ""),
    (8 * 86_400, "d", "h"),
    (2 * 365 * 86_400, "d", ""),
    (8 * 365 * 86_400, "y", "d"),
    (math.inf, "y", ""),
)
"""Below so many seconds, an age is written in these units (k8s.io/apimachinery, duration.HumanDuration)."""
SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "y": 365 * 86_400}


def age(seconds: float) -> str:
    """A length of time as kubectl writes ages: `45s`, `12m`, `3h12m`, `4d`, `2y10d`.

    What lies in the future is `0s`: the API server's clock may be ahead of this machine's.
    """
    total = max(0, int(seconds))
    unit, lesser = next((unit, lesser) for limit, unit, lesser in AGES if total < limit)
    whole, rest = divmod(total, SECONDS[unit])
    part = rest // SECONDS[lesser] if lesser else 0
    return f"{whole}{unit}{part}{lesser}" if part else f"{whole}{unit}"


SPANS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def span(seconds: float) -> str:
    """How long something took, in its two greatest units: `45s`, `12m30s`, `1h16m`, `2d4h`."""
    rest = max(0, round(seconds))
    parts = []
    for unit, size in SPANS:
        whole, rest = divmod(rest, size)
        parts.append(f"{whole}{unit}" if whole else "")
    greatest = next((index for index, part in enumerate(parts) if part), len(parts) - 1)
    return "".join(parts[greatest : greatest + 2]) or "0s"
