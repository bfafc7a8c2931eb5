"""The sandbox's own world: each kind of both groups that has a log, alive."""

from __future__ import annotations

from typing import Final

from kubectl_sagemaker.sandbox.parts.batch import BATCH
from kubectl_sagemaker.sandbox.parts.hosting import HOSTING
from kubectl_sagemaker.sandbox.parts.people import PEOPLE
from kubectl_sagemaker.sandbox.parts.pipelines import PIPELINES
from kubectl_sagemaker.sandbox.parts.training import TRAINING
from kubectl_sagemaker.sandbox.parts.tuning import TUNING
from kubectl_sagemaker.sandbox.world import Part

PARTS: Final[tuple[Part, ...]] = (*TRAINING, *BATCH, *TUNING, *HOSTING, *PIPELINES, *PEOPLE)
