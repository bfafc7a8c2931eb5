"""The operator's IAM: least rights, made when missing, left alone when there; on an account that is kept in memory."""

# ruff: noqa: N802, N803  # AWS's names of operations and parameters

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pytest

from kubectl_sagemaker.errors import Error, Forbidden, NotFound
from kubectl_sagemaker.operator import iam
from kubectl_sagemaker.operator.shapes import service_model
from release import permissions

ISSUER = "oidc.eks.us-west-2.amazonaws.com/id/ABC"


class Account:
    """IAM, EKS and STS as far as the plan asks them; every request is checked by botocore's own validator."""

    region: str | None = "us-west-2"

    def __init__(self, issuer: str | None = f"https://{ISSUER}", allowed: Collection[str] | None = None) -> None:
        self.issuer = issuer
        self.allowed = allowed
        self.roles: dict[str, dict[str, Any]] = {}
        self.providers: dict[str, list[str]] = {}
        self.associations: list[dict[str, Any]] = []
        self.changes: list[str] = []

    def call(self, service: str, operation: str, parameters: Any, **place: Any) -> dict[str, Any]:
        from botocore.validate import ParamValidator

        assert place["region"] == "us-west-2"
        shape = service_model(service).operation_model(operation).input_shape
        report = ParamValidator().validate(parameters, shape) if shape is not None else None
        assert report is None or not report.has_errors(), report.generate_report()
        # Anybody may ask who they are.
        if self.allowed is not None and f"{service}:{operation}" not in {*self.allowed, "sts:GetCallerIdentity"}:
            raise Forbidden(f"no {service}:{operation}")
        if not operation.startswith(("Get", "List", "Describe")):
            self.changes.append(operation)
        return getattr(self, operation)(**parameters) or {}

    def GetCallerIdentity(self) -> Any:
        return {"Account": "123456789012"}

    def DescribeCluster(self, name: str) -> Any:
        identity = {"oidc": {"issuer": self.issuer}} if self.issuer else {}
        return {"cluster": {"name": name, "identity": identity}}

    def GetOpenIDConnectProvider(self, OpenIDConnectProviderArn: str) -> Any:
        return {"ClientIDList": self._found(self.providers, OpenIDConnectProviderArn)}

    def CreateOpenIDConnectProvider(self, Url: str, ClientIDList: list[str]) -> None:
        arn = f"arn:aws:iam::123456789012:oidc-provider/{Url.removeprefix('https://')}"
        self.providers[arn] = ClientIDList

    def AddClientIDToOpenIDConnectProvider(self, OpenIDConnectProviderArn: str, ClientID: str) -> None:
        self.providers[OpenIDConnectProviderArn].append(ClientID)

    def GetRole(self, RoleName: str) -> Any:
        return {"Role": {"AssumeRolePolicyDocument": self._found(self.roles, RoleName)["trust"]}}

    def CreateRole(self, RoleName: str, AssumeRolePolicyDocument: str) -> None:
        self.roles[RoleName] = {"trust": json.loads(AssumeRolePolicyDocument), "inline": {}, "managed": []}

    def UpdateAssumeRolePolicy(self, RoleName: str, PolicyDocument: str) -> None:
        self.roles[RoleName]["trust"] = json.loads(PolicyDocument)

    def GetRolePolicy(self, RoleName: str, PolicyName: str) -> Any:
        return {"PolicyDocument": self._found(self.roles[RoleName]["inline"], PolicyName)}

    def PutRolePolicy(self, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:
        self.roles[RoleName]["inline"][PolicyName] = json.loads(PolicyDocument)

    def ListAttachedRolePolicies(self, RoleName: str) -> Any:
        return {"AttachedPolicies": [{"PolicyArn": arn} for arn in self.roles[RoleName]["managed"]]}

    def AttachRolePolicy(self, RoleName: str, PolicyArn: str) -> None:
        self.roles[RoleName]["managed"].append(PolicyArn)

    def ListPodIdentityAssociations(self, **about: Any) -> Any:
        return {"associations": [one for one in self.associations if about.items() <= one.items()]}

    def CreatePodIdentityAssociation(self, **asked: Any) -> None:
        self.associations.append(asked)

    def _found(self, things: Any, name: str) -> Any:
        if name not in things:
            raise NotFound(f"no {name}")
        return things[name]


def plan(account: Account, **values: Any) -> iam.Plan:
    settings: dict[str, Any] = {"role": None, "execution_role": None, "pod_identity": False, **values}
    return iam.plan(account, region="us-west-2", cluster="eks", **settings)


def test_everything_is_made_and_the_second_time_nothing() -> None:
    account = Account()
    wanted = plan(account)
    assert len(iam.carry_out(account, wanted)) == 5
    assert set(account.roles) == {"sagemaker-operator-eks", "sagemaker-execution-eks"}
    (provider,) = account.providers
    assert account.providers[provider] == ["sts.amazonaws.com"]
    (statement,) = account.roles["sagemaker-operator-eks"]["trust"]["Statement"]
    assert statement["Principal"] == {"Federated": provider}
    assert statement["Condition"]["StringEquals"] == {
        f"{ISSUER}:aud": "sts.amazonaws.com",
        f"{ISSUER}:sub": "system:serviceaccount:sagemaker-k8s-operator-system:sagemaker-k8s-operator-default",
    }
    (execution,) = account.roles["sagemaker-execution-eks"]["trust"]["Statement"]
    assert execution["Principal"] == {"Service": "sagemaker.amazonaws.com"}
    before = list(account.changes)
    assert iam.carry_out(account, plan(account)) == []
    assert account.changes == before


def set_up(allowed: Collection[str], *, pod_identity: bool) -> None:
    """On an account that has nothing, and on one where each thing is there and differs."""
    account = Account(allowed=allowed)
    wanted = plan(account, pod_identity=pod_identity)
    iam.carry_out(account, wanted)
    for role in account.roles.values():
        role["trust"]["Statement"] = []
    for provider in account.providers.values():
        provider.clear()
    iam.carry_out(account, wanted)


@pytest.mark.parametrize(
    ("pod_identity", "actions"), [(False, permissions.SETUP_IAM), (True, permissions.SETUP_POD_IDENTITY)]
)
def test_exactly_the_documented_actions_suffice(pod_identity: bool, actions: tuple[str, ...]) -> None:
    set_up(actions, pod_identity=pod_identity)
    for action in actions:
        with pytest.raises(Forbidden, match=f"^no {action}$"):
            set_up({*actions} - {action}, pod_identity=pod_identity)


def test_planning_changes_nothing() -> None:
    account = Account()
    shown = plan(account, role="mine").shown()
    assert account.changes == []
    assert shown["role"]["arn"] == "arn:aws:iam::123456789012:role/mine"
    assert shown["executionRole"]["managedPolicies"] == ["arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"]


def test_trust_in_others_stays() -> None:
    account = Account()
    other = {"Effect": "Allow", "Principal": {"Federated": "other"}, "Action": "sts:AssumeRoleWithWebIdentity"}
    account.CreateRole("sagemaker-operator-eks", json.dumps({"Version": "2012-10-17", "Statement": [other]}))
    iam.carry_out(account, plan(account))
    assert account.roles["sagemaker-operator-eks"]["trust"]["Statement"][0] == other
    assert len(account.roles["sagemaker-operator-eks"]["trust"]["Statement"]) == 2


def test_pod_identity_needs_no_provider() -> None:
    account = Account(issuer=None)
    wanted = plan(account, pod_identity=True)
    iam.carry_out(account, wanted)
    assert account.providers == {}
    (association,) = account.associations
    assert association["roleArn"] == "arn:aws:iam::123456789012:role/sagemaker-operator-eks"
    before = len(account.changes)
    iam.carry_out(account, wanted)
    assert len(account.changes) == before


def test_a_cluster_without_an_issuer_is_said() -> None:
    with pytest.raises(Error, match="cluster eks has no OIDC issuer"):
        plan(Account(issuer=None))


def test_every_permission_is_an_operation_and_no_more_than_passes_call() -> None:
    for name in iam.operations():
        service, _, operation = name.partition(":")
        assert operation in service_model(service).operation_names, name
    assert len(iam.operations()) < 40
    assert not [name for name in iam.operations() if "*" in name]
