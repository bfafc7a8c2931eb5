"""The resources that a selector means, listed again and again as they come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kubectl_sagemaker import jobs
from kubectl_sagemaker.errors import Error

if TYPE_CHECKING:
    from kubectl_sagemaker.jobs import Job
    from kubectl_sagemaker.kinds import Target
    from kubectl_sagemaker.kube import Kube


@dataclass(slots=True)
class Selection:
    """Kinds and labels in one namespace, and what they have matched last."""

    kube: Kube
    targets: Sequence[Target]
    selector: str | None
    """None: every resource of the kinds."""
    refusals: tuple[Error, ...] = ()
    """The kinds that could not be listed."""
    _found: dict[tuple[str, str, str], Job] = field(default_factory=dict)
    _error: Error | None = None
    """What the last listing failed with."""
    _region: str | None = None
    """The namespace's, once a resource without one of its own has been seen; empty: it has none."""

    def list(self) -> list[Job]:
        """What it matches now, in kubectl's order; raises what listing raises.

        Two resources that mean one SageMaker job count once, as ACK's.
        """
        try:
            listing = jobs.collect(self.kube, self.targets, self.kube.namespace, selector=self.selector)
        except Error as error:
            self._error = error
            raise
        self._error = None
        self.refusals = listing.refusals
        self._found = {job.key: job for job in map(self._with_region, listing.jobs)}
        meant: dict[object, Job] = {}
        for job in self._found.values():
            meant.setdefault((job.kind.name, job.region, job.job_name) if job.job_name else job.key, job)
        return list(meant.values())

    def look(self, job: Job) -> Job:
        """The job as the last listing had it; one that is no longer matched is asked for by itself."""
        if self._error is not None:
            raise self._error
        return self._found.get(job.key) or jobs.again(self.kube, job)

    def _with_region(self, job: Job) -> Job:
        if job.region or not job.api.group.namespace_region_annotation:
            return job
        if self._region is None:
            self._region = jobs.namespace_region(self.kube, job.namespace) or ""
        return job._replace(region=self._region or None)
