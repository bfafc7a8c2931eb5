"""CloudWatch Logs by its API's rules: log groups and streams whose events become visible when they should.

An event has three times: its timestamp (ms), its ingestion (ms) and the moment from which requests show it (s).
Nothing here knows how a client reads. Rules come from the operations' documentation in botocore's service model
and, where that is silent, from the strictest reading of it, so that no client passes by luck.
"""

from __future__ import annotations

import base64
import binascii
import heapq
import itertools
import re
import threading
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, overload

from kubectl_sagemaker.sandbox.protocol import AwsError, dump, load

Parameters = Mapping[str, Any]
Position = tuple[int, int, int, int]
"""Where an event stands in its group: timestamp, ingestion, the stream's number, its number in the stream."""
FOREVER: Final = 1 << 62
ENDLESS: Final = 10**9
"""Events of a stream without end: at one a second, 30 years."""

ID: Final = 3 * 10**55
ID_TIME: Final = 10**37
ID_GROUP: Final = 10**32
ID_STREAM: Final = 10**20

PAGE_EVENTS: Final = 10_000
# "1 MB" can't be the size of the JSON: 10,000 events' ids and stream names alone are more. It is the messages'.
PAGE_BYTES: Final = 1 << 20
DESCRIBE_PAGE: Final = 50
NEWEST_FIRST_SINCE: Final = 1_704_067_200_000
"""2024-01-01T00:00:00Z, the earliest startTime with which FilterLogEvents reads newest first."""
INVALID_TOKEN: Final = "The specified nextToken is invalid."  # noqa: S105 -- a message about a paging token


def invalid(message: str) -> AwsError:
    """Build the error of a parameter that can't be."""
    return AwsError("InvalidParameterException", message)


@dataclass(slots=True)
class Stream:
    """A log stream: columns in order of position. Five million events cost 32 bytes each beside their messages."""

    name: str
    number: int
    """Counts the group's streams in order of their first mention."""
    first_id: int
    """What is added to for an event's id."""
    created: float = float("inf")
    """s; without a creation of its own, when its first event becomes visible."""
    timestamps: Sequence[int] = ()
    ingestions: Sequence[int] = ()
    numbers: Sequence[int] = ()
    """Index in `messages`: arrival, not position."""
    visible: Sequence[float] = ()
    messages: Sequence[str] = ()
    lead: float = 0.0
    """The least of visible less timestamp, s: later than `now - lead` nothing can be visible."""
    settled: float = float("-inf")
    """When all is visible, s."""

    def seek(self, position: Position, *, after: bool) -> int:
        """Count the events before `position`, and the one at it too with `after`."""
        timestamp, ingestion, stream, number = position
        low = bisect_left(self.timestamps, timestamp)
        high = bisect_right(self.timestamps, timestamp, low)
        low, high = (
            bisect_left(self.ingestions, ingestion, low, high),
            bisect_right(self.ingestions, ingestion, low, high),
        )
        if stream != self.number:
            return high if self.number < stream else low
        return (bisect_right if after else bisect_left)(self.numbers, number, low, high)

    def until(self, timestamp: int, now: float) -> int:
        """Count the events up to `timestamp` inclusive that may be visible at `now`."""
        bound = min(timestamp, int((now - self.lead) * 1000) + 1)
        return bisect_right(self.timestamps, bound)

    def walk(self, low: int, high: int, now: float, *, backwards: bool = False) -> Iterator[Position]:
        """Yield the positions of visible events, in chunks: a slice of all would copy the column."""
        chunks = range(low, high, 4096)
        for start in reversed(chunks) if backwards else chunks:
            span = slice(start, min(start + 4096, high))
            columns = (self.timestamps[span], self.ingestions[span], itertools.repeat(self.number), self.numbers[span])
            rows = zip(*columns, strict=False)  # the repeated number has no end
            if self.settled > now:
                rows = itertools.compress(rows, map(now.__ge__, self.visible[span]))  # type: ignore[assignment] # both iterate
            yield from reversed(list(rows)) if backwards else rows

    def event_id(self, timestamp: int, number: int) -> str:
        """56 digits, as AWS's, and as unique: no two events of an account share stream and number."""
        return str(self.first_id + timestamp * ID_TIME + number)


