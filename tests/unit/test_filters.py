"""Which events a filter keeps."""

from __future__ import annotations

import re

import pytest

from kubectl_sagemaker.aws import trusted_endpoint
from kubectl_sagemaker.logs.events import LogEvent
from kubectl_sagemaker.logs.filters import Filter


def page(*messages: str) -> list[LogEvent]:
    """Events with these messages."""
    return [{"logStreamName": "s", "timestamp": 0, "message": text, "ingestionTime": 0} for text in messages]


@pytest.mark.parametrize(
    ("include", "exclude", "kept"),
    [
        ((), (), ["a 1", "b 2", "a\nb 3"]),
        (("a", "2"), (), ["a 1", "b 2", "a\nb 3"]),
        (("^b",), (), ["b 2"]),
        ((), ("a", "3"), ["b 2"]),
        (("a",), ("3",), ["a 1"]),
    ],
)
def test_any_include_and_no_exclude(include: tuple[str, ...], exclude: tuple[str, ...], kept: list[str]) -> None:
    chosen = Filter(tuple(map(re.compile, include)), tuple(map(re.compile, exclude)))
    assert [event["message"] for event in chosen.kept(page("a 1", "b 2", "a\nb 3"))] == kept


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://api.sagemaker.us-west-2.amazonaws.com", True),
        ("https://api.sagemaker.cn-north-1.amazonaws.com.cn/", True),
        ("https://vpce-1.api.sagemaker.us-east-1.vpce.amazonaws.com", True),
        ("http://api.sagemaker.us-west-2.amazonaws.com", False),
        ("https://amazonaws.com.example.com", False),
        ("https://notamazonaws.com", False),
        ("https://user@example.com/.amazonaws.com", False),
        ("https://[", False),
        ("", False),
        (None, False),
    ],
)
def test_only_https_hosts_of_aws_get_signed_requests(url: str | None, trusted: bool) -> None:
    assert trusted_endpoint(url) == (url if trusted else None)
