"""The token of EKS: ours and aws-cli's are the same text whatever the configuration, and so is what is cached."""

from __future__ import annotations

import base64
import functools
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import pytest

from kubectl_sagemaker import eks
from kubectl_sagemaker.aws import Account, Aws
from kubectl_sagemaker.kubeconfig import ExecPlugin
from tests import sts

USUAL: Final = ("eks", "get-token", "--cluster-name", "demo", "--region", "us-west-2")
KEYS: Final = {"AWS_ACCESS_KEY_ID": "AKIAENVIRONMENT", "AWS_SECRET_ACCESS_KEY": "environment/secret"}
WORK: Final = "[profile work]\naws_access_key_id = AKIAWORK\naws_secret_access_key = work/secret\n"
OTHER: Final = "[profile other]\naws_access_key_id = AKIAOTHER\naws_secret_access_key = other/secret\n"
ROLE: Final = "arn:aws:iam::123456789012:role/path/viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A command of a kubeconfig, and what it is run in. `STS` in a value stands for the address of a local STS."""

    arguments: tuple[str, ...] = USUAL
    block: Mapping[str, str] = field(default_factory=dict)
    """The exec block's env."""
    environment: Mapping[str, str] = field(default_factory=lambda: KEYS)
    config: str = ""
    credentials: str = ""


def role(arn: str = ROLE, **settings: str) -> str:
    """A profile `role` that assumes a role."""
    return "\n".join(["[profile role]", f"role_arn = {arn}", *(f"{k} = {v}" for k, v in settings.items()), ""])


