"""One job in AWS: in which region, of whose account, and how SageMaker and its log are asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kubectl_sagemaker.aws import trusted_endpoint
from kubectl_sagemaker.errors import Error, Forbidden, NotFound
from kubectl_sagemaker.text import one_line

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env
    from kubectl_sagemaker.jobs import Job
    from kubectl_sagemaker.logs.source import Fetch, Query


def region(env: Env, job: Job) -> str:
    """--region, else the resource's, else the environment's or the profile's; raises Error if there is none."""
    found = env.account.region or job.region or env.aws.region
    if not found:
        raise Error(
            f"no AWS region for {job.title}: neither the resource nor the environment names one",
            hint="give --region, set AWS_REGION, or set region in the AWS profile",
        )
    return found


def other_region(env: Env, job: Job) -> str | None:
    """In words, that --region has a job looked for elsewhere than its resource says; None if it does not."""
    asked = env.account.region
    if not asked or not job.region or asked == job.region:
        return None
    return f"{job.title} says that it is in region {one_line(job.region)}; --region has it looked for in {asked}"


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


def fetcher(env: Env, job: Job, where: str) -> Fetch:
    """What asks CloudWatch Logs, or SageMaker, for an operation about a job; a refusal says whose the job is."""
    from kubectl_sagemaker.logs.pace import LOGS

    def fetch(operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        if operation not in LOGS:
            return ask(env, job, where, operation, parameters)
        try:
            return env.aws.call("logs", operation, parameters, region=where)
        except (Forbidden, NotFound) as error:
            raise elsewhere(env, job, where, error) or error from error

    return fetch


def query(job: Job, *, start: float, **bounds: Any) -> Query:
    """The events of the job's own streams from `start` on, in seconds since the epoch; `bounds` are Query's own.

    What has no log of its own has an empty query.
    """
    from kubectl_sagemaker.logs.events import Naming
    from kubectl_sagemaker.logs.source import Query

    log, name = job.kind.log, job.job_name or ""
    if log is None:
        return Query(group="", prefix="")
    prefix = log.prefix.format(name=name)
    return Query(
        group=log.group.format(name=name),
        prefix=prefix,
        stream=log.stream and log.stream.format(name=name),
        start=max(0, round(start * 1000)),
        naming=Naming(job="" if prefix else name, numbered=log.numbered, parent=prefix if job.kind.children else ""),
        **bounds,
    )


def untrusted_endpoint(env: Env, job: Job) -> str | None:
    """In words, that the resource's own endpoint is not asked; None if it is, or if it names none."""
    if not job.endpoint_url or env.account.endpoint_url or trusted_endpoint(job.endpoint_url):
        return None
    path, url = job.api.group.endpoint, one_line(job.endpoint_url)
    return f"{job.title}: {path} {url!r} is ignored: it is no https address of AWS (--endpoint-url can name it)"
