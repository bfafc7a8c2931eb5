"""What the roles that a cluster's bindings give to somebody allow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from kubectl_sagemaker.sandbox.access import MASTERS, Rule, User
from kubectl_sagemaker.sandbox.cluster import Cluster
from kubectl_sagemaker.sandbox.refusals import Refused
from kubectl_sagemaker.sandbox.resources import RBAC, RESOURCES

ROLES: Final = {kind: RESOURCES[f"{kind.lower()}s.{RBAC}"] for kind in ("ClusterRole", "Role")}
BINDINGS: Final = {kind: RESOURCES[f"{kind.lower()}bindings.{RBAC}"] for kind in ROLES}


def granted(cluster: Cluster, user: User) -> tuple[Rule, ...]:
    """The rules of every role that is bound to a user or to a group of his; who may do everything needs none."""
    return () if MASTERS in user.groups else tuple(_granted(cluster, user))


def _granted(cluster: Cluster, user: User) -> Iterator[Rule]:
    known = {("User", user.name), *(("Group", group) for group in user.all_groups)}
    for bindings in BINDINGS.values():
        for binding in cluster.list(bindings).items:
            if known.isdisjoint((one.get("kind"), one.get("name")) for one in binding.get("subjects") or ()):
                continue
            # A cluster's role can be bound in one namespace; a namespace's own role nowhere else.
            namespace = binding["metadata"].get("namespace", "")
            for rule in _rules(cluster, namespace, binding.get("roleRef") or {}):
                yield Rule(
                    tuple(rule.get("apiGroups") or ()),
                    tuple(rule.get("resources") or ()),
                    tuple(rule.get("verbs") or ()),
                    tuple(rule.get("resourceNames") or ()),
                    namespace,
                )


def _rules(cluster: Cluster, namespace: str, reference: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    role = ROLES.get(str(reference.get("kind")))
    if role is None or (role.namespaced and not namespace):
        return
    with contextlib.suppress(Refused):  # a binding can be there before its role
        found = cluster.get(role, namespace if role.namespaced else "", str(reference.get("name")))
        yield from found.get("rules") or ()
