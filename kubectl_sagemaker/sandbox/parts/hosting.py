"""Endpoints and an inference component: what never stops writing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.world import HOUR, MINUTE, ROLE, Endless, Part, plain

IMAGE: Final = "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-inference:2.5.1-cpu-py311"


def pinged(seed: int) -> Callable[[int], str]:
    """What a model server writes: health checks, and a prediction now and then."""

    def line(number: int) -> str:
        chosen = (number * 2_654_435_761 + seed * 40_503) >> 7
        if chosen % 5 == 0:
            return f'169.254.178.2 - - "POST /invocations HTTP/1.1" 200 {chosen % 900 + 100} {chosen % 37 + 4} ms'
        if chosen % 97 == 3:
            return f"WARNING: feature store took {chosen % 700 + 300} ms to answer"
        return '169.254.178.2 - - "GET /ping HTTP/1.1" 200 0'

    return line


def transferred(number: int) -> str:
    """What an asynchronous endpoint writes into its data-log."""
    return f"{number:08x}:[sagemaker logs] [{number:08x}] The response from container was received: 200"


def generating(seed: int) -> Callable[[int], str]:
    """What a language model's server writes."""

    def line(number: int) -> str:
        running = (number * 7 + seed) % 5
        return f"INFO engine: running={running} waiting=0 tokens/s={running * 41.5:.1f} kv-cache={running * 3.1:.1f}%"

    return line


def variant(name: str, count: int, weight: float) -> dict[str, Any]:
    """A production variant as Describe shows it."""
    return {
        "VariantName": name,
        "DeployedImages": [{"SpecifiedImage": IMAGE, "ResolvedImage": f"{IMAGE}@sha256:{name.encode().hex():0>64}"}],
        "CurrentWeight": weight,
        "DesiredWeight": weight,
        "CurrentInstanceCount": count,
        "DesiredInstanceCount": count,
    }


