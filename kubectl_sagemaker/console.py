"""The address of a job's page in the AWS console, in every partition whose console is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from kubectl_sagemaker.kinds import Kind

HOSTS: Final = (
    (r"(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+", "{region}.console.aws.amazon.com"),
    (r"cn-\w+-\d+", "{region}.console.amazonaws.cn"),
    (r"us-gov-\w+-\d+", "{region}.console.amazonaws-us-gov.com"),
    (r"eusc-\w+-\w+-\d+", "{region}.console.amazonaws-eusc.eu"),
    (r"us-iso-\w+-\d+", "console.c2s.ic.gov"),
    (r"us-isob-\w+-\d+", "console.sc2s.sgov.gov"),
)
"""Regions of a partition, as botocore's partitions.json has them, and the console's host there. Where none is published
there is no link: a wrong one is worse."""


def address(kind: Kind, name: str | None, region: str | None) -> str | None:
    """The URL; None where the kind has no page, or the region no known console. Both names are cluster data."""
    if not (kind.console and name and region and (host := _host(region))):
        return None
    page = kind.console.format(region=region, name=quote(name, safe=""))
    return f"https://{host}/sagemaker/{page}"


def log_address(kind: Kind, name: str, region: str) -> str | None:
    """The URL of a job's streams in CloudWatch, as the first operator wrote it; None as for `address`."""
    if kind.log is None or not (host := _host(region)):
        return None
    group = kind.log.group.format(name=quote(name, safe=""))
    prefix = quote(name, safe="")
    return (
        f"https://{host}/cloudwatch/home?region={region}"
        f"#logStream:group={group};prefix={prefix};streamFilter=typeLogStreamPrefix"
    )


def _host(region: str) -> str | None:
    host = next((host for pattern, host in HOSTS if re.fullmatch(pattern, region, re.ASCII)), None)
    return host.format(region=region) if host else None
