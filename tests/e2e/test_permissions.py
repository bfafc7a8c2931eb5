"""What docs/permissions.md says that a command needs: exactly that suffices."""

from __future__ import annotations

import functools
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import pytest

from kubectl_sagemaker import kinds
from kubectl_sagemaker.sandbox.access import Rule, User
from kubectl_sagemaker.sandbox.aws import Credential
from kubectl_sagemaker.sandbox.parts import PARTS
from kubectl_sagemaker.sandbox.resources import RESOURCES
from kubectl_sagemaker.sandbox.server import Sandbox
from release import permissions
from release.permissions import DESCRIBE, NEEDS, Need
from tests.e2e import world
from tests.e2e.shell import Ran, shell_of

ALL: Final = (*(resource.plural for resource in RESOURCES.values()), "namespaces")

AGE: Final = re.compile(r"\b\d+[dhms](\d+[hms])?\b|\d{4}-\d\d-\d\dT\S+")
"""The one clock that does not stand still is that of the person's program."""

pytestmark = pytest.mark.xdist_group("permissions")

GOES_ON: Final = "sagemaker status trainingjob xgboost-mnist -w --timeout 4s"
"""The job that has ended is not waited for, so that the right to watch is not tried there."""
LINES: Final = {
    "smlogs KIND NAME": ("smlogs -n ml labelingjob reviews", "smlogs -n ml notebookinstance ada"),
    "… --tail N": ("smlogs -n ml trainingjob xgb --tail 2",),
    "… of a log of more than 1 MB": ("smlogs trainingjob long",),
    "… -f": ("smlogs trainingjob resnet50-imagenet -f",),
    "… -l SELECTOR, --all": ("smlogs labelingjobs --all -n ml",),
    "smlogs hyperparametertuningjob NAME": ("smlogs -n ml hyperparametertuningjob ranking-tune",),
    "… --best, --top N, --failed": ("smlogs -n ml hyperparametertuningjob ranking-tune --best",),
    "smlogs pipelineexecution NAME": ("smlogs -n ml pipelineexecution churn-weekly",),
    "sagemaker status": ("sagemaker status -A --all-kinds -o name",),
    "sagemaker status KIND NAME": (
        "sagemaker status trainingjob resnet50-imagenet",
        "sagemaker status -n ml hyperparametertuningjob ranking-tune",
        "sagemaker status -n ml pipelineexecution churn-weekly",
        "sagemaker status -n ml endpoint ranking",
    ),
    "… -w": ("sagemaker status trainingjob resnet50-imagenet -w", GOES_ON),
    "TAB": ("kubectl_complete-smlogs labelingjob -n ml re", "kubectl_complete-smlogs -n m"),
}
"""A command for each need; what it answers must not change while the clock stands still."""
CASES: Final = [pytest.param(need, line, id=line) for need in NEEDS for line in LINES[need.command]]


@pytest.fixture(scope="module")
def still() -> Iterator[Sandbox]:
    """The sandbox's world, and a long log, at a moment that does not pass."""
    long = next(part for part in world.PARTS if part.name == "long")
    now = time.time()
    with Sandbox(parts=(*PARTS, long), clock=lambda: now) as sandbox:
        yield sandbox


