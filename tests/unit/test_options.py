"""Flags and arguments in kubectl's grammar: where each value arrives, and what is refused."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import click
import pytest

from kubectl_sagemaker import kinds
from kubectl_sagemaker.aws import Account
from kubectl_sagemaker.connection import Connection
from kubectl_sagemaker.env import Env
from kubectl_sagemaker.errors import Usage
from kubectl_sagemaker.options import (
    ACCOUNT,
    CONNECTION,
    REFUSED,
    TALK,
    Command,
    Flag,
    names,
    request_timeout,
    resource,
    resources,
    shared,
)
from tests.environment import kubectls


@click.command(cls=Command)
@click.argument("words", nargs=-1)
@click.option("-f", "--follow", cls=Flag)
@click.option("--since")
@shared(CONNECTION, ACCOUNT, TALK)
def probe(env: Env, words: tuple[str, ...], follow: bool, since: str | None) -> dict[str, Any]:
    """Return what arrived."""
    return {"env": env, "words": words, "follow": follow, "since": since}


def parsed(*args: str) -> dict[str, Any]:
    answer: dict[str, Any] = probe.main(list(args), prog_name="probe", standalone_mode=False)
    return answer


# Boolean flags


@pytest.mark.parametrize("value", ["1", "t", "T", "true", "TRUE", "True"])
def test_a_boolean_flag_takes_every_true_of_gos(value: str) -> None:
    assert parsed(f"--follow={value}")["follow"] is True
    assert parsed(f"-f={value}")["follow"] is True


@pytest.mark.parametrize("value", ["0", "f", "F", "false", "FALSE", "False"])
def test_a_boolean_flag_takes_every_false_of_gos(value: str) -> None:
    assert parsed("--follow", f"--follow={value}")["follow"] is False
    assert parsed("-f", f"-f={value}")["follow"] is False


@pytest.mark.parametrize("value", ["", "yes", "no", "tRuE", "2"])
def test_a_boolean_flag_takes_nothing_else(value: str) -> None:
    with pytest.raises(Usage) as caught:
        parsed(f"--follow={value}")
    assert caught.value.message == f"--follow: {value!r} is neither true nor false"


@pytest.mark.parametrize(
    ("args", "follow", "words"),
    [
        (("--follow=true", "pod", "x"), True, ("pod", "x")),
        (("pod", "--follow=true", "x"), True, ("pod", "x")),
        (("pod", "x", "--follow=true"), True, ("pod", "x")),
        (("-f", "pod", "x"), True, ("pod", "x")),
        (("--follow=true", "--follow=false"), False, ()),
        (("--follow=false", "-f"), True, ()),
        (("-qf", "x"), True, ("x",)),
        (("--since", "--follow=true", "x"), False, ("x",)),
        (("-n", "--follow=true", "x"), False, ("x",)),
        (("--", "--follow=true"), False, ("--follow=true",)),
        (("-f", "--", "-f=false", "--x"), True, ("-f=false", "--x")),
        (("x", "--", "--", "y"), False, ("x", "--", "y")),
    ],
)
def test_a_boolean_flag_stands_anywhere_before_a_double_dash_and_is_no_other_flags_value(
    args: tuple[str, ...], follow: bool, words: tuple[str, ...]
) -> None:
    answer = parsed(*args)
    assert (answer["follow"], answer["words"]) == (follow, words)


def test_a_value_that_looks_like_a_boolean_flag_is_left_as_it_was_typed() -> None:
    assert parsed("--since", "--follow=true")["since"] == "--follow=true"
    assert parsed("-n", "-f=false")["env"].connection.namespace == "-f=false"


def test_the_opposite_of_a_boolean_flag_is_not_in_the_help() -> None:
    text = probe.get_help(click.Context(probe))
    assert "--follow" in text
    assert "--no-follow" not in text


# Values


@pytest.mark.parametrize("args", [("-n", "ml"), ("-n=ml",), ("-nml",), ("--namespace", "ml"), ("--namespace=ml",)])
def test_a_value_follows_its_flag_in_every_way_that_kubectl_takes(args: tuple[str, ...]) -> None:
    assert parsed(*args)["env"].connection.namespace == "ml"
    assert parsed("a", *args, "b")["words"] == ("a", "b")


FLAGS: dict[str, tuple[tuple[str, ...], Any]] = {
    "kubeconfig": (("--kubeconfig", "/k"), "/k"),
    "context": (("--context", "c"), "c"),
    "cluster": (("--cluster", "c"), "c"),
    "user": (("--user", "u"), "u"),
    "namespace": (("-n", "ml"), "ml"),
    "server": (("-s", "https://s"), "https://s"),
    "token": (("--token", "t"), "t"),
    "certificate_authority": (("--certificate-authority", "/ca"), "/ca"),
    "client_certificate": (("--client-certificate", "/cert"), "/cert"),
    "client_key": (("--client-key", "/key"), "/key"),
    "tls_server_name": (("--tls-server-name", "name"), "name"),
    "insecure_skip_tls_verify": (("--insecure-skip-tls-verify=false",), False),
    "proxy_url": (("--proxy-url", "http://p"), "http://p"),
    "as_user": (("--as", "me"), "me"),
    "as_groups": (("--as-group", "a", "--as-group=b"), ("a", "b")),
    "as_uid": (("--as-uid", "7"), "7"),
    "as_user_extra": (("--as-user-extra", "a=1", "--as-user-extra", "a=2"), ("a=1", "a=2")),
    "request_timeout": (("--request-timeout", "1m30s"), 90.0),
    "disable_compression": (("--disable-compression",), True),
}


@pytest.mark.parametrize("name", Connection._fields)
def test_every_field_of_the_connection_has_its_flag_and_touches_no_other(name: str) -> None:
    args, value = FLAGS[name]
    assert parsed(*args)["env"].connection == Connection(**{name: value})


def test_no_connection_flag_is_given_by_default() -> None:
    """Whether a flag was given decides what of the kubeconfig holds: even false must be told from absent."""
    assert parsed()["env"].connection == Connection()


@pytest.mark.parametrize(
    ("args", "account"),
    [
        ((), Account()),
        (("--profile", "p"), Account(profile="p")),
        (("--region=us-west-2",), Account(region="us-west-2")),
        (("--endpoint-url", "http://127.0.0.1:1"), Account(endpoint_url="http://127.0.0.1:1")),
    ],
)
def test_every_aws_flag_reaches_the_account(args: tuple[str, ...], account: Account) -> None:
    assert parsed(*args)["env"].account == account
    assert len(ACCOUNT) == len(Account._fields)


def test_quiet_and_debug_reach_env() -> None:
    assert (parsed()["env"].quiet, parsed()["env"].debugging) == (False, False)
    assert parsed("-q")["env"].quiet is True
    assert parsed("--debug")["env"].debugging is True


@pytest.mark.parametrize(("text", "seconds"), [("0", 0.0), ("5", 5.0), ("5s", 5.0), ("1m", 60.0), ("500ms", 0.5)])
def test_a_request_timeout_is_a_duration_or_seconds(text: str, seconds: float) -> None:
    assert request_timeout(text) == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "1.5", "", "٣", "9" * 400])
def test_a_request_timeout_is_nothing_else_and_the_error_names_the_flag(text: str) -> None:
    with pytest.raises(Usage, match=r"^--request-timeout: "):
        parsed(f"--request-timeout={text}")


def test_a_token_is_in_no_repr() -> None:
    assert "hunter2" not in repr(parsed("--token", "hunter2")["env"])


# Refusals


@pytest.mark.parametrize("args", [(flag, f"{flag}=x") for flag in sorted(REFUSED)] + [("-v", "-v=6"), ("-v6", "-v")])
def test_a_flag_that_cannot_be_honoured_is_refused_with_or_without_a_value(args: tuple[str, ...]) -> None:
    for arg in args:
        for given in ((arg,), (arg, "x"), ("trainingjob", "xgb", arg)):
            with pytest.raises(Usage, match=r"^--[a-z-]+ can't be honoured: "):
                parsed(*given)


def test_every_flag_of_kubectl_itself_is_honoured_or_refused_with_a_reason() -> None:
    """Its --profile is AWS's here."""
    found = kubectls()
    if not found:
        pytest.skip("no kubectl")
    mine = {name for option in (*CONNECTION, *ACCOUNT, *TALK) for name in option.opts}
    for path in found.values():
        text = subprocess.run([path, "options"], capture_output=True, text=True, check=True).stdout
        theirs = set(re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)=", text, re.MULTILINE))
        assert {"--context", "--as-group"} <= theirs
        assert theirs - mine == set(), path


