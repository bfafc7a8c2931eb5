"""What people work in: a notebook instance and labeling jobs."""

from __future__ import annotations

from typing import Any, Final

from kubectl_sagemaker.kinds import ACK
from kubectl_sagemaker.sandbox.sagemaker import Stage
from kubectl_sagemaker.sandbox.world import HOUR, MINUTE, ROLE, Endless, Line, Part, plain, spelt

KERNEL: Final = "6d1f2b7e-90ac-4c53-8f0e-2a7d5b1c9e44"


def jupyter(number: int) -> str:
    """What a notebook server writes."""
    if number % 4 == 0:
        return "[I NotebookApp] Saving file at /churn.ipynb"
    return f"[D NotebookApp] activity on {KERNEL}: status ({'busy' if number % 3 else 'idle'})"


def labeling(name: str, created: float, seconds: float, end: str = "Completed") -> Part:
    """A labeling job, which writes a line each time people have labelled an object."""
    step = (seconds - 60) / 100
    return Part(
        resource="labelingjobs.sagemaker.services.k8s.aws",
        name=name,
        namespace="ml",
        job_name=name,
        created=created,
        stages=(Stage(0, "Initializing"), Stage(60, "InProgress"), Stage(seconds, end)),
        request={
            **ANNOTATION,
            "LabelCounters": {
                "TotalLabeled": 0,
                "HumanLabeled": 0,
                "MachineLabeled": 0,
                "FailedNonRetryableError": 0,
                "Unlabeled": 100,
            },
            "JobReferenceCode": f"{created:.0f}".strip("-").rjust(8, "0"),
        },
        spec={**spelt(ANNOTATION, ACK), "labelingJobName": name},
        lines=tuple(
            Line(created + 60 + step * number, "", f"{name}: consolidated object {number} of 100")
            for number in range(1, 101)
        ),
    )


ANNOTATION: Final[dict[str, Any]] = {
    "LabelAttributeName": "sentiment",
    "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://my-bucket/reviews/input.manifest"}}},
    "OutputConfig": {"S3OutputPath": "s3://my-bucket/reviews/"},
    "RoleArn": ROLE,
    "HumanTaskConfig": {
        "WorkteamArn": "arn:aws:sagemaker:us-west-2:123456789012:workteam/private-crowd/editors",
        "UiConfig": {"UiTemplateS3Uri": "s3://my-bucket/reviews/template.liquid"},
        "PreHumanTaskLambdaArn": "arn:aws:lambda:us-west-2:081040173940:function:PRE-TextMultiClass",
        "TaskTitle": "Sentiment",
        "TaskDescription": "Is the review good or bad?",
        "NumberOfHumanWorkersPerDataObject": 1,
        "TaskTimeLimitInSeconds": 300,
        "AnnotationConsolidationConfig": {
            "AnnotationConsolidationLambdaArn": "arn:aws:lambda:us-west-2:081040173940:function:ACS-TextMultiClass"
        },
    },
}

PEOPLE: Final[tuple[Part, ...]] = (
    labeling("reviews", -15 * MINUTE, 45 * MINUTE),
    # Its stream begins alike, and is another's.
    labeling("reviews-2", -14 * MINUTE, 30 * MINUTE),
    Part(
        resource="notebookinstances.sagemaker.services.k8s.aws",
        name="ada",
        namespace="ml",
        job_name="ada",
        created=-2 * HOUR,
        stages=plain(4 * MINUTE, "InService", "Pending"),
        request={"InstanceType": "ml.t3.medium", "RoleArn": ROLE, "VolumeSizeInGB": 20},
        outcome={"Url": "ada.notebook.us-west-2.sagemaker.aws"},
        lines=tuple(
            Line(-2 * HOUR + 180 + index, "LifecycleConfigOnStart", text)
            for index, text in enumerate(("+ pip install -r requirements.txt", "Successfully installed", "+ exit 0"))
        ),
        endless=(Endless(-115 * MINUTE, "jupyter.log", 15, jupyter),),
    ),
)
