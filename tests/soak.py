"""The engine for hundreds of seeds, a simulated day and 2,000 lines a second: `make soak` prints a summary.

python -m tests.soak [--seeds 300] [--only seeds day fast]
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from kubectl_sagemaker.logs.events import Note, Transition, waited
from kubectl_sagemaker.sandbox.aws import SANDBOX
from kubectl_sagemaker.sandbox.faults import EVENT_OPERATIONS, Fault, Faults
from kubectl_sagemaker.sandbox.scenario import GROUP, LAGS
from tests.follow import MEASURED, Story, T, afflicted, deadline, follow, prepared, remembered, visible

HOUR = 3_600.0
DAY = 24 * HOUR


def say(text: str) -> None:
    """Print a line of figures at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def quantiles(values: list[float] | array[float]) -> str:
    """Median, 99 % and greatest of seconds."""
    ordered = sorted(values)
    middle, most = ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]
    return f"median {middle:.2f} s, 99 % {most:.2f} s, greatest {ordered[-1]:.2f} s"


def seeds(count: int) -> bool:
    """Follow the job of each seed three times: without faults, with those of the comparison, with every sort."""
    right = True
    for label in ("no faults", "faults as measured", "every fault"):
        lost = twice = leaked = late = requests = 0
        over: list[float] = []
        delays: list[float] = []
        seconds = 0.0
        for seed in range(count):
            scenario, account, clock = prepared(seed)
            describe, excuse = None, 0.0
            if label == "faults as measured":
                account.faults = Faults(seed, MEASURED, operations=EVENT_OPERATIONS)
            elif label == "every fault":
                describe = afflicted(account, seed)
            run = follow(account, clock, seed=seed, describe=describe).go()
            shown = visible(scenario, run.over_at)
            printed = run.lines()
            lost += (shown - printed).total()
            twice += (printed - shown).total()
            leaked += sum(not line[0].startswith(f"{scenario.name}/") for line in printed)
            late += len(scenario.lines) - shown.total()
            requests += run.requests
            seconds += run.over_at - T
            excuse = 20.0 * sum(served.outcome == "STALL" for served in account.journal)
            over.append(run.over_at - deadline(run) - excuse)
            shown_at = {(line.stream, line.timestamp, line.message): line.visible_at for line in scenario.lines}
            delays += [
                at - shown_at[event["logStreamName"], event["timestamp"], event["message"]]
                for at, event in zip(run.printed_at, run.printed, strict=True)
            ]
        right = right and not (lost or twice or leaked)
        say(
            f"{count} seeds, {label}: {lost} lost, {twice} twice, {leaked} of another job, "
            f"{late} came after the drain; visible to printed {quantiles(delays)}; "
            f"{requests / seconds:.2f} requests a second; end after the drain window: {quantiles(over)}"
        )
    return right


def lags(chance: random.Random) -> Iterator[float]:
    """Seconds from written to shown, as in the scenario."""
    weights = [share for share, _, _ in LAGS]
    while True:
        for _, least, greatest in chance.choices(LAGS, weights=weights, k=1_000):
            yield chance.uniform(least, greatest)


def day() -> bool:
    """A day of a slow job: a line a minute, a burst an hour, a nap, an outage at night, credentials that expire."""
    chance = random.Random(1)  # noqa: S311 -- no secret; the same day each time
    lag = lags(chance)
    story = Story(seconds=DAY, end="Stopped")
    at = 0.0
    while at < DAY:
        story.line(at, late=next(lag), host=f"algo-{chance.randint(1, 4)}")
        at += chance.expovariate(1 / 60)
    for hour in range(24):
        begin = hour * HOUR + chance.uniform(0, HOUR - 60)
        for number in range(3_000):
            story.line(begin + number / 100, late=next(lag), host=f"algo-{number % 4 + 1}")
    night = (T + 14 * HOUR, T + 14.7 * HOUR)
    expired = tuple((T + hour * HOUR, T + hour * HOUR + 600) for hour in (6, 12, 18))
    story.account.credentials[SANDBOX.access_key] = replace(SANDBOX, expired=expired)
    story.account.faults = Nightly(story, night)
    run = story.follow()
    memory = 0
    for item in waited(run.follower.items(), run.source.now, run.source.sleep):
        if isinstance(item, Note):
            run.notes.append(item.text)
        elif isinstance(item, Transition):
            run.transitions.append(item)
        elif isinstance(item, list):
            run.printed += item
            memory = max(memory, remembered(run.follower.memory))
    printed = run.lines()
    lost, twice = (story.put - printed).total(), (printed - story.put).total()
    say(
        f"a day: {story.put.total()} lines, {lost} lost, {twice} twice; "
        f"{run.requests / (DAY / 60):.1f} requests a minute; "
        f"ended {story.clock() - T - DAY:.0f} s after the job, as {run.watch.job.status}; "
        f"at most {memory} ids in memory; {len(run.notes)} notes, {len(run.transitions)} transitions"
    )
    return not (lost or twice)


class Nightly(Faults):
    """No connection during one span of the clock."""

    def __init__(self, story: Story, span: tuple[float, float]) -> None:
        super().__init__()
        self._story, self._span = story, span

    def draw(self, operation: str, *, paging: bool) -> Fault | None:
        """A reset, in the span."""
        del operation, paging
        return Fault.RESET if self._span[0] <= self._story.clock() < self._span[1] else None


def fast(rate: int = 2_000, seconds: int = 600, hosts: int = 10) -> bool:
    """A job of 2,000 lines a second for ten minutes."""
    chance = random.Random(2)  # noqa: S311 -- no secret; the same job each time
    lag = lags(chance)
    story = Story(seconds=float(seconds))
    shown = array("d")
    for number in range(rate * seconds):
        written = T + number / rate
        late = min(next(lag), T + seconds + 15 - written)
        shown.append(written + late)
        story.account.logs.put(
            GROUP,
            f"job/algo-{number % hosts + 1}-1",
            int(written * 1000),
            f"{number} ".ljust(100, "x"),
            visible_at=written + late,
            ingested=int((written + late - 0.05) * 1000),
        )
    run = story.follow()
    printed: Counter[int] = Counter()
    delays: array[float] = array("d")
    ids = 0
    for item in waited(run.follower.items(), run.source.now, run.source.sleep):
        if not isinstance(item, list):
            continue
        now = story.clock()
        for event in item:
            number = int(event["message"].split()[0])
            printed[number] += 1
            delays.append(now - shown[number])
        ids = max(ids, remembered(run.follower.memory))
    lost, twice = len(shown) - len(printed), printed.total() - len(printed)
    say(
        f"{rate} lines a second for {seconds} s: {lost} lost, {twice} twice; visible to printed {quantiles(delays)}; "
        f"{run.requests / (story.clock() - T):.2f} requests a second; at most {ids} ids in memory; "
        f"ended {story.clock() - T - seconds:.0f} s after the job"
    )
    return not (lost or twice)


def main() -> int:
    """Run what is asked for; 1 if a line was lost or came twice."""
    parser = argparse.ArgumentParser(description="The engine, for long.")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--only", nargs="*", choices=["seeds", "day", "fast"], default=["seeds", "day", "fast"])
    options = parser.parse_args()
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
    parts = {"seeds": lambda: seeds(options.seeds), "day": day, "fast": fast}
    right = True
    for name in options.only:
        began = time.monotonic()
        right = parts[name]() and right
        say(f"({name}: {time.monotonic() - began:.0f} s)")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