# The environment


@pytest.mark.parametrize("program", ["SMLOGS", "SAGEMAKER"])
def test_either_programs_variable_sets_the_profile_and_the_flag_goes_before_it(
    program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"KUBECTL_{program}_PROFILE", "from-environment")
    assert parsed()["env"].account.profile == "from-environment"
    assert parsed("--profile", "flag")["env"].account.profile == "flag"
    monkeypatch.setenv(f"KUBECTL_{program}_PROFILE", "")
    assert parsed()["env"].account.profile is None


def test_only_four_flags_have_a_variable() -> None:
    """A forgotten FOLLOW=1 would hang somebody's CI."""
    from kubectl_sagemaker.commands.smlogs import command as smlogs
    from kubectl_sagemaker.commands.status import command as status

    for command in (smlogs, status):
        found = {tuple(option.envvar) for option in command.params if option.envvar}
        assert found <= {tuple(names(suffix)) for suffix in ("OUTPUT", "COLOR", "TIMEZONE", "PROFILE")}
        assert "auto_envvar_prefix" not in command.context_settings
    assert len([option for option in smlogs.params if option.envvar]) == 4


# KIND NAME


@pytest.mark.parametrize(
    ("words", "kind", "apis", "name"),
    [
        (("trainingjob", "xgb"), "TrainingJob", 2, "xgb"),
        (("trainingjob/xgb",), "TrainingJob", 2, "xgb"),
        (("TrainingJobs.v1.sagemaker.aws.amazon.com", "xgb"), "TrainingJob", 1, "xgb"),
        (("batchtransformjob.sagemaker.aws.amazon.com/xgb.2-a",), "TransformJob", 1, "xgb.2-a"),
    ],
)
def test_a_resource_is_two_words_or_one_with_a_slash(words: tuple[str, ...], kind: str, apis: int, name: str) -> None:
    (target,), found = resource(words)
    assert (target.kind.name, len(target.apis), found) == (kind, apis, name)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a resource: KIND NAME, KIND/NAME, or NAME alone"),
        (
            ("trainingjob", "a", "b"),
            "one resource at a time, as KIND NAME or KIND/NAME: 'trainingjob a b' are more words",
        ),
        (
            ("trainingjob/a", "b/c"),
            "one resource at a time, as KIND NAME or KIND/NAME: 'trainingjob/a b/c' are more words",
        ),
        (("pod/a",), "unknown kind 'pod'"),
        (("trainingjob/",), "invalid resource name ''"),
        (("/xgb",), "unknown kind ''"),
        (("trainingjob", "a/b"), "invalid resource name 'a/b'"),
        (("trainingjob/a/b",), "invalid resource name 'a/b'"),
    ],
)
def test_anything_else_is_wrong_usage(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(Usage) as caught:
        resource(words)
    assert caught.value.message == message


def test_kinds_are_joined_by_a_comma_as_in_kubectl() -> None:
    targets, name = resource(("trainingjob,batchtransformjob", "xgb"))
    assert [(target.kind.name, len(target.apis)) for target in targets] == [("TrainingJob", 2), ("TransformJob", 1)]
    assert name == "xgb"


def test_who_gives_several_names_alone_is_told_that_they_need_their_kind() -> None:
    for words in (("job-a", "job-b"), ("job-a", "job-b", "job-c")):
        with pytest.raises(Usage, match="unknown kind 'job-a'") as caught:
            resources(words)
        assert caught.value.hint == "the first of several words is a kind; `--help` lists the kinds"


def test_a_name_alone_means_every_kind_that_has_a_log() -> None:
    targets, name = resource(("xgb",))
    assert (targets, name) == (kinds.logged(), "xgb")
    with pytest.raises(Usage, match="invalid resource name"):
        resource(("a b",))


@pytest.mark.parametrize("name", ["..", ".", "", " ", "a b", "a%2fb", "a\nb", "a\x1bb", "a\x9bb", "a\u2028b", "a\x00"])
def test_a_name_that_would_be_another_path_of_the_api_server_is_refused(name: str) -> None:
    with pytest.raises(Usage, match="invalid resource name"):
        resource(("trainingjob", name))
