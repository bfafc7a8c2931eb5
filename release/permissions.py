"""What each command asks of the API server and of AWS; tests hold that exactly this suffices."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kubectl_sagemaker.kinds import GROUPS, KINDS, Group

DESCRIBE: Final = "sagemaker:Describe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A command's needs; `Describe…` stands for the one of the job's kind."""

    command: str
    verbs: tuple[str, ...]
    """On the custom resources, in both groups."""
    namespaces: str = ""
    """Verb on namespaces."""
    actions: tuple[str, ...] = ()
    """In AWS; without one of them the command fails."""
    enriching: tuple[str, ...] = ()
    """In AWS; without one of them the command does the same, says less of the job, or takes longer."""


NEEDS: Final = (
    Need(
        command="smlogs KIND NAME",
        verbs=("get",),
        namespaces="get",
        actions=("logs:FilterLogEvents",),
        enriching=(f"{DESCRIBE}…",),
    ),
    Need(
        command="… --tail N",
        verbs=("get",),
        actions=("logs:FilterLogEvents", "logs:DescribeLogStreams"),
        enriching=(f"{DESCRIBE}…",),
    ),
    Need(
        command="… of a log of more than 1 MB",
        verbs=("get",),
        actions=("logs:FilterLogEvents",),
        enriching=(f"{DESCRIBE}…", "logs:DescribeLogStreams", "logs:GetLogEvents"),
    ),
    Need(
        command="… -f",
        verbs=("get",),
        actions=("logs:FilterLogEvents",),
        enriching=(f"{DESCRIBE}…",),
    ),
    Need(
        command="… -l SELECTOR, --all",
        verbs=("list",),
        actions=("logs:FilterLogEvents",),
        enriching=(f"{DESCRIBE}…",),
    ),
    Need(
        command="smlogs hyperparametertuningjob NAME",
        verbs=("get",),
        actions=("logs:FilterLogEvents",),
        enriching=(f"{DESCRIBE}…", "sagemaker:ListTrainingJobsForHyperParameterTuningJob"),
    ),
    Need(
        command="… --best, --top N, --failed",
        verbs=("get",),
        actions=("logs:FilterLogEvents", "sagemaker:ListTrainingJobsForHyperParameterTuningJob"),
        enriching=(f"{DESCRIBE}…",),
    ),
    Need(
        command="smlogs pipelineexecution NAME",
        verbs=("get",),
        # Steps name their jobs by ARNs, which are in lower case; a log is found by the name alone.
        actions=("logs:FilterLogEvents", "sagemaker:ListPipelineExecutionSteps", f"{DESCRIBE}…"),
    ),
    Need(command="sagemaker status", verbs=("list",)),
    Need(
        command="sagemaker status KIND NAME",
        verbs=("get",),
        enriching=(
            f"{DESCRIBE}…",
            "logs:FilterLogEvents",
            "sagemaker:DescribeEndpointConfig",
            "sagemaker:ListPipelineExecutionSteps",
            "sagemaker:ListTrainingJobsForHyperParameterTuningJob",
        ),
    ),
    Need(command="… -w", verbs=("get", "list", "watch"), enriching=(f"{DESCRIBE}…", "logs:FilterLogEvents")),
    Need(command="TAB", verbs=("list",), namespaces="list"),
)

ROLES: Final = (
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:PutRolePolicy",
    "iam:UpdateAssumeRolePolicy",
)
SETUP_IAM: Final = (
    "eks:DescribeCluster",
    "iam:AddClientIDToOpenIDConnectProvider",
    "iam:CreateOpenIDConnectProvider",
    "iam:GetOpenIDConnectProvider",
    *ROLES,
)
"""What `operator setup-iam` asks; tests/unit/operator/test_iam.py holds that exactly this suffices."""
SETUP_POD_IDENTITY: Final = ("eks:CreatePodIdentityAssociation", "eks:ListPodIdentityAssociations", *ROLES)
"""The same with --pod-identity. AWS asks for iam:PassRole besides, which is no operation."""


def plurals(group: Group) -> list[str]:
    """The custom resources of a group, by name."""
    return sorted(api.plural for kind in KINDS for api in kind.apis if api.group is group)


def described() -> list[str]:
    """Every Describe that a command may ask."""
    asked = [kind for kind in KINDS if kind.logged or kind.runs]
    return sorted(f"{DESCRIBE}{kind.name}" for kind in asked)


def actions(needs: Iterable[Need] = NEEDS) -> list[str]:
    """Every action that the needs name, Describe… spelt out."""
    named = {action for need in needs for action in (*need.actions, *need.enriching)}
    return sorted(named - {f"{DESCRIBE}…"}) + (described() if f"{DESCRIBE}…" in named else [])


def cluster_role(needs: Iterable[Need] = NEEDS) -> list[dict[str, list[str]]]:
    """The rules of a ClusterRole for them."""
    verbs = sorted({verb for need in needs for verb in need.verbs})
    namespaces = sorted({need.namespaces for need in needs} - {""})
    rules = [{"apiGroups": [group.name], "resources": plurals(group), "verbs": list(verbs)} for group in GROUPS]
    if namespaces:
        rules.append({"apiGroups": [""], "resources": ["namespaces"], "verbs": namespaces})
    return rules


def policy(needs: Iterable[Need] = NEEDS) -> dict[str, object]:
    """An IAM policy for them."""
    wanted = actions(needs)
    logs = [action for action in wanted if action.startswith("logs:")]
    sagemaker = [action for action in wanted if action.startswith("sagemaker:")]
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": logs, "Resource": "arn:aws:logs:*:*:log-group:/aws/sagemaker/*"},
            {"Effect": "Allow", "Action": sagemaker, "Resource": "*"},
        ],
    }