@dataclass(slots=True)
class Written(Stream):
    """A stream that events are put into."""

    timestamps: array[int] = field(default_factory=lambda: array("q"))
    ingestions: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[int] = field(default_factory=lambda: array("q"))
    visible: array[float] = field(default_factory=lambda: array("d"))
    messages: Sequence[str] = field(default_factory=list)

    def add(self, timestamp: int, ingestion: int, visible: float, message: str) -> int:
        """Insert one event and return its number."""
        low = bisect_left(self.timestamps, timestamp)
        high = bisect_right(self.timestamps, timestamp, low)
        index = bisect_right(self.ingestions, ingestion, low, high)
        number = len(self.messages)
        self.timestamps.insert(index, timestamp)
        self.ingestions.insert(index, ingestion)
        self.numbers.insert(index, number)
        self.visible.insert(index, visible)
        self._own_messages().append(message)
        self._seen(visible, visible - timestamp / 1000, visible)
        return number

    def extend(self, timestamps: array[int], messages: Sequence[str], lag: float) -> None:
        """Append events in ascending order, each ingested and visible `lag` seconds after its timestamp.

        The first `messages` of a stream are kept as they are: a sequence that makes its items when asked costs
        no memory.
        """
        if len(timestamps) != len(messages):
            raise ValueError("as many timestamps as messages")
        if any(map(int.__gt__, timestamps, itertools.islice(timestamps, 1, None))):
            raise ValueError("timestamps ascend")
        if not timestamps:
            return
        if self.timestamps and timestamps[0] < self.timestamps[-1]:
            raise ValueError("timestamps go on after the stream's last")
        late = round(lag * 1000)
        self.ingestions.extend(array("q", (timestamp + late for timestamp in timestamps)))
        self.visible.extend(array("d", (timestamp / 1000 + lag for timestamp in timestamps)))
        self.numbers.extend(range(len(self.messages), len(self.messages) + len(messages)))
        self.timestamps.extend(timestamps)
        if len(self.messages):
            self._own_messages().extend(messages)
        else:
            self.messages = list(messages) if isinstance(messages, list) else messages
        self._seen(timestamps[0] / 1000 + lag, lag, timestamps[-1] / 1000 + lag)

    def _own_messages(self) -> list[str]:
        if not isinstance(self.messages, list):
            self.messages = list(self.messages)
        return self.messages

    def _seen(self, first: float, lead: float, last: float) -> None:
        self.created = min(self.created, first)
        self.lead = min(self.lead, lead)
        self.settled = max(self.settled, last)


@dataclass(frozen=True, slots=True)
class Seconds(Sequence[float]):
    """A range of ms read as s."""

    milliseconds: range

    def __len__(self) -> int:
        """How many there are."""
        return len(self.milliseconds)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> list[float]: ...
    def __getitem__(self, index: int | slice) -> float | list[float]:
        """One of them, or a list of some."""
        if isinstance(index, slice):
            return [at / 1000 for at in self.milliseconds[index]]
        return self.milliseconds[index] / 1000


@dataclass(frozen=True, slots=True)
class Made(Sequence[str]):
    """Messages made when they are asked for; `make` is given an event's number in its stream."""

    make: Callable[[int], str]
    size: int

    def __len__(self) -> int:
        """How many there are."""
        return self.size

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One of them, or a list of some."""
        if isinstance(index, slice):
            return [self.make(number) for number in range(self.size)[index]]
        return self.make(range(self.size)[index])


@dataclass(slots=True)
class Group:
    """A log group; it exists from `created`, or from its first stream's creation, whichever is earlier."""

    name: str
    number: int
    created: float = float("inf")
    streams: dict[str, Stream] = field(default_factory=dict)

    def since(self) -> float:
        """When the group begins to exist, s."""
        return min(self.created, *(stream.created for stream in self.streams.values()), float("inf"))

    def written(self, name: str) -> Written:
        """The stream of that name, made if need be; raise ValueError if it is endless."""
        stream = self.streams.setdefault(name, Written(name, *self.next_number()))
        if not isinstance(stream, Written):
            raise ValueError(f"{name} writes by itself")
        return stream

    def next_number(self) -> tuple[int, int]:
        """What a new stream counts as, and what its events' ids begin with."""
        number = len(self.streams)
        return number, ID + self.number * ID_GROUP + number * ID_STREAM


