"""A spec of each kind that the operator reconciles, as people write them."""

from __future__ import annotations

from typing import Any, Final

ENDPOINT: Final = "endpoint-1"
"""What the autoscaling policy scales."""
ROLE: Final = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"
RESOURCES: Final = {"instanceCount": 1, "instanceType": "ml.m4.xlarge", "volumeSizeInGB": 5}
ALGORITHM: Final = {
    "trainingImage": "433757028032.dkr.ecr.us-west-2.amazonaws.com/xgboost:1",
    "trainingInputMode": "File",
}

TRAINING: Final[dict[str, Any]] = {
    "region": "us-west-2",
    "roleArn": ROLE,
    "algorithmSpecification": ALGORITHM,
    "hyperParameters": [{"name": "eta", "value": "0.2"}],
    "outputDataConfig": {"s3OutputPath": "s3://my-bucket/xgboost/"},
    "resourceConfig": RESOURCES,
    "stoppingCondition": {"maxRuntimeInSeconds": 3600},
}
TUNING: Final[dict[str, Any]] = {
    "region": "us-west-2",
    "hyperParameterTuningJobConfig": {
        "strategy": "Bayesian",
        "hyperParameterTuningJobObjective": {"type": "Minimize", "metricName": "validation:error"},
        "resourceLimits": {"maxNumberOfTrainingJobs": 10, "maxParallelTrainingJobs": 5},
    },
    "trainingJobDefinition": {
        "staticHyperParameters": [{"name": "objective", "value": "reg:linear"}],
        "algorithmSpecification": ALGORITHM,
        "roleArn": ROLE,
        "outputDataConfig": {"s3OutputPath": "s3://my-bucket/xgboost"},
        "resourceConfig": RESOURCES,
        "stoppingCondition": {"maxRuntimeInSeconds": 3600},
    },
}
TRANSFORM: Final[dict[str, Any]] = {
    "region": "us-west-2",
    "modelName": "sagemaker-tensorflow-model",
    "transformInput": {
        "contentType": "text/csv",
        "dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": "s3://my-bucket/samples"}},
    },
    "transformOutput": {"s3OutputPath": "s3://my-bucket/out"},
    "transformResources": {"instanceCount": 2, "instanceType": "ml.m4.xlarge"},
}
PROCESSING: Final[dict[str, Any]] = {
    "region": "us-west-2",
    "roleArn": ROLE,
    "appSpecification": {"imageUri": "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:1.5.0"},
    "processingResources": {"clusterConfig": RESOURCES},
    "stoppingCondition": {"maxRuntimeInSeconds": 1800},
}
MODEL: Final[dict[str, Any]] = {
    "region": "us-west-2",
    "executionRoleArn": ROLE,
    "primaryContainer": {"image": "image", "environment": [{"name": "A", "value": "1"}]},
    "vpcConfig": {"subnets": ["a", "b"], "securityGroupIds": ["s"]},
    "tags": [{"key": "team", "value": "a"}],
}
ENDPOINT_CONFIG: Final[dict[str, Any]] = {
    "region": "us-west-2",
    "productionVariants": [
        {
            "variantName": name,
            "modelName": "model",
            "initialInstanceCount": 1,
            "instanceType": "ml.r5.large",
            "initialVariantWeight": 1,
        }
        for name in ("one", "two")
    ],
}
HOSTING: Final[dict[str, Any]] = {
    "region": "us-west-2",
    "productionVariants": [
        {
            "variantName": variant,
            "modelName": model,
            "initialInstanceCount": 1,
            "instanceType": "ml.r5.large",
            "initialVariantWeight": 1,
        }
        for variant, model in (("AllTraffic", "xgboost-model"), ("second", "other"))
    ],
    "models": [
        {
            "name": name,
            "executionRoleArn": ROLE,
            "containers": [{"containerHostname": "xgboost", "modelDataUrl": "s3://b/model.tar.gz", "image": "image"}],
        }
        for name in ("xgboost-model", "other")
    ],
}
SCALING: Final[dict[str, Any]] = {
    "region": "us-west-2",
    "resourceId": [{"endpointName": ENDPOINT, "variantName": "AllTraffic"}],
    "minCapacity": 1,
    "maxCapacity": 2,
    "targetTrackingScalingPolicyConfiguration": {
        "targetValue": 60,
        "predefinedMetricSpecification": {"predefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    },
}
SPECS: Final[dict[str, dict[str, Any]]] = {
    "trainingjob": TRAINING,
    "hyperparametertuningjob": TUNING,
    "batchtransformjob": TRANSFORM,
    "processingjob": PROCESSING,
    "model": MODEL,
    "endpointconfig": ENDPOINT_CONFIG,
    "hostingdeployment": HOSTING,
    "hostingautoscalingpolicy": SCALING,
}
JOBS: Final = ("trainingjob", "hyperparametertuningjob", "batchtransformjob", "processingjob")
EDITS: Final[dict[str, dict[str, Any]]] = {
    **{singular: {"tags": [{"key": "a", "value": "b"}], "roleArn": f"{ROLE}-2"} for singular in JOBS},
    "model": {"primaryContainer": {"image": "other"}},
    "endpointconfig": {"kmsKeyId": "key"},
    "hostingdeployment": {"kmsKeyId": "key"},
    "hostingautoscalingpolicy": {"maxCapacity": 5},
}
"""A change of each that is one for SageMaker, where it can change what it has."""
CHILD: Final[dict[str, Any]] = {
    "RoleArn": ROLE,
    "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b"},
    "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5},
    "StoppingCondition": {"MaxRuntimeInSeconds": 60},
}
"""What SageMaker says of a training job that a tuning job has started, beside its tuning job's ARN."""
