"""One job in AWS: its region, whose it is, SageMaker's word on it, and its log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kubectl_sagemaker.aws import trusted_endpoint
from kubectl_sagemaker.errors import Error, Forbidden, NotFound

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.jobs import Job
    from kubectl_sagemaker.logs.source import Source

BEFORE_CREATION: Final = 60.0
"""Seconds before SageMaker's creation of the job from which its log is read."""


def region(env: Env, job: Job) -> str:
    """--region, else the resource's, else the environment's or the profile's; raises Error if there is none."""
    found = env.account.region or job.region or env.aws.region
    if not found:
        raise Error(
            f"no AWS region for {job.title}: neither the resource nor the environment names one",
            hint="give --region, set AWS_REGION, or set region in the AWS profile",
        )
    return found


def ask(env: Env, job: Job, where: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """SageMaker's answer about a job in a region.

    Raises what Aws.call raises; that there is no such job is Forbidden where another account has it.
    """
    endpoint = trusted_endpoint(job.endpoint_url)
    try:
        return env.aws.call("sagemaker", operation, parameters, region=where, endpoint_url=endpoint)
    except (Forbidden, NotFound) as error:
        raise elsewhere(env, job, where, error) or error from error


def elsewhere(env: Env, job: Job, where: str, error: Error) -> Error | None:
    """What an access error means where the credentials are of another account than the job; else None."""
    account = env.aws.account_id(where) if job.account else None
    if account in {None, job.account}:
        return None
    return Forbidden(
        f"{job.title} is in AWS account {job.account}, the credentials are of account {account}: {error.message}",
        hint=f"give credentials of account {job.account}: --profile or AWS_PROFILE",
    )


def log(env: Env, job: Job, where: str, *, created: float | None, patience: float) -> Source | None:
    """The job's log from its creation on, in seconds since the epoch; None where its kind has none of its own."""
    from kubectl_sagemaker.logs.events import Naming
    from kubectl_sagemaker.logs.pace import Budget
    from kubectl_sagemaker.logs.source import Query, Source

    kept = job.kind.log
    if kept is None or job.kind.children or job.job_name is None:
        return None

    def fetch(operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return env.aws.call("logs", operation, parameters, region=where)
        except (Forbidden, NotFound) as error:
            raise elsewhere(env, job, where, error) or error from error

    prefix = kept.prefix.format(name=job.job_name)
    query = Query(
        group=kept.group.format(name=job.job_name),
        prefix=prefix,
        stream=kept.stream and kept.stream.format(name=job.job_name),
        start=max(0, round(((created or BEFORE_CREATION) - BEFORE_CREATION) * 1000)),
        naming=Naming(job="" if prefix else job.job_name, numbered=kept.numbered),
        left_out=kept.on_demand,
    )
    return Source(
        fetch=fetch,
        query=query,
        now=env.now,
        sleep=env.sleep,
        budget=Budget(env.now),
        renew=env.aws.renew,
        patience=patience,
    )