class LogStore:
    """One account's log groups. Safe to put into from one thread while another reads."""

    def __init__(self, now: Callable[[], float], arn: Callable[[str], str]) -> None:
        """`now` is the clock in epoch seconds; `arn` names a resource of CloudWatch Logs."""
        self._now = now
        self._arn = arn
        self._groups: dict[str, Group] = {}
        self._lock = threading.RLock()
        self.token_lifetime = 86_400.0
        """Seconds that a token is good for; AWS: 24 h."""
        self.scan_limit = 100_000
        """Events that one FilterLogEvents looks at before it answers with what it has, if only a token."""
        self._pages: dict[tuple[str, bytes], bytes] | None = None
        self._operations: Mapping[str, Callable[[Parameters, int | None], dict[str, Any]]] = {
            "FilterLogEvents": self._filter_log_events,
            "GetLogEvents": self._get_log_events,
            "DescribeLogStreams": self._describe_log_streams,
            "DescribeLogGroups": self._describe_log_groups,
        }

    # What the account's jobs do

    def create_group(self, group: str, *, at: float) -> None:
        """Let a group exist from `at` (s), even without events."""
        with self._lock:
            self._group(group).created = at

    def create_stream(self, group: str, stream: str, *, at: float) -> None:
        """Let a stream exist from `at` (s), even without events."""
        with self._lock:
            self._writable(group, stream).created = at

    def put(
        self,
        group: str,
        stream: str,
        timestamp: int,
        message: str,
        *,
        visible_at: float | None = None,
        ingested: int | None = None,
    ) -> str:
        """Put one event and return its id.

        `timestamp` and `ingested` are epoch ms, `visible_at` epoch s. By default it is visible at its timestamp,
        and ingested when it becomes visible.
        """
        visible = timestamp / 1000 if visible_at is None else visible_at
        ingestion = round(visible * 1000) if ingested is None else ingested
        with self._lock:
            into = self._writable(group, stream)
            number = into.add(timestamp, ingestion, visible, message)
            return into.event_id(timestamp, number)

    def put_lines(
        self, group: str, stream: str, timestamps: Iterable[int], messages: Sequence[str], *, lag: float = 0.0
    ) -> None:
        """Put many events in ascending order (ms), each ingested and visible `lag` seconds after its timestamp.

        A stream's first `messages` may be a sequence that makes its items when asked, and costs no memory then.
        """
        with self._lock:
            self._writable(group, stream).extend(array("q", timestamps), messages, lag)

    def put_endless(
        self, group: str, stream: str, begin: int, step: int, make: Callable[[int], str], *, lag: float = 0.0
    ) -> None:
        """Let a stream have an event every `step` ms from `begin` (ms) on, for ever, each shown `lag` seconds late.

        `make` gives the message of the event of a number. Nothing of it is kept: it costs no memory, however long it
        is read.
        """
        with self._lock:
            late = round(lag * 1000)
            end = begin + step * ENDLESS
            shown = range(begin + late, end + late, step)
            into = self._group(group)
            into.streams[stream] = Stream(
                stream,
                *into.next_number(),
                created=shown[0] / 1000,
                timestamps=range(begin, end, step),
                ingestions=shown,
                numbers=range(ENDLESS),
                visible=Seconds(shown),
                messages=Made(make, ENDLESS),
                lead=lag,
                settled=float("inf"),
            )

    def seal(self) -> None:
        """Say that no more events come: pages are encoded once, and a repeated request costs a look-up.

        For measuring readers. Call it when every event is visible; a cached page's tokens don't age.
        """
        with self._lock:
            self._pages = {}

    def _group(self, name: str) -> Group:
        return self._groups.setdefault(name, Group(name, len(self._groups)))

    def _writable(self, group: str, stream: str) -> Written:
        if self._pages is not None:
            raise ValueError("the log is sealed")
        return self._group(group).written(stream)

    # What the API shows

    def call(self, operation: str, parameters: Parameters, take: int | None = None) -> dict[str, Any]:
        """Answer one operation with checked parameters; raise AwsError.

        `take` cuts a page of events short at so many, which the API's rules allow at any time, even at 0.
        """
        serve = self._operations.get(operation)
        if serve is None:
            raise AwsError("UnknownOperationException", "")
        with self._lock:
            return serve(parameters, take)

    def cached(self, operation: str, body: bytes) -> bytes | None:
        """The encoded answer to the same request of a sealed log, if there was one."""
        return None if self._pages is None else self._pages.get((operation, body))

    def cache(self, operation: str, body: bytes, answer: bytes) -> None:
        """Keep an encoded answer if the log is sealed."""
        if self._pages is not None:
            self._pages[operation, body] = answer

    def _filter_log_events(self, parameters: Parameters, take: int | None) -> dict[str, Any]:
        group = self._existing(parameters)
        names, prefix = parameters.get("logStreamNames"), parameters.get("logStreamNamePrefix")
        if names is not None and prefix is not None:
            raise invalid("Both logStreamNames and logStreamNamePrefix are specified. Only one is allowed.")
        start, end = parameters.get("startTime", 0), parameters.get("endTime", FOREVER)
        forward = parameters.get("startFromHead", True)
        if not forward and start < NEWEST_FIRST_SINCE:
            raise invalid("startFromHead can be false only if startTime is on or after 2024-01-01T00:00:00Z.")
        matches = compile_pattern(parameters.get("filterPattern", ""))
        chain = ("FilterLogEvents", group.name, names, prefix, start, end, parameters.get("filterPattern"))
        now = self._now()
        began, position = now, None
        if (text := parameters.get("nextToken")) is not None:
            # The token's own direction wins over startFromHead.
            began, forward, position, _ = self._read_token(text, chain)
        streams = [stream for stream in group.streams.values() if stream.created <= now]
        if names is not None:
            if not set(names) <= {stream.name for stream in streams}:
                raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
            streams = [stream for stream in streams if stream.name in names]
        elif prefix is not None:
            streams = [stream for stream in streams if stream.name.startswith(prefix)]
        # A chain knows the streams that its first request found, and no later ones.
        streams = [stream for stream in streams if stream.created <= began]

        rows = _merge(streams, position, start, end, now, forward=forward)
        by_number = {stream.number: stream for stream in streams}
        room = min(parameters.get("limit", PAGE_EVENTS), PAGE_EVENTS if take is None else take)
        events: list[dict[str, Any]] = []
        size = 0
        more = False
        for scanned, at in enumerate(rows, 1):
            timestamp, ingestion, stream_number, number = at
            stream = by_number[stream_number]
            message = stream.messages[number]
            if matches is None or matches(message):
                size += len(message) if message.isascii() else len(message.encode("utf-8", "surrogatepass"))
                if len(events) >= room or (size > PAGE_BYTES and events):
                    more = True
                    break
                events.append(
                    {
                        "logStreamName": stream.name,
                        "timestamp": timestamp,
                        "message": message,
                        "ingestionTime": ingestion,
                        "eventId": stream.event_id(timestamp, number),
                    }
                )
            position = at
            if scanned >= self.scan_limit:
                more = True
                break
        page: dict[str, Any] = {"events": events, "searchedLogStreams": []}
        if more or take is not None:
            page["nextToken"] = self._token(chain, began, forward, position)
        return page

    def _get_log_events(self, parameters: Parameters, take: int | None) -> dict[str, Any]:
        group = self._existing(parameters)
        now = self._now()
        stream = group.streams.get(parameters["logStreamName"])
        if stream is None or stream.created > now:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        start, end = parameters.get("startTime", 0), parameters.get("endTime", FOREVER) - 1
        chain = ("GetLogEvents", group.name, stream.name, start, end)
        text = parameters.get("nextToken")
        forward = parameters.get("startFromHead", False)
        position, hop = None, 0
        if text is not None:
            direction, _, sealed = text.partition("/")
            _, token_forward, position, hop = self._read_token(sealed, chain)
            if direction != ("f" if token_forward else "b"):
                raise invalid(INVALID_TOKEN)
            if token_forward and not forward:
                raise invalid("startFromHead must be true with a token from nextForwardToken.")
            forward = token_forward

        room = min(parameters.get("limit", PAGE_EVENTS), PAGE_EVENTS if take is None else take)
        found: list[tuple[Position, str]] = []
        size = 0
        rows = _merge([stream], position, start, end, now, forward=forward)
        more = False
        for at in rows:
            message = stream.messages[at[3]]
            size += len(message) if message.isascii() else len(message.encode("utf-8", "surrogatepass"))
            if len(found) >= room or (size > PAGE_BYTES and found):
                more = True
                break
            found.append((at, message))
        if not forward:
            found.reverse()
        ahead: Position | None
        behind: Position | None
        if found:
            ahead, behind = found[-1][0], found[0][0]
        elif more and position is None and not forward:
            ahead, behind = at, None  # the newest event is still to come, backwards
        else:
            ahead = behind = position or (start - 1, FOREVER, FOREVER, FOREVER)
        # A page may be empty with more behind it; its token must then differ from the one that was passed.
        hop = hop + 1 if more and not found else 0
        tokens = {
            going: f"{letter}/{self._token(chain, now, going, at, hop if going == forward else 0)}"
            for going, letter, at in ((True, "f", ahead), (False, "b", behind))
        }
        if text is not None and not found and not more:
            tokens[forward] = text
        return {
            "events": [{"timestamp": at[0], "message": message, "ingestionTime": at[1]} for at, message in found],
            "nextForwardToken": tokens[True],
            "nextBackwardToken": tokens[False],
        }

    def _describe_log_streams(self, parameters: Parameters, _take: int | None) -> dict[str, Any]:
        group = self._existing(parameters)
        now = self._now()
        prefix, order = parameters.get("logStreamNamePrefix", ""), parameters.get("orderBy", "LogStreamName")
        if prefix and order == "LastEventTime":
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        described = [
            # lastEventTimestamp is of what was to be seen up to an hour ago, a different while for each stream.
            self._stream_description(group, stream, now - zlib.crc32(stream.name.encode()) % 3600)
            for stream in group.streams.values()
            if stream.created <= now and stream.name.startswith(prefix)
        ]

        def key(item: Mapping[str, Any]) -> tuple[int, str]:
            return (item.get("lastEventTimestamp", -1) if order == "LastEventTime" else 0, item["logStreamName"])

        chain = ("DescribeLogStreams", group.name, prefix, order, bool(parameters.get("descending")))
        items, token = self._slice(described, key, chain, parameters, descending=bool(parameters.get("descending")))
        return {"logStreams": items, **token}

    def _stream_description(self, group: Group, stream: Stream, horizon: float) -> dict[str, Any]:
        count = stream.until(FOREVER, horizon)
        first = next(stream.walk(0, count, horizon), None)
        last = next(stream.walk(0, count, horizon, backwards=True), None)
        arn = self._arn(f"log-group:{group.name}:log-stream:{stream.name}")
        description: dict[str, Any] = {
            "logStreamName": stream.name,
            "creationTime": int(stream.created * 1000),
            "arn": arn,
            "storedBytes": 0,
        }
        if first is not None and last is not None:
            description["firstEventTimestamp"] = first[0]
            description["lastEventTimestamp"], description["lastIngestionTime"] = last[:2]
        return description

    def _describe_log_groups(self, parameters: Parameters, _take: int | None) -> dict[str, Any]:
        prefix, part = parameters.get("logGroupNamePrefix"), parameters.get("logGroupNamePattern")
        if prefix is not None and part is not None:
            raise invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
        now = self._now()
        described = [
            {
                "logGroupName": group.name,
                "creationTime": int(group.since() * 1000),
                "arn": self._arn(f"log-group:{group.name}:*"),
                "logGroupArn": self._arn(f"log-group:{group.name}"),
                "logGroupClass": "STANDARD",
                "metricFilterCount": 0,
                "storedBytes": 0,
            }
            for group in self._groups.values()
            if group.since() <= now and group.name.startswith(prefix or "") and (part or "") in group.name
        ]
        chain = ("DescribeLogGroups", prefix, part)
        items, token = self._slice(described, lambda item: (0, item["logGroupName"]), chain, parameters)
        return {"logGroups": items, **token}

    def _slice(
        self,
        items: list[dict[str, Any]],
        key: Callable[[Mapping[str, Any]], tuple[int, str]],
        chain: Sequence[Any],
        parameters: Parameters,
        *,
        descending: bool = False,
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """Cut a page out of `items` in order of `key`, with the token that leads on from it."""
        items = sorted(items, key=key, reverse=descending)
        if (text := parameters.get("nextToken")) is not None:
            _, _, last, _ = self._read_token(text, chain)
            mark = tuple(last or ())
            items = [item for item in items if (key(item) < mark if descending else key(item) > mark)]
        limit = parameters.get("limit", DESCRIBE_PAGE)
        page = items[:limit]
        if len(items) <= limit:
            return page, {}
        return page, {"nextToken": self._token(chain, self._now(), True, key(page[-1]))}

    def _existing(self, parameters: Parameters) -> Group:
        """The group that is asked for, by name or ARN."""
        name, identifier = parameters.get("logGroupName"), parameters.get("logGroupIdentifier")
        if (name is None) == (identifier is None):
            raise invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")
        if identifier is not None:
            name = identifier.partition(":log-group:")[2] or identifier
        group = self._groups.get(str(name))
        if group is None or group.since() > self._now():
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        return group

    def _token(
        self, chain: Sequence[Any], began: float, forward: bool, position: Sequence[Any] | None, hop: int = 0
    ) -> str:
        """A token: where a chain of the same parameters goes on, and when it was given out."""
        return _seal([_digest(chain), began, self._now(), forward, position, hop])

    def _read_token(self, text: str, chain: Sequence[Any]) -> tuple[float, bool, Any, int]:
        """Began, direction, position and hop of a token; InvalidParameterException if it isn't good for `chain`."""
        digest, began, issued, forward, position, hop = _open(text)
        if digest != _digest(chain) or self._now() - issued > self.token_lifetime:
            raise invalid(INVALID_TOKEN)
        return began, forward, None if position is None else tuple(position), hop


def _merge(
    streams: Sequence[Stream], position: Position | None, start: int, end: int, now: float, *, forward: bool
) -> Iterator[Position]:
    """Visible events from `start` to `end` (ms, both inclusive) beyond `position`, oldest or newest first."""
    walks = []
    for stream in streams:
        low, high = bisect_left(stream.timestamps, start), stream.until(end, now)
        if position is not None and forward:
            low = max(low, stream.seek(position, after=True))
        elif position is not None:
            high = min(high, stream.seek(position, after=False))
        walks.append(stream.walk(low, high, now, backwards=not forward))
    return walks[0] if len(walks) == 1 else heapq.merge(*walks, reverse=not forward)


def _digest(chain: Sequence[Any]) -> int:
    return zlib.crc32(dump(chain))


def _seal(values: Sequence[Any]) -> str:
    body = dump(values)
    return base64.urlsafe_b64encode(zlib.crc32(body).to_bytes(4, "big") + body).decode()


def _open(text: str) -> list[Any]:
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise invalid(INVALID_TOKEN) from None
    if zlib.crc32(raw[4:]).to_bytes(4, "big") != raw[:4]:
        raise invalid(INVALID_TOKEN)
    return list(load(raw[4:]))


TERM: Final = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)+)"|(\w+))(?:\s+|$)')


def compile_pattern(text: str) -> Callable[[str], bool] | None:
    """Read a filter pattern of terms: `a b`, `"a phrase"`, `?a ?b`, `-a`; None matches everything.

    Patterns for JSON and columns, regular expressions, and `?` beside other terms, of which AWS's own pages say
    different things, are answered with InvalidParameterException: the sandbox does not know them.
    """
    wanted: dict[str, list[str]] = {"": [], "?": [], "-": []}
    rest = text.strip()
    while rest:
        term = TERM.match(rest)
        if term is None:
            raise invalid(f"Invalid character(s) in term '{rest.split()[0]}'")
        sign, phrase, word = term.groups()
        wanted[sign].append(re.sub(r"\\(.)", r"\1", phrase) if phrase else word)
        rest = rest[term.end() :]
    all_of, any_of, none_of = wanted[""], wanted["?"], wanted["-"]
    if any_of and (all_of or none_of):
        raise invalid("Invalid filter pattern: ? beside other terms")
    if not (all_of or any_of or none_of):
        return None

    def matches(message: str) -> bool:
        return (
            all(term in message for term in all_of)
            and not any(term in message for term in none_of)
            and (not any_of or any(term in message for term in any_of))
        )

    return matches
