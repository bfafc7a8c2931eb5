"""What can't be done is said on one line of stderr, with at most one hint, the right exit code and no traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kubectl_sagemaker.sandbox.server import Sandbox
from tests.e2e.shell import DENIED_LOGS, EXPIRED, Ran, Shell, closed_port, kubeconfig_with
from tests.e2e.world import ACK, LEGACY

HEADER = (
    '"xgb" has SageMaker TrainingJobName "xgb" in region "us-west-2", '
    'status "Completed" and secondary status "Completed"\n'
)
BAD_NAME = "hint: a name has no slash, space, percent or control character\n"
TIME = "hint: write it as 90s, 2d4h30m, 2026-01-28T17:19:43Z, 2026-01-28 or 13:10\n"
DURATION = "hint: write it as 90s, 15m, 1h30m or 2d4h30m\n"


def refused(error: str, hint: str = "", code: int = 1, *, before: str = "") -> Ran:
    """What a command that can't work does: nothing on stdout, one error, at most one hint."""
    return Ran("", f"{before}error: {error}\n{hint}", code)


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (
            (),
            "name a resource: KIND NAME, KIND/NAME, or NAME alone",
            "hint: `kubectl sagemaker status` lists what there is, `--help` has examples\n",
        ),
        (("a/b/c",), "unknown kind 'a'", "hint: `kubectl sagemaker status --help` lists the kinds\n"),
        (
            ("trainingjob", "xgb", "a/b"),
            "'trainingjob' stands among KIND/NAME: write all of them so, or KIND NAME NAME",
            "",
        ),
        (("trainngjob", "xgb"), "unknown kind 'trainngjob'", "hint: did you mean 'trainingjob'?\n"),
        (
            ("pods", "xgb"),
            "unknown kind 'pods'",
            "hint: the first of several words is a kind; `--help` lists the kinds\n",
        ),
        (("training\x1bjob", "x"), "unknown kind 'training\\x1bjob'", "hint: did you mean 'trainingjob'?\n"),
        (("trainingjob", "a/b"), "invalid resource name 'a/b'", BAD_NAME),
        (("trainingjob/../secrets",), "invalid resource name '../secrets'", BAD_NAME),
        (("trainingjob", ".."), "invalid resource name '..'", BAD_NAME),
        (("trainingjob", ""), "invalid resource name ''", BAD_NAME),
        (("trainingjob", "a\x1b[31m\nerror: b"), "invalid resource name 'a\\x1b[31m\\nerror: b'", BAD_NAME),
        (("trainingjob", "a\udcff"), "invalid resource name 'a\\udcff'", BAD_NAME),
        (
            ("trainingjob", "xgb", "--since", "yesterdayish"),
            "--since: 'yesterdayish' is neither a duration nor a time",
            TIME,
        ),
        (("trainingjob", "xgb", "--since", "1h", "--until", "2h"), "--until lies before --since", ""),
        (("trainingjob", "xgb", "--since=-1h"), "--since: '-1h' is neither a duration nor a time", TIME),
        (("trainingjob", "xgb", "--timeout", "soon"), "--timeout: 'soon' is no duration", DURATION),
        (("trainingjob", "xgb", "--follow=maybe"), "--follow: 'maybe' is neither true nor false", ""),
        (
            ("trainingjob", "xgb", "--timezone", "Mars/Olympus"),
            "--timezone: unknown time zone 'Mars/Olympus'",
            "hint: local, utc, or a name such as Europe/Berlin\n",
        ),
        (("trainingjob", "xgb", "--cache-dir", "x"), "--cache-dir can't be honoured: nothing is cached on disk", ""),
        (
            ("trainingjob", "xgb", "--match-server-version"),
            "--match-server-version can't be honoured: no particular version of the server is needed",
            "",
        ),
        (("trainingjob", "xgb", "-v=6"), "--v can't be honoured: --debug says what is asked", ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_named_and_exits_2(shell: Shell, arguments: tuple[str, ...], error: str, hint: str) -> None:
    assert shell.smlogs(*arguments) == refused(error, hint, 2)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--tail", "-5"), ("--tail", "-5")),
        (("--tail", "few"), ("--tail", "few")),
        (("-o", "yaml"), ("--output", "yaml", "long", "short", "raw", "json")),
        (("--color", "blue"), ("--color", "blue", "auto", "always", "never")),
        (("--folow",), ("--folow", "--follow")),
        (("--instance",), ("--instance",)),
    ],
    ids=" ".join,
)
def test_a_wrong_flag_is_named_with_what_it_takes(
    shell: Shell, arguments: tuple[str, ...], named: tuple[str, ...]
) -> None:
    ran = shell.smlogs("trainingjob", "xgb", *arguments)
    assert re.fullmatch(r"error: [a-z-].*[^.]\nhint: .*[^.]\n", ran.stderr)
    assert all(word in ran.stderr for word in named)
    assert (ran.stdout, ran.code) == ("", 2)


