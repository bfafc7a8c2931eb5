"""Where an object's job is: a region of AWS, asked by a pass, with refusals that a status can tell."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from kubectl_sagemaker.aws import trusted_endpoint
from kubectl_sagemaker.errors import Error, Forbidden, NotFound, Throttled, Unauthorized, Unavailable
from kubectl_sagemaker.jobs import first
from kubectl_sagemaker.operator.shapes import input_shape, output_shape

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.objects import Object
    from kubectl_sagemaker.operator.rows import Row

PAGE: Final = 100
"""The most that a List operation gives at once."""


class Aws(Protocol):
    """As much of aws.Aws as a pass needs."""

    @property
    def region(self) -> str | None:
        """The region where an object names none."""

    def call(
        self,
        service: str,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        region: str | None,
        endpoint_url: str | None = None,
    ) -> dict[str, Any]:
        """Call one operation."""


class Refused(Exception):
    """AWS did not do what a pass asked for; `error` is what it said."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error

    @property
    def transient(self) -> bool:
        """Whether it may be done if asked again: throttled, unreachable, or a fault of AWS's."""
        return isinstance(self.error, Throttled | Unavailable)

    @property
    def personal(self) -> bool:
        """Whether the credentials are what is wrong, rather than the request."""
        return isinstance(self.error, Forbidden | Unauthorized)


@dataclass(frozen=True, slots=True)
class Place:
    """A region, and SageMaker's own endpoint there if the object names one."""

    aws: Aws
    region: str
    endpoint_url: str | None = None

    def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        service: str = "sagemaker",
        needs: Iterable[str] = (),
    ) -> dict[str, Any]:
        """Call an operation; raise Refused, also for an answer without the members that it `needs`.

        An answer that broke off, and a proxy's page, are empty answers to botocore (measured): taken for one, an
        endpoint would have no state, and a scalable target no other policy.
        """
        endpoint_url = self.endpoint_url if service == "sagemaker" else None
        try:
            answer = self.aws.call(service, operation, parameters, region=self.region, endpoint_url=endpoint_url)
        except Error as error:
            raise Refused(error) from error
        if (missing := next((member for member in needs if member not in answer), None)) is not None:
            raise Refused(Unavailable(f"{service}:{operation}: the answer has no {missing}"))
        return answer

    def describe(self, kind: str, name: str) -> dict[str, Any] | None:
        """What SageMaker knows of `name`; None if there is no such thing.

        SageMaker is not asked for what is no name of its: it would refuse that for ever, and nothing could go.
        """
        if not is_name(kind, name):
            return None
        members = output_shape("sagemaker", f"Describe{kind}").members
        needs = [member for member in (f"{kind}Name", f"{kind}Status") if member in members]
        return self.find(f"Describe{kind}", {f"{kind}Name": name}, needs=needs)

    def find(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        *,
        service: str = "sagemaker",
        needs: Iterable[str] = (),
    ) -> dict[str, Any] | None:
        """Call an operation whose object may be absent; None if it is."""
        try:
            return self.call(operation, parameters, service=service, needs=needs)
        except Refused as refused:
            if isinstance(refused.error, NotFound):
                return None
            raise

    def listed(self, operation: str, parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Every item of a List operation whose answer has one list."""
        members = output_shape("sagemaker", operation).members
        listed = next(name for name in members if members[name].type_name == "list")
        token: Mapping[str, Any] = {}
        while True:
            page = self.call(operation, {"MaxResults": PAGE, **parameters, **token}, needs=(listed,))
            yield from page[listed]
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    @property
    def known(self) -> bool:
        """Whether it has an address: its own, or that of a region that botocore knows of."""
        return self.endpoint_url is not None or self.region in regions()


def is_name(kind: str, name: str) -> bool:
    """Whether SageMaker can have something of a kind by a name."""
    shape = input_shape("sagemaker", f"Describe{kind}").members[f"{kind}Name"]
    pattern = shape.metadata.get("pattern", ".*")
    return len(name) <= shape.metadata.get("max", len(name)) and re.fullmatch(pattern, name) is not None


def of(aws: Aws, thing: Object, row: Row) -> Place:
    """Where an object's job is; raise Refused for an own endpoint that is none of AWS's.

    It is cluster data: whoever may write objects would receive requests that the operator signs.
    """
    group = row.api.group
    url = first(thing, (group.endpoint,))
    if url and not trusted_endpoint(url):
        raise Refused(Error(f"sageMakerEndpoint {url} is no https address of AWS"))
    annotations = thing["metadata"].get("annotations") or {}
    region = first(thing, group.region) or annotations.get(group.region_annotation or "") or aws.region
    return Place(aws, region or "", url)


@functools.cache
def regions() -> frozenset[str]:
    """Every region of every partition that botocore knows of."""
    from botocore.loaders import Loader

    partitions = Loader().load_data("endpoints")["partitions"]
    return frozenset(region for partition in partitions for region in partition["regions"])


def dns_suffix(region: str) -> str:
    """What the names of a region's endpoints end in."""
    return _partition(region)[1]


def partition(region: str) -> str:
    """A region's partition: `aws`, `aws-cn`, …"""
    return _partition(region)[0]


@functools.cache
def _partition(region: str) -> tuple[str, str]:
    """A region's partition, and what its endpoints' names end in."""
    from botocore.exceptions import UnknownRegionError
    from botocore.loaders import Loader
    from botocore.regions import EndpointResolver

    resolver = EndpointResolver(Loader().load_data("endpoints"))
    try:
        partition = str(resolver.get_partition_for_region(region))
    except UnknownRegionError:
        partition = "aws"
    return partition, str(resolver.get_partition_dns_suffix(partition))