@functools.cache
def every_action() -> frozenset[str]:
    """All that there is in the services that are asked, by botocore's models. STS asks for no right."""
    from botocore.loaders import Loader

    return frozenset(
        f"{service}:{operation}"
        for service in ("logs", "sagemaker")
        for operation in Loader().load_service_model(service, "service-2")["operations"]
    )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with some rights in a sandbox and its account."""

    sandbox: Sandbox
    actions: frozenset[str]
    rules: tuple[Rule, ...]

    def run(self, line: str) -> tuple[Ran, list[str]]:
        """Run a command with these rights alone; return what it did and the actions that it asked for."""
        token = "tok-limited"
        credential = Credential("AKIALIMITED000000000", "secret", denied=every_action() - self.actions)
        self.sandbox.users[token] = User("limited", rules=self.rules)
        self.sandbox.account.credentials[credential.access_key] = credential
        begun = len(self.sandbox.account.journal)
        command, *words = line.split()
        # kubectl asks at TAB without its own flags.
        own = ("--token", token)
        asking = [command, *own, *words] if command.startswith("kubectl") else ["kubectl", command, *words, *own]
        ran = shell_of(self.sandbox).holding(credential).run(*asking)
        asked = {call.operation for call in self.sandbox.account.journal[begun:]} - {"GetCallerIdentity"}
        ran = replace(ran, stdout=AGE.sub("AGE", ran.stdout))
        return ran, sorted(action for action in every_action() if action.partition(":")[2] in asked)


def rules(need: Need) -> tuple[Rule, ...]:
    """A need's ClusterRole, as the sandbox has it."""
    return tuple(
        Rule(tuple(rule["apiGroups"]), tuple(rule["resources"]), tuple(rule["verbs"]))
        for rule in permissions.cluster_role([need])
    )


@pytest.mark.parametrize(("need", "line"), CASES)
def test_exactly_these_actions_suffice(still: Sandbox, need: Need, line: str) -> None:
    named = frozenset(permissions.actions([need]))
    all_of_it, asked = Person(still, every_action(), rules(need)).run(line)
    person = Person(still, named, rules(need))
    ran, _ = person.run(line)
    assert ran == all_of_it
    assert ran.stdout
    assert set(asked) <= named, "it asks for something that is not named"
    missed = set()
    for action in asked:
        without, _ = replace(person, actions=named - {action}).run(line)
        assert "Traceback" not in without.stderr
        # The order of several logs goes by when their jobs were created; a panel says less.
        same = without.code == ran.code and (
            line.startswith("sagemaker status")
            or sorted(without.stdout.splitlines()) == sorted(ran.stdout.splitlines())
        )
        group = f"{DESCRIBE}…" if action.startswith(DESCRIBE) and action not in need.actions else action
        if group == action or group not in need.actions:
            assert same == (group not in need.actions), f"without {action}: {without.stderr}"
        missed |= set() if same else {group}
        if without.code == 1:
            assert f"the AWS credentials need the permission {action}" in without.stderr
    assert missed == set(need.actions)


@pytest.mark.parametrize(("need", "line"), CASES)
def test_exactly_these_verbs_suffice(still: Sandbox, need: Need, line: str) -> None:
    """Whoever may do everything sees the same; without one of the verbs, it is not to be had."""
    everything = Rule(("", *(group.name for group in kinds.GROUPS)), ALL, ("get", "list", "watch"))
    expected, _ = Person(still, every_action(), (everything,)).run(line)
    ran, _ = Person(still, every_action(), rules(need)).run(line)
    assert (ran.stdout, ran.code) == (expected.stdout, expected.code)
    assert ran.stdout
    if line.endswith(" -n m"):
        fewer = [replace(need, namespaces="")]
    else:
        tried = [verb for verb in need.verbs if verb != "watch" or line == GOES_ON]
        fewer = [replace(need, verbs=tuple(verb for verb in need.verbs if verb != gone)) for gone in tried]
    for less in fewer:
        without, _ = Person(still, every_action(), rules(less)).run(line)
        # Without the right to watch it lists again and again, and says so.
        assert without != ran, f"{less.verbs} are enough"


def test_every_named_action_is_asked_for_by_some_command(still: Sandbox) -> None:
    """Describe… of each kind has its command; the journal of the tests above has the others."""
    asked = {action for need in NEEDS for action in (*need.actions, *need.enriching)} - {f"{DESCRIBE}…"}
    for need in NEEDS:
        for line in LINES[need.command]:
            asked -= set(Person(still, every_action(), rules(need)).run(line)[1])
    assert not asked


def test_the_policy_and_the_role_are_what_the_table_says() -> None:
    policy = json.dumps(permissions.policy())
    assert all(action in policy for need in NEEDS for action in (*need.actions, *need.enriching) if "…" not in action)
    assert "sagemaker:DescribeTrainingJob" in policy
    assert {verb for rule in permissions.cluster_role() for verb in rule["verbs"]} == {"get", "list", "watch"}