def test_a_wrong_value_in_the_environment_is_named(shell: Shell) -> None:
    ran = shell.having(KUBECTL_SAGEMAKER_OUTPUT="yaml").smlogs("trainingjob", "xgb")
    assert ran.stderr.startswith("error: ")
    assert "yaml" in ran.stderr
    assert "KUBECTL_SAGEMAKER_OUTPUT" in ran.stderr
    assert (ran.stdout, ran.code) == ("", 2)


def test_a_flag_before_the_plugins_name_is_kubectls_own_error(each_kubectl: Shell) -> None:
    ran = each_kubectl.run("kubectl", "-n", "ml", "smlogs", "trainingjob", "xgb")
    assert "flags cannot be placed before plugin name: -n" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert (ran.stdout, ran.code) == ("", 1)


def test_a_verb_that_does_not_exist(shell: Shell) -> None:
    ran = shell.sagemaker("stat")
    assert ran.stderr.startswith("error: no such command 'stat'")
    assert len(ran.stderr.splitlines()) <= 2
    assert (ran.stdout, ran.code) == ("", 2)


# The object


def test_an_unknown_name(shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "nope")
    assert re.fullmatch(
        r"error: .*trainingjob.*'nope' not found in namespace 'default'\nhint: `kubectl sagemaker status -A` .*\n",
        ran.stderr,
    )
    assert (ran.stdout, ran.code) == ("", 1)


def test_a_name_in_another_namespace(shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "xgb", "--namespace", "ml")
    assert "'xgb' not found in namespace 'ml'" in ran.stderr
    assert (ran.stdout, ran.code) == ("", 1)


def test_one_name_for_two_jobs_names_both_ways_to_say_which(shell: Shell) -> None:
    assert shell.smlogs("trainingjob", "churn") == refused(
        "'churn' stands in two API groups for different SageMaker jobs",
        f"hint: say which: trainingjob.{ACK}/churn or trainingjob.{LEGACY}/churn\n",
    )


def test_an_object_that_nobody_has_reconciled(shell: Shell) -> None:
    assert shell.smlogs("trainingjob", "not-reconciled") == refused(
        "trainingjob/not-reconciled has no SageMaker job yet: no controller has reconciled this",
        "hint: is its controller running? `kubectl get deployments -n sagemaker-k8s-operator-system` shows it where it "
        "usually is; -f waits for it\n",
    )


def test_a_kind_without_a_log(shell: Shell) -> None:
    ran = shell.smlogs("model", "xgb")
    assert ran.stderr.startswith("error: model has no log of its own\n")
    assert len(ran.stderr.splitlines()) <= 2
    assert (ran.stdout, ran.code) == ("", 2)


def test_no_region(shell: Shell) -> None:
    nowhere = shell.having(AWS_REGION=None, AWS_DEFAULT_REGION=None)
    ran = nowhere.smlogs("trainingjob", "no-region")
    assert ran.stderr.endswith(
        "error: no AWS region for trainingjob/no-region: neither the resource nor the environment names one\n"
        "hint: give --region, set AWS_REGION, or set region in the AWS profile\n"
    )
    assert (ran.stdout, ran.code) == ("", 1)


def test_the_resources_region_needs_no_other(shell: Shell) -> None:
    nowhere = shell.having(AWS_REGION=None, AWS_DEFAULT_REGION=None)
    assert nowhere.smlogs("trainingjob", "xgb", "--tail", "0") == Ran("", HEADER, 0)


# Kubernetes


