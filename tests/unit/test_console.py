"""A link to the console is right in every partition, or there is none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import botocore  # noqa: TID253  # nothing starts here
import pytest

from kubectl_sagemaker import console, kinds

TRAINING = kinds.parse("trainingjob").kind
PARTITIONS = {
    partition["id"]: sorted(name for name in partition["regions"] if "global" not in name)
    for partition in json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_text())["partitions"]
}
HOSTS = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-cn": "{region}.console.amazonaws.cn",
    "aws-us-gov": "{region}.console.amazonaws-us-gov.com",
    "aws-eusc": "{region}.console.amazonaws-eusc.eu",
    "aws-iso": "console.c2s.ic.gov",
    "aws-iso-b": "console.sc2s.sgov.gov",
}


@pytest.mark.parametrize("partition", PARTITIONS)
def test_every_region_of_a_partition_has_its_console_or_none(partition: str) -> None:
    for region in PARTITIONS[partition]:
        url = console.address(TRAINING, "xgb", region)
        host = HOSTS.get(partition)
        expected = host and f"https://{host.format(region=region)}/sagemaker/home?region={region}#/jobs/xgb"
        assert url == expected, region


@pytest.mark.parametrize("region", ["evil.example#", "us-west-2.evil", "us-west-2\n", "", None, "us-west-2/x"])
def test_a_region_that_is_none_has_no_link(region: str | None) -> None:
    assert console.address(TRAINING, "xgb", region) is None


def test_a_name_stays_a_part_of_the_address() -> None:
    url = console.address(TRAINING, "a/b?c#d\x1b]8;;\x07é", "us-west-2")
    assert url is not None
    assert url.endswith("#/jobs/a%2Fb%3Fc%23d%1B%5D8%3B%3B%07%C3%A9")


def test_every_page_is_of_the_job_and_of_its_region() -> None:
    pages = [kind.console for kind in kinds.KINDS if kind.console]
    assert all(
        re.fullmatch(r"(home|groundtruth)\?region=\{region\}#/[\w-]+(/details)?/\{name\}", page) for page in pages
    )
    assert len(pages) == len(set(pages))