LOCAL: Final = {"AWS_ENDPOINT_URL_STS": "STS"}
IN_ROLE: Final = {"AWS_PROFILE": "role"}
PROCESS: Final = (
    f"""[profile work]\ncredential_process = {sys.executable} -c "print('"""
    """{\\"Version\\": 1, \\"AccessKeyId\\": \\"AKIAPROCESS\\", \\"SecretAccessKey\\": \\"p\\"}')"\n"""
)
SSO: Final = """[profile work]
sso_start_url = https://example.awsapps.com/start
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = viewer
"""
REGIONS: Final = (
    *("us-east-1", "us-west-2", "eu-central-1", "af-south-1", "us-moon-1", "aws-global"),
    *("cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1", "eusc-de-east-1"),
    *("us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1"),
)
CASES: Final[Mapping[str, Case]] = {
    **{region: Case(arguments=(*USUAL[:-1], region)) for region in REGIONS},
    "as update-kubeconfig writes it": Case(
        arguments=("--region", "us-west-2", "eks", "get-token", "--cluster-name", "demo", "--output", "json")
    ),
    "with equals signs": Case(arguments=("--region=us-west-2", "eks", "get-token", "--cluster-name=Demo_2")),
    "session token": Case(environment={**KEYS, "AWS_SESSION_TOKEN": "session+token/=="}),
    "region in the environment": Case(environment={**KEYS, "AWS_REGION": "eu-west-1"}),
    "region in env": Case(block={"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-3"}),
    "as eksctl writes it": Case(
        arguments=("eks", "get-token", "--output", "json", "--cluster-name", "demo", "--region", "us-west-2"),
        block={"AWS_STS_REGIONAL_ENDPOINTS": "regional"},
        config="[default]\nsts_regional_endpoints = legacy\n",
    ),
    "profile of the flag": Case(arguments=("--profile", "work", *USUAL), environment={}, config=WORK),
    "profile of the flag before keys": Case(arguments=(*USUAL, "--profile", "work"), config=WORK),
    "profile of the flag before env": Case(
        arguments=(*USUAL, "--profile", "work"), block={"AWS_PROFILE": "other"}, environment={}, config=WORK + OTHER
    ),
    "profile in env": Case(block={"AWS_PROFILE": "work"}, environment={}, config=WORK),
    "profile in env after keys": Case(block={"AWS_PROFILE": "work"}, config=WORK),
    "old profile in env": Case(block={"AWS_DEFAULT_PROFILE": "work"}, environment={}, config=WORK),
    "profile in the environment": Case(environment={"AWS_PROFILE": "work"}, config=WORK),
    "profile in env before the environment": Case(
        block={"AWS_PROFILE": "work"}, environment={"AWS_PROFILE": "other"}, config=WORK + OTHER
    ),
    "profile with a session token": Case(
        environment={"AWS_PROFILE": "work"}, config=f"{WORK}aws_session_token = profile+token\n"
    ),
    "credentials file": Case(
        environment={}, credentials="[default]\naws_access_key_id = AKIAFILE\naws_secret_access_key = file/secret\n"
    ),
    "credential_process": Case(block={"AWS_PROFILE": "work"}, environment={}, config=PROCESS),
    "role of the flag": Case(arguments=(*USUAL, "--role-arn", ROLE), environment={**KEYS, **LOCAL}),
    "role as update-kubeconfig writes it": Case(arguments=(*USUAL, "--role", ROLE), environment={**KEYS, **LOCAL}),
    "role of the flag by a profile": Case(
        arguments=(*USUAL, "--role-arn", ROLE, "--profile", "work"), environment=LOCAL, config=WORK
    ),
    "role of a profile": Case(block=IN_ROLE, environment=LOCAL, config=WORK + role(source_profile="work")),
    "role of a profile by the environment": Case(
        arguments=(*USUAL, "--profile", "role"),
        environment={**KEYS, **LOCAL},
        config=role(credential_source="Environment"),
    ),
    "role by a role": Case(
        block=IN_ROLE,
        environment=LOCAL,
        config=WORK
        + role(source_profile="middle")
        + role(source_profile="work").replace("profile role", "profile middle"),
    ),
    "role by a process": Case(block=IN_ROLE, environment=LOCAL, config=PROCESS + role(source_profile="work")),
    "role with a name and an id": Case(
        block=IN_ROLE,
        environment=LOCAL,
        config=WORK + role(source_profile="work", role_session_name="me", external_id="id", duration_seconds="900"),
    ),
    "role of a role": Case(
        arguments=(*USUAL, "--role-arn", ROLE),
        block=IN_ROLE,
        environment=LOCAL,
        config=WORK + role(source_profile="work"),
    ),
    "web identity": Case(
        environment={**LOCAL, "AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": "FOLDER/web-token"}
    ),
    "sso": Case(block={"AWS_PROFILE": "work"}, environment={"AWS_ENDPOINT_URL_SSO": "STS"}, config=SSO),
    "fips": Case(environment={**KEYS, "AWS_USE_FIPS_ENDPOINT": "true"}),
    "fips in govcloud": Case(
        arguments=(*USUAL[:-1], "us-gov-west-1"), environment={**KEYS, "AWS_USE_FIPS_ENDPOINT": "true"}
    ),
    "fips in a profile": Case(environment=KEYS, config="[default]\nuse_fips_endpoint = true\n"),
    "dualstack": Case(environment={**KEYS, "AWS_USE_DUALSTACK_ENDPOINT": "true"}),
    "dualstack in a profile": Case(config="[default]\nuse_dualstack_endpoint = true\n"),
    "fips and dualstack": Case(
        environment={**KEYS, "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}
    ),
    "endpoint of all": Case(environment={**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}),
    "endpoint of sts": Case(
        environment={
            **KEYS,
            "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            "AWS_ENDPOINT_URL_STS": "https://sts.example/a/b",
        }
    ),
    "endpoint in a profile": Case(
        block={"AWS_PROFILE": "work"},
        environment={},
        config=f"{WORK}services = here\n[services here]\nsts =\n  endpoint_url = https://sts.example\n",
    ),
    "endpoints ignored": Case(
        environment={**KEYS, "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    ),
}


ENDPOINT_VARIABLES: Final = (2, 13)
"""Version 2 of aws-cli reads AWS_ENDPOINT_URL, by which it reaches a local STS, from here on."""
SINCE: Final = {"eusc-de-east-1": (2, 30)}
"""From which version 2 knows a partition: 2.23.6 gives this one the commercial one's address (measured)."""


@functools.cache
def programs() -> Mapping[str, str]:
    """The aws of each version: 1 beside this Python, from its own requirements, 2 where PATH has it."""
    found = {}
    if (own := Path(sys.prefix, "aws-cli", "bin", "aws")).exists():
        found["1"] = str(own)
    if (other := shutil.which("aws")) is not None and ENDPOINT_VARIABLES <= version(other) < (3,):
        found["2"] = other
    return found


@functools.cache
def version(aws: str) -> tuple[int, ...]:
    """What `aws --version` begins with, as numbers."""
    said = subprocess.run([aws, "--version"], capture_output=True, text=True, check=False).stdout
    numbers = re.match(r"aws-cli/(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, numbers.groups())) if numbers else ()


@pytest.fixture(params=["1", "2"])
def aws(request: pytest.FixtureRequest) -> str:
    """An aws-cli."""
    major: str = request.param
    if major not in programs():
        pytest.skip("aws-cli 1 was not built: see `make test`" if major == "1" else "PATH has no aws-cli 2.13 or newer")
    return programs()[major]


@pytest.fixture
def server() -> Iterator[sts.Sts]:
    with sts.serve() as server:
        yield server


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home of the test's own, where ~/.aws/cli/cache is empty."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


def prepare(case: Case, server: sts.Sts, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment and write the files of a case."""
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value.replace("FOLDER", str(folder)) if value != "STS" else server.url)
    (folder / "config").write_text(case.config)
    (folder / "credentials").write_text(case.credentials)
    (folder / "web-token").write_text("web token")
    cache = folder / ".aws/sso/cache"
    cache.mkdir(parents=True)
    # Its name is the SHA-1 of the start URL.
    token = {"startUrl": "https://example.awsapps.com/start", "accessToken": "t", "expiresAt": sts.EXPIRATION}
    (cache / "e8be5486177c5b5392bd9aa76563515b29358e6e.json").write_text(json.dumps(token))


def plugin(case: Case) -> ExecPlugin:
    return ExecPlugin(
        command="aws",
        arguments=case.arguments,
        environment=tuple(case.block.items()),
        version="client.authentication.k8s.io/v1",
        interactive="IfAvailable",
        install_hint=None,
        cluster=None,
    )


def by_command(aws: str, case: Case, code: str = "") -> str:
    """The token that aws-cli prints; `code` is what it reads where it asks for one, without a terminal."""
    done = subprocess.run(
        [aws, *case.arguments],
        env={**os.environ, **case.block},
        input=code,
        start_new_session=True,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    token: str = json.loads(done.stdout)["status"]["token"]
    return token


def address(token: str) -> str:
    """The URL that a token is."""
    text = token.removeprefix("k8s-aws-v1.")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()


def at_second_of(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop botocore's clock in this process at the second in which a token was signed."""
    stamp = parse_qs(urlsplit(address(token)).query)["X-Amz-Date"][0]
    moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: moment.replace(tzinfo=None))


@pytest.mark.parametrize("name", CASES)
def test_the_token_is_the_one_that_aws_cli_prints(
    name: str, aws: str, server: sts.Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    if (2,) <= version(aws) < SINCE.get(name, ()):
        pytest.skip("this aws-cli is older than the partition")
    prepare(case, server, tmp_path, monkeypatch)
    theirs = by_command(aws, case)
    at_second_of(theirs, monkeypatch)
    ours = eks.token(plugin(case))
    assert bool(server.asked) == ("STS" in case.environment.values())
    assert address(ours) == address(theirs)
    assert ours == theirs


IN_ROLES_SHOES: Final = Case(block=IN_ROLE, environment=LOCAL, config=WORK + role(source_profile="work"))


def test_a_role_that_aws_cli_has_assumed_is_not_assumed_again(
    aws: str, server: sts.Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(IN_ROLES_SHOES, server, tmp_path, monkeypatch)
    by_command(aws, IN_ROLES_SHOES)
    eks.token(plugin(IN_ROLES_SHOES))
    assert server.asked == ["AssumeRole"]


def test_a_role_that_we_have_assumed_is_assumed_again_neither_by_aws_cli_nor_for_the_log(
    aws: str, server: sts.Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(IN_ROLES_SHOES, server, tmp_path, monkeypatch)
    eks.token(plugin(IN_ROLES_SHOES))
    by_command(aws, IN_ROLES_SHOES)
    log = Aws(Account(profile="role"))
    log.account_id("us-west-2")
    assert server.asked == ["AssumeRole", "GetCallerIdentity"]
    # Refused before their time, cached keys would be found again and again.
    log.renew()
    log.account_id("us-west-2")
    assert server.asked[2:] == ["AssumeRole", "GetCallerIdentity"]


def test_a_code_of_mfa_is_asked_for_by_aws_cli_and_once(
    aws: str, server: sts.Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = replace(IN_ROLES_SHOES, config=WORK + role(source_profile="work", mfa_serial="arn:aws:iam::1:mfa/me"))
    prepare(case, server, tmp_path, monkeypatch)
    with pytest.raises(eks.Unusual, match="a code of an MFA device is needed"):
        eks.token(plugin(case))
    assert server.asked == []
    theirs = by_command(aws, case, code="123456\n")
    at_second_of(theirs, monkeypatch)
    assert eks.token(plugin(case)) == theirs
    assert (server.asked, server.codes) == (["AssumeRole"], ["123456"])