@pytest.mark.parametrize("program", [("smlogs", "trainingjob", "xgb"), ("sagemaker", "status")], ids=" ".join)
def test_an_api_server_that_is_down(sandbox: Sandbox, shell: Shell, tmp_path: Path, program: tuple[str, ...]) -> None:
    port = closed_port()
    cluster = {"name": "sandbox", "cluster": {"server": f"https://127.0.0.1:{port}"}}
    kubeconfig = kubeconfig_with(sandbox, tmp_path / "config", clusters=[cluster])
    ran = shell.having(KUBECONFIG=kubeconfig).run("kubectl", *program)
    assert ran == refused(f"cannot reach 127.0.0.1:{port}: connection refused")


def test_a_kubernetes_token_that_is_not_known(shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "xgb", "--token", "expired-or-wrong")
    assert re.fullmatch(r"error: 127\.0\.0\.1:\d+ does not accept the credentials\nhint: .*\n", ran.stderr)
    assert "expired-or-wrong" not in ran.stderr
    assert (ran.stdout, ran.code) == ("", 1)


def test_a_user_without_rights(shell: Shell) -> None:
    ran = shell.smlogs("trainingjob", "xgb", "--context", "viewer")
    assert re.fullmatch(r'error: trainingjobs\.\S+ "xgb" is forbidden: User "viewer" cannot get .*\n', ran.stderr)
    assert (ran.stdout, ran.code) == ("", 1)


