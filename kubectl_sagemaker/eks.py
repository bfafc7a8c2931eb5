"""The token that `aws eks get-token` prints, made in this process.

It is the URL of STS's GetCallerIdentity, signed for a minute, with the cluster's name in a signed header. The command
takes 0.4 to 0.5 s for it, this 30 ms beside the import of botocore, which a log needs anyway (measured). Only what the
command is commonly given is understood here (tests/contract/test_eks_token.py holds both to the same token); whatever
else a kubeconfig says raises Unusual, and the command is run.
"""

from __future__ import annotations

import base64
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kubectl_sagemaker.kubeconfig import ExecPlugin

LIFE: Final = timedelta(minutes=14)
"""How long a token counts as valid; EKS accepts it for 15 minutes."""
SIGNED_SECONDS: Final = 60
CLUSTER_HEADER: Final = "x-k8s-aws-id"
ROLE: Final = re.compile(r"arn:[\w+=,.@:/-]+", re.ASCII)
FLAGS: Final[Mapping[str, re.Pattern[str]]] = {
    "--cluster-name": re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]*"),
    "--region": re.compile(r"[a-z0-9-]+"),
    "--profile": re.compile(r"[^-].*"),
    "--role-arn": ROLE,
    # What `aws eks update-kubeconfig` writes: its parser takes the beginning of a flag for the flag.
    "--role": ROLE,
    "--output": re.compile("json"),
}
"""The flags that are understood, and their values: none that aws reads as more than itself, such as `file://…`."""
PROFILES: Final = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
VARIABLES: Final = frozenset({*PROFILES, "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_STS_REGIONAL_ENDPOINTS"})
"""What an exec block's env may set: what `aws eks update-kubeconfig` and eksctl write, and regions, which --region
overrides."""
SWITCH: Final = "KUBECTL_SAGEMAKER_EXEC"
"""Set to `always`, every exec plugin is run."""
ALIASES: Final = Path("~/.aws/cli/alias")


class Unusual(Exception):
    """Why the command itself is to be run; the text repeats nothing of the kubeconfig's."""


def is_meant(plugin: ExecPlugin) -> bool:
    """Whether a plugin looks like `aws eks get-token`; if not, there is nothing to say about it."""
    return "get-token" in plugin.arguments


def token(plugin: ExecPlugin) -> str:
    """The whole token. Raises Unusual, or whatever botocore raises: then too the command is to be run."""
    flags = _flags(plugin)
    environment = dict(plugin.environment)
    if os.environ.get(SWITCH) == "always":
        raise Unusual(f"{SWITCH} is set to always")
    if plugin.interactive == "Always":
        raise Unusual("it wants a terminal")
    if not VARIABLES.issuperset(environment) or not all(environment.values()):
        raise Unusual("its env sets other variables than a profile and a region")
    if all(name in environment or name in os.environ for name in PROFILES):
        # Version 1 of aws-cli takes the one, version 2 the other (measured).
        raise Unusual("AWS_PROFILE and AWS_DEFAULT_PROFILE are both set")
    session = _session(flags["--region"], flags.get("--profile"), environment)
    if session.get_config_variable("sts_regional_endpoints") == "legacy":
        # Version 2 of aws-cli does not know them (measured).
        raise Unusual("legacy endpoints of STS are asked for")
    if session.full_config.get("plugins") or "eks" in _aliases():
        raise Unusual("aws-cli has plugins, or an alias for eks")
    url = _signed(session, flags)
    return f"k8s-aws-v1.{base64.urlsafe_b64encode(url.encode()).decode().rstrip('=')}"


def _flags(plugin: ExecPlugin) -> dict[str, str]:
    """The command's flags, the role's under one name; raises Unusual."""
    if plugin.command != "aws":
        raise Unusual("its command is not aws")
    given: dict[str, str] = {}
    command: list[str] = []
    words = iter(plugin.arguments)
    for word in words:
        if not word.startswith("-"):
            command.append(word)
            continue
        name, equals, value = word.partition("=")
        if name not in FLAGS:
            raise Unusual("it has a flag that is not known here")
        if not equals:
            value = next(words, "")
        if not FLAGS[name].fullmatch(value):
            raise Unusual(f"the value of its {name} is not a usual one")
        if name in given:
            raise Unusual(f"it has two {name}")
        given[name] = value
    if command != ["eks", "get-token"]:
        raise Unusual("it is not eks get-token")
    for name in ("--cluster-name", "--region"):
        if name not in given:
            raise Unusual(f"it has no {name}")
    if "--role" in given:
        if "--role-arn" in given:
            raise Unusual("it has two roles")
        given["--role-arn"] = given.pop("--role")
    return given


def _aliases() -> str:
    """The text of aws-cli's own aliases, which can make anything of `aws eks`; empty if there are none."""
    try:
        return ALIASES.expanduser().read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _session(region: str, profile: str | None, environment: Mapping[str, str]) -> Any:
    """A session as aws-cli sets it up; --profile goes before keys in this process's environment, env's after them."""
    from botocore.config import Config

    from kubectl_sagemaker.aws import core_session, share_roles

    # env's values do not go into os.environ, where the log's own session would read them.
    usual = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
    session = core_session(profile, usual_profile=None if profile else usual)
    session.set_config_variable("region", region)
    if endpoints := environment.get("AWS_STS_REGIONAL_ENDPOINTS"):
        session.set_config_variable("sts_regional_endpoints", endpoints)
    # STS is asked where a role is assumed: once, because the command will ask again.
    session.set_default_client_config(Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1}))
    share_roles(session, region)
    # It would be asked on standard input where there is no terminal. The command asks, and leaves its answer in the
    # cache of roles; botocore has no other way to say so.
    session.get_component("credential_provider").get_provider("assume-role")._prompter = _refuse_to_ask
    return session


def _refuse_to_ask(prompt: str) -> NoReturn:
    del prompt
    raise Unusual("a code of an MFA device is needed")


def _signed(session: Any, flags: Mapping[str, str]) -> str:
    """The URL, signed by the session's credentials or those of the role that it assumes."""
    region, cluster = flags["--region"], flags["--cluster-name"]
    keys: dict[str, str] = {}
    if role := flags.get("--role-arn"):
        asked = session.create_client("sts", region_name=region)
        assumed = asked.assume_role(RoleArn=role, RoleSessionName="EKSGetTokenAuth")["Credentials"]
        keys = {
            "aws_access_key_id": assumed["AccessKeyId"],
            "aws_secret_access_key": assumed["SecretAccessKey"],
            "aws_session_token": assumed["SessionToken"],
        }
    client = session.create_client("sts", region_name=region, **keys)

    def name_the_cluster(request: Any, **_: Any) -> None:
        request.headers[CLUSTER_HEADER] = cluster

    client.meta.events.register("before-sign.sts.GetCallerIdentity", name_the_cluster)
    url: str = client.generate_presigned_url("get_caller_identity", ExpiresIn=SIGNED_SECONDS, HttpMethod="GET")
    return url