ENDPOINTS: Final[tuple[Part, ...]] = (
    Part(
        resource="hostingdeployments.sagemaker.aws.amazon.com",
        name="hosting-deployment",
        job_name="hosting-deployment-8a6f",
        created=-3 * 24 * HOUR,
        stages=plain(9 * MINUTE, "InService", "Creating"),
        request={"EndpointConfigName": "hosting-deployment-8a6f-1"},
        spec={
            "models": [
                {
                    "name": "xgboost-model",
                    "executionRoleArn": ROLE,
                    "primaryContainer": "xgboost",
                    "containers": [
                        {
                            "containerHostname": "xgboost",
                            "image": "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1",
                            "modelDataUrl": "s3://my-bucket/xgboost/model.tar.gz",
                        }
                    ],
                }
            ],
            "productionVariants": [
                {
                    "variantName": "all-traffic",
                    "modelName": "xgboost-model",
                    "initialInstanceCount": 1,
                    "initialVariantWeight": 1,
                    "instanceType": "ml.r5.large",
                }
            ],
        },
        outcome={"ProductionVariants": [variant("all-traffic", 1, 1.0)]},
        endless=(Endless(-2 * HOUR, "all-traffic/i-0d2c817be5f31", 20, pinged(0)),),
    ),
    Part(
        resource="endpoints.sagemaker.services.k8s.aws",
        name="ranking",
        namespace="ml",
        job_name="ranking",
        created=-20 * MINUTE,
        stages=plain(6 * MINUTE, "InService", "Creating"),
        request={"EndpointConfigName": "ranking-7"},
        outcome={"ProductionVariants": [variant("current", 3, 0.9), variant("canary", 1, 0.1)]},
        endless=(
            Endless(-16 * MINUTE, "current/i-0a3687981090f", 1.9, pinged(1), lag=0.4),
            Endless(-15.9 * MINUTE, "current/i-05e7c2b91d44a", 2.3, pinged(2), lag=1.3),
            Endless(-15.8 * MINUTE, "current/i-0c90d6a7f2b18", 2.1, pinged(3)),
            Endless(-15.7 * MINUTE, "canary/i-07f19be402c6d", 3.7, pinged(4), lag=2.6),
            Endless(-15 * MINUTE, "current/i-0a3687981090f/data-log", 11, transferred),
        ),
    ),
    Part(
        resource="endpoints.sagemaker.services.k8s.aws",
        name="ranking-next",
        namespace="ml",
        job_name="ranking-next",
        created=-2 * MINUTE,
        stages=plain(4 * MINUTE, "InService", "Creating"),
        request={"EndpointConfigName": "ranking-8"},
        outcome={"ProductionVariants": [variant("current", 1, 1.0)]},
        endless=(Endless(40, "current/i-0be1d7740c2a9", 2.0, pinged(5)),),
    ),
    # An inference pipeline: a stream for each container of an instance.
    Part(
        resource="endpoints.sagemaker.services.k8s.aws",
        name="sentiment",
        namespace="ml",
        job_name="sentiment",
        created=-50 * MINUTE,
        stages=plain(5 * MINUTE, "InService", "Creating"),
        request={"EndpointConfigName": "sentiment-1"},
        outcome={"ProductionVariants": [variant("AllTraffic", 1, 1.0)]},
        endless=(
            Endless(-45 * MINUTE, "AllTraffic/i-0f4a92d3c81e7/tokenize", 6, pinged(6)),
            Endless(-45 * MINUTE, "AllTraffic/i-0f4a92d3c81e7/classify", 6, pinged(7), lag=1.1),
        ),
    ),
    Part(
        resource="endpoints.sagemaker.services.k8s.aws",
        name="chat",
        namespace="ml",
        job_name="chat",
        created=-90 * MINUTE,
        stages=plain(5 * MINUTE, "InService", "Creating"),
        request={"EndpointConfigName": "chat-1"},
        outcome={"ProductionVariants": [variant("AllTraffic", 2, 1.0)]},
    ),
    Part(
        resource="inferencecomponents.sagemaker.services.k8s.aws",
        name="llama",
        namespace="ml",
        job_name="llama",
        created=-80 * MINUTE,
        stages=plain(7 * MINUTE, "InService", "Creating"),
        request={
            "EndpointName": "chat",
            "VariantName": "AllTraffic",
            "Specification": {
                "ModelName": "llama",
                "ComputeResourceRequirements": {
                    "NumberOfCpuCoresRequired": 4,
                    "NumberOfAcceleratorDevicesRequired": 1,
                    "MinMemoryRequiredInMb": 8192,
                },
            },
        },
        outcome={"RuntimeConfig": {"DesiredCopyCount": 2, "CurrentCopyCount": 2}},
        endless=(
            Endless(-75 * MINUTE, "AllTraffic/i-0b71e40dd95c3", 10, generating(0)),
            Endless(-75 * MINUTE, "AllTraffic/i-0e8836f1ab240", 10, generating(3), lag=1.6),
        ),
    ),
)


def configuration(endpoint: Part) -> Part:
    """The configuration, which no object made, of the variants that an endpoint shows."""
    asked = (endpoint.spec or {}).get("productionVariants", [{}])[0]
    return Part(
        resource="endpointconfigs.sagemaker.services.k8s.aws",
        name="",
        job_name=endpoint.request["EndpointConfigName"],
        created=endpoint.created,
        stages=(Stage(0, "Created"),),
        request={
            "ProductionVariants": [
                {
                    "VariantName": shown["VariantName"],
                    "ModelName": endpoint.job_name,
                    "InstanceType": asked.get("instanceType", "ml.g5.xlarge"),
                    "InitialInstanceCount": shown["CurrentInstanceCount"],
                }
                for shown in endpoint.outcome["ProductionVariants"]
            ]
        },
    )


HOSTING: Final = (
    *ENDPOINTS,
    *(configuration(part) for part in ENDPOINTS if "EndpointConfigName" in part.request),
)