def test_a_kubeconfig_that_is_missing(shell: Shell, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing")
    assert shell.having(KUBECONFIG=missing).smlogs("trainingjob", "xgb") == refused(
        f"there is no kubeconfig: {missing} does not exist", "hint: name one with --kubeconfig or KUBECONFIG\n"
    )
    assert shell.smlogs("trainingjob", "xgb", "--kubeconfig", missing) == refused(
        f"kubeconfig {missing} does not exist"
    )


def test_no_kubeconfig_at_all(shell: Shell, tmp_path: Path) -> None:
    ran = shell.having(KUBECONFIG=None, HOME=str(tmp_path)).smlogs("trainingjob", "xgb")
    assert ran.stderr.startswith("error: there is no kubeconfig: ")
    assert len(ran.stderr.splitlines()) <= 2
    assert (ran.stdout, ran.code) == ("", 1)


@pytest.mark.parametrize("text", ["a: [b", "- a list", "\x00\x01\x02", "clusters: {}", "'"])
def test_a_kubeconfig_that_is_broken(shell: Shell, tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken"
    path.write_text(text)
    ran = shell.having(KUBECONFIG=str(path)).smlogs("trainingjob", "xgb")
    assert re.fullmatch(rf"error: .*{re.escape(str(path))}.*\n(hint: .*\n)?", ran.stderr)
    assert (ran.stdout, ran.code) == ("", 1)


def test_a_kubeconfig_without_a_current_context(sandbox: Sandbox, shell: Shell, tmp_path: Path) -> None:
    kubeconfig = kubeconfig_with(sandbox, tmp_path / "config", **{"current-context": None})
    assert shell.having(KUBECONFIG=kubeconfig).smlogs("trainingjob", "xgb") == refused(
        f"kubeconfig {kubeconfig} has no current context", "hint: name one with --context: sandbox, viewer\n"
    )
    assert shell.having(KUBECONFIG=kubeconfig).smlogs(
        "trainingjob", "xgb", "--tail", "0", "--context", "sandbox"
    ) == Ran("", HEADER, 0)


def test_a_context_that_does_not_exist(sandbox: Sandbox, shell: Shell) -> None:
    assert shell.smlogs("trainingjob", "xgb", "--context", "nope") == refused(
        f"context 'nope' does not exist in kubeconfig {sandbox.environment['KUBECONFIG']}",
        "hint: contexts there: sandbox, viewer\n",
    )


# AWS


def test_cloudwatch_that_is_down(shell: Shell) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    ran = shell.smlogs("trainingjob", "xgb", "--endpoint-url", url)
    assert ran.stderr.startswith(HEADER)
    notes = ran.stderr.removeprefix(HEADER).splitlines()
    assert len(notes) == 2, "one note that it tries again, and the error"
    assert notes[0].endswith("; trying again")
    assert notes[1] == f'error: logs:FilterLogEvents: could not connect to the endpoint URL: "{url}/"'
    assert (ran.stdout, ran.code) == ("", 1)


def test_cloudwatch_that_is_down_while_following(shell: Shell) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    ran = shell.smlogs("trainingjob", "running", "-f", "--endpoint-url", url, "--timeout", "4s")
    notes = ran.stderr.splitlines()[1:]
    assert [note.endswith("; trying again") for note in notes] == [True, False]
    assert notes[1] == "error: timed out after 4 s"
    assert (ran.stdout, ran.code) == ("", 5)


@pytest.mark.parametrize("flags", [(), ("-f",), ("--tail", "3")], ids=lambda flags: " ".join(flags) or "read")
def test_cloudwatch_that_denies(shell: Shell, flags: tuple[str, ...]) -> None:
    ran = shell.holding(DENIED_LOGS).smlogs("trainingjob", "xgb", *flags)
    assert re.fullmatch(
        re.escape(HEADER)
        + r"error: logs:FilterLogEvents: .* not authorized .* \(AccessDeniedException\)\n"
        + r"hint: the AWS credentials need the permission logs:FilterLogEvents\n",
        ran.stderr,
    )
    assert (ran.stdout, ran.code) == ("", 1)


@pytest.mark.parametrize("flags", [(), ("-f",)], ids=["read", "-f"])
def test_no_credentials(shell: Shell, flags: tuple[str, ...]) -> None:
    nobody = shell.having(AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None)
    ran = nobody.smlogs("trainingjob", "xgb", *flags)
    assert re.fullmatch(
        re.escape(HEADER) + r"error: logs:FilterLogEvents: .*credentials.*\nhint: .*AWS_PROFILE.*\n", ran.stderr
    )
    assert (ran.stdout, ran.code) == ("", 1)


def test_an_expired_token_of_aws(shell: Shell) -> None:
    ran = shell.holding(EXPIRED).smlogs("trainingjob", "xgb")
    assert re.fullmatch(
        re.escape(HEADER) + r"error: logs:FilterLogEvents: .*expired.* \(ExpiredTokenException\)\nhint: .*\n",
        ran.stderr,
    )
    assert (ran.stdout, ran.code) == ("", 1)


def test_an_expired_sso_session_is_told_how_to_renew(shell: Shell, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[profile team]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = reader\n"
        "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = us-west-2\n"
        "sso_registration_scopes = sso:account:access\n"
    )
    someone = shell.having(
        AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_CONFIG_FILE=str(config), HOME=str(tmp_path)
    )
    ran = someone.smlogs("trainingjob", "xgb", "--profile", "team")
    assert re.fullmatch(re.escape(HEADER) + r"error: .*\nhint: run `aws sso login --profile team`\n", ran.stderr)
    assert (ran.stdout, ran.code) == ("", 1)


def test_a_profile_that_does_not_exist(shell: Shell, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("[profile team]\nregion = us-west-2\n")
    ran = shell.having(AWS_CONFIG_FILE=str(config)).smlogs("trainingjob", "xgb", "--profile", "nope")
    assert re.fullmatch(re.escape(HEADER) + r"error: .*nope.*\nhint: .*team.*\n", ran.stderr)
    assert (ran.stdout, ran.code) == ("", 1)


# Output


@pytest.mark.parametrize("name", ["mnist", "long"])
def test_a_full_disk(shell: Shell, name: str) -> None:
    ran = shell.run("sh", "-c", f"kubectl smlogs trainingjob {name} -q >/dev/full")
    assert ran == refused("can't write to stdout: no space left on device")


def test_a_full_disk_behind_stderr_costs_no_line(shell: Shell) -> None:
    ran = shell.run("sh", "-c", "kubectl smlogs trainingjob mnist -o raw --no-timestamps 2>/dev/full")
    assert ran == Ran("".join(f"step {number} of algo-1\n" for number in range(5)), "", 0)


def test_a_closed_stderr_changes_nothing(shell: Shell) -> None:
    ran = shell.run("sh", "-c", "kubectl smlogs trainingjob mnist -o raw --tail 1 2>&-")
    assert ran == Ran("step 4 of algo-1\n", "", 0)
