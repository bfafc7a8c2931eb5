"""What the operator needs in IAM: who may be it, what it may do, and the role that its jobs run as."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from kubectl_sagemaker.errors import Error, NotFound
from kubectl_sagemaker.operator import manifest, place
from kubectl_sagemaker.operator.rows import ROWS

if TYPE_CHECKING:
    from kubectl_sagemaker.operator.place import Aws

POLICY: Final = "sagemaker-operator"
EXECUTION_POLICY: Final = "AmazonSageMakerFullAccess"
SUBJECT: Final = f"system:serviceaccount:{manifest.NAMESPACE}:{manifest.ACCOUNT}"
AUDIENCE: Final = "sts.amazonaws.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be there. Documents are IAM's JSON."""

    region: str
    account: str
    cluster: str
    pod_identity: bool
    issuer: str
    """The cluster's OIDC issuer, without its scheme."""
    role: str
    execution_role: str

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn`, …"""
        return place.partition(self.region)

    def arn(self, resource: str) -> str:
        """An ARN of IAM's, in the account."""
        return f"arn:{self.partition}:iam::{self.account}:{resource}"

    @property
    def trust(self) -> dict[str, Any]:
        """Who may be the operator: its ServiceAccount, and no other."""
        if self.pod_identity:
            principal, actions = {"Service": "pods.eks.amazonaws.com"}, ["sts:AssumeRole", "sts:TagSession"]
            return _document([{"Effect": "Allow", "Principal": principal, "Action": actions}])
        condition = {"StringEquals": {f"{self.issuer}:aud": AUDIENCE, f"{self.issuer}:sub": SUBJECT}}
        statement = {
            "Effect": "Allow",
            "Principal": {"Federated": self.arn(f"oidc-provider/{self.issuer}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": condition,
        }
        return _document([statement])

    @property
    def permissions(self) -> dict[str, Any]:
        """What the operator may do: the operations that its passes call, and what those do in its name."""
        passed = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
        service = self.arn(
            "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com"
            "/AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        )
        named = {"StringLike": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}}
        alarms = [
            f"cloudwatch:{verb}Alarm{end}" for verb, end in (("PutMetric", ""), ("Delete", "s"), ("Describe", "s"))
        ]
        return _document(
            [
                {"Effect": "Allow", "Action": operations(), "Resource": "*"},
                {"Effect": "Allow", "Action": "iam:PassRole", "Resource": self.arn("role/*"), "Condition": passed},
                {"Effect": "Allow", "Action": alarms, "Resource": "*"},
                {
                    "Effect": "Allow",
                    "Action": "iam:CreateServiceLinkedRole",
                    "Resource": service,
                    "Condition": named,
                },
            ]
        )

    @property
    def execution_trust(self) -> dict[str, Any]:
        """Who may run jobs as the execution role."""
        principal = {"Service": "sagemaker.amazonaws.com"}
        return _document([{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}])

    def shown(self) -> dict[str, Any]:
        """All of it, for people and programs."""
        provider = {} if self.pod_identity else {"oidcProvider": self.arn(f"oidc-provider/{self.issuer}")}
        association = {"podIdentityAssociation": SUBJECT} if self.pod_identity else {}
        return {
            **provider,
            **association,
            "role": {
                "arn": self.arn(f"role/{self.role}"),
                "trustPolicy": self.trust,
                "policies": {POLICY: self.permissions},
            },
            "executionRole": {
                "arn": self.arn(f"role/{self.execution_role}"),
                "trustPolicy": self.execution_trust,
                "managedPolicies": [self.managed],
            },
        }

    @property
    def managed(self) -> str:
        """AWS's own policy for what jobs do."""
        return f"arn:{self.partition}:iam::aws:policy/{EXECUTION_POLICY}"


def _document(statements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def operations() -> list[str]:
    """Every operation that a pass may call, as IAM names it."""
    named = {"sagemaker:AddTags"}  # asked for wherever a Create has tags
    for row in ROWS:
        if row.inputs[0].service != "sagemaker":
            continue
        kind = row.kind.name
        named |= {f"sagemaker:{verb}{kind}" for verb in ("Create", "Describe", *row.changes)}
        named |= {f"sagemaker:{row.lists}"} if row.lists else set()
        if row.children:
            child = row.children.kind.name
            named |= {f"sagemaker:List{child}sFor{kind}", f"sagemaker:List{child}s", f"sagemaker:Describe{child}"}
    scaling = ("RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy", "DeleteScalingPolicy")
    named |= {f"application-autoscaling:{name}" for name in (*scaling, "DescribeScalingPolicies")}
    return sorted(named)


def plan(
    aws: Aws, *, region: str, cluster: str, role: str | None, execution_role: str | None, pod_identity: bool
) -> Plan:
    """Ask whose account it is, and which OIDC issuer the cluster has."""
    account = aws.call("sts", "GetCallerIdentity", {}, region=region)["Account"]
    issuer = ""
    if not pod_identity:
        found = aws.call("eks", "DescribeCluster", {"name": cluster}, region=region)["cluster"]
        issuer = ((found.get("identity") or {}).get("oidc") or {}).get("issuer", "").removeprefix("https://")
        if not issuer:
            raise Error(f"cluster {cluster} has no OIDC issuer", hint="use --pod-identity")
    return Plan(
        region=region,
        account=account,
        cluster=cluster,
        pod_identity=pod_identity,
        issuer=issuer,
        role=role or f"sagemaker-operator-{cluster}"[:64],
        execution_role=execution_role or f"sagemaker-execution-{cluster}"[:64],
    )


def carry_out(aws: Aws, wanted: Plan) -> list[str]:
    """Make what is missing and change what differs; return what was done, nothing if all was there."""
    done: list[str] = []
    if wanted.pod_identity:
        _role(aws, wanted, wanted.role, wanted.trust, done)
        _association(aws, wanted, done)
    else:
        _provider(aws, wanted, done)
        _role(aws, wanted, wanted.role, wanted.trust, done)
    _inline(aws, wanted, done)
    _role(aws, wanted, wanted.execution_role, wanted.execution_trust, done)
    _managed(aws, wanted, done)
    return done


def _provider(aws: Aws, wanted: Plan, done: list[str]) -> None:
    arn = wanted.arn(f"oidc-provider/{wanted.issuer}")
    try:
        found = aws.call("iam", "GetOpenIDConnectProvider", {"OpenIDConnectProviderArn": arn}, region=wanted.region)
    except NotFound:
        asked = {"Url": f"https://{wanted.issuer}", "ClientIDList": [AUDIENCE]}
        aws.call("iam", "CreateOpenIDConnectProvider", asked, region=wanted.region)
        done.append(f"OIDC provider {wanted.issuer} created")
        return
    if AUDIENCE not in found.get("ClientIDList", ()):
        asked = {"OpenIDConnectProviderArn": arn, "ClientID": AUDIENCE}
        aws.call("iam", "AddClientIDToOpenIDConnectProvider", asked, region=wanted.region)
        done.append(f"OIDC provider {wanted.issuer}: audience {AUDIENCE} added")


def _role(aws: Aws, wanted: Plan, name: str, trust: Mapping[str, Any], done: list[str]) -> None:
    """A role whose trust policy has our statements; statements of others stay."""
    try:
        found = aws.call("iam", "GetRole", {"RoleName": name}, region=wanted.region)["Role"]
    except NotFound:
        asked = {"RoleName": name, "AssumeRolePolicyDocument": json.dumps(trust)}
        aws.call("iam", "CreateRole", asked, region=wanted.region)
        done.append(f"role {name} created")
        return
    known = _read(found.get("AssumeRolePolicyDocument"))
    missing = [statement for statement in trust["Statement"] if statement not in known.get("Statement", ())]
    if missing:
        policy = {**trust, "Statement": [*known.get("Statement", ()), *missing]}
        asked = {"RoleName": name, "PolicyDocument": json.dumps(policy)}
        aws.call("iam", "UpdateAssumeRolePolicy", asked, region=wanted.region)
        done.append(f"role {name}: trust policy changed")


def _read(document: Any) -> dict[str, Any]:
    """A policy: botocore decodes it, other stand-ins give the text that IAM sends."""
    if isinstance(document, str):
        document = json.loads(unquote(document))
    return dict(document or {})


def _inline(aws: Aws, wanted: Plan, done: list[str]) -> None:
    asked = {"RoleName": wanted.role, "PolicyName": POLICY}
    try:
        known = _read(aws.call("iam", "GetRolePolicy", asked, region=wanted.region).get("PolicyDocument"))
    except NotFound:
        known = {}
    if known != wanted.permissions:
        document = {"PolicyDocument": json.dumps(wanted.permissions)}
        aws.call("iam", "PutRolePolicy", {**asked, **document}, region=wanted.region)
        done.append(f"role {wanted.role}: policy {POLICY} put")


def _managed(aws: Aws, wanted: Plan, done: list[str]) -> None:
    asked = {"RoleName": wanted.execution_role}
    attached = aws.call("iam", "ListAttachedRolePolicies", asked, region=wanted.region).get("AttachedPolicies", ())
    if wanted.managed not in {one["PolicyArn"] for one in attached}:
        aws.call("iam", "AttachRolePolicy", {**asked, "PolicyArn": wanted.managed}, region=wanted.region)
        done.append(f"role {wanted.execution_role}: {EXECUTION_POLICY} attached")


def _association(aws: Aws, wanted: Plan, done: list[str]) -> None:
    about = {"clusterName": wanted.cluster, "namespace": manifest.NAMESPACE, "serviceAccount": manifest.ACCOUNT}
    known = aws.call("eks", "ListPodIdentityAssociations", about, region=wanted.region).get("associations", ())
    if not known:
        asked = {**about, "roleArn": wanted.arn(f"role/{wanted.role}")}
        aws.call("eks", "CreatePodIdentityAssociation", asked, region=wanted.region)
        done.append(f"role {wanted.role} associated with {SUBJECT}")
