"""The children of one job, as SageMaker lists them: which jobs they are, and how they stand."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kubectl_sagemaker.errors import Forbidden, NotFound
from kubectl_sagemaker.jobs import dig
from kubectl_sagemaker.kinds import Children as Row
from kubectl_sagemaker.kinds import Kind
from kubectl_sagemaker.logs.events import Aside, Note

if TYPE_CHECKING:
    from kubectl_sagemaker.logs.source import Source

PAGE: Final = 100
"""Children of a page of the list: the most there may be. Without it AWS gives ten of a tuning job's."""
SOON: Final = 10.0
"""Seconds after which a job is looked for in the list again that is named like a child and is not listed."""
OWN_NAME: Final = re.compile(r"\d{3,}-[0-9A-Za-z]{8}")
"""What follows the parent's name in a child's: its number and a hash."""


class Child(NamedTuple):
    """One job that another has started."""

    kind: str
    """SageMaker's name of its kind; empty where a step is no job."""
    job_name: str
    from_arn: bool
    """Whether the name was read from an ARN, where AWS may write it in lower case."""
    label: str
    """By what people know it."""
    status: str | None
    reason: str | None
    """Why it failed."""
    objective: Mapping[str, Any] | None
    """MetricName, Value and Type; None while it has none."""

    @property
    def rank(self) -> float:
        """The better, the lower."""
        value = float((self.objective or {}).get("Value", 0.0))
        return -value if (self.objective or {}).get("Type") == "Maximize" else value


def read(row: Row, item: Mapping[str, Any]) -> Child:
    """One item of the list."""
    path, found = next(((path, found) for path in row.jobs if (found := dig(item, path))), ("", ""))
    name = str(found)
    return Child(
        kind=row.jobs.get(path, ""),
        job_name=name.rpartition("/")[2],
        from_arn=name.startswith("arn:"),
        label=str(dig(item, row.label or None) or name.rpartition("/")[2]),
        status=dig(item, row.status),
        reason=dig(item, row.reason),
        objective=dig(item, row.objective or None) or None,
    )


@dataclass(slots=True)
class Children:
    """What is known of a job's children; asked again when a job turns up that is not known."""

    kind: Kind
    """The parent's."""
    parent: str
    """Its name, or ARN."""
    known: dict[str, Child] = field(default_factory=dict)
    _foreign: dict[str, float] = field(default_factory=dict)
    """Jobs that only begin alike, each with the time at which its case may be looked at again."""
    _denied: bool = False
    _listed: bool = False

    @property
    def row(self) -> Row:
        """How they are listed."""
        assert self.kind.children is not None  # noqa: S101  # who has no children is never asked for them
        return self.kind.children

    def among(self, jobs: Iterable[str], source: Source) -> Generator[Aside, None, set[str]]:
        """Those of the jobs that are children."""
        names = set(jobs)
        doubtful = {name for name in names - self.known.keys() if self._foreign.get(name, 0.0) <= source.now()}
        if doubtful:
            yield from self.list(source)
            for name in doubtful - self.known.keys():
                own = self._is_own(name)
                if self._denied and own:
                    self.known[name] = Child(self.kind.name, name, False, name, None, None, None)
                else:
                    self._foreign[name] = source.now() + SOON if own else float("inf")
        return names & self.known.keys()

    def list(self, source: Source) -> Iterator[Aside]:
        """Ask SageMaker, as far back as there is anything new."""
        if self._denied:
            return
        row = self.row
        parameters: dict[str, Any] = {self.kind.name_member: self.parent, "MaxResults": PAGE, **row.newest_first}
        try:
            while True:
                answer = yield from source.ask(row.operation, parameters)
                page = {
                    child.job_name or child.label: child
                    for child in (read(row, item) for item in answer.get(row.members) or ())
                }
                news = page.keys() - self.known.keys()
                self.known |= page
                if not answer.get("NextToken") or (self._listed and not news):
                    break
                parameters["NextToken"] = answer["NextToken"]
        except (Forbidden, NotFound) as error:
            if self.kind.log is None:
                raise
            self._denied = True
            yield Note(f"{error.message}; every job named {self.parent}-NUMBER-HASH is taken for its child")
        self._listed = True

    def _is_own(self, name: str) -> bool:
        return bool(OWN_NAME.fullmatch(name.removeprefix(f"{self.parent}-")))
