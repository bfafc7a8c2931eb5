"""TAB: what kubectl and the shells are answered, and that nothing else is said, whatever is wrong."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from kubectl_sagemaker.sandbox.server import Sandbox
from tests.e2e.shell import SECONDS, Ran, Shell, closed_port, kubeconfig_with
from tests.environment import HERE, PROGRAMS

TRAINING = [
    "churn", "forger", "halted", "hostile", "long", "mnist", "no-region", "not-reconciled", "running", "shared",
    "starting", "xgb", "xgb-2",
]  # fmt: skip
ARN = "arn:aws:eks:us-west-2:123456789012:cluster/train"
SHELLS = ("bash", "zsh", "fish")
FOR_KUBECTL = ("kubectl_complete-smlogs", "kubectl_complete-sagemaker")


# kubectl


def complete(shell: Shell, *words: str) -> list[str]:
    """What `kubectl __complete` says on stdout; on stderr are its own notes alone."""
    ran = shell.run("kubectl", "__complete", *words)
    said = [line for line in ran.stderr.splitlines() if not line.startswith(("[Debug] ", "Completion ended with "))]
    assert (said, ran.code) == ([], 0)
    return ran.stdout.splitlines()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["smlogs", "trai"], ["trainingjob", ":4"]),
        (["smlogs", "Train"], ["TrainingJob", ":4"]),
        (["smlogs", "trainingjob", ""], [*TRAINING, ":4"]),
        (["smlogs", "trainingjob/x"], ["trainingjob/xgb", "trainingjob/xgb-2", ":4"]),
        (["smlogs", "processingjob", "-n", "ml", ""], ["features", ":4"]),
        (["smlogs", "--namespace=ml", "processingjob", ""], ["features", ":4"]),
        (["smlogs", "processingjob", "-n", "m"], ["ml", ":4"]),
        (["smlogs", "trainingjob", "--context", ""], ["sandbox", "viewer", ":4"]),
        (["smlogs", "trainingjob", "xgb", "-o", ""], ["long", "short", "raw", "json", ":4"]),
        (["smlogs", "trainingjob", "xgb", "--output=l"], ["long", ":4"]),
        (["smlogs", "--kubeconfig", ""], [":0"]),
        (["smlogs", "trainingjob", "xgb", "-f=maybe", ""], [":4"]),
        (["smlogs", "trainingjob", "xgb", "--unknown", "--fo"], ["--follow\tGo on until", ":4"]),
        (["sagemaker", "sta"], ["status\tShow what runs", ":4"]),
        (["sagemaker", "status", "-n", "ml", "processingjob", ""], ["features", ":4"]),
        (["sagemaker", "status", "processingjob", "kmeans", ""], [":4"]),
        (["sagemaker", "logs", "batchtransformjob", ""], ["batch", ":4"]),
    ],
    ids=" ".join,
)
def test_kubectl_completes(each_kubectl: Shell, words: list[str], offered: list[str]) -> None:
    found = complete(each_kubectl, *words)
    assert len(found) == len(offered)
    assert all(line.startswith(begin) for line, begin in zip(found, offered, strict=True)), found


def test_the_flags_typed_so_far_say_which_cluster_is_asked(shell: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    config = kubeconfig_with(sandbox, tmp_path / "config")
    lost = shell.having(KUBECONFIG=str(tmp_path / "gone"))
    assert complete(lost, "smlogs", "processingjob", "") == [":4"]
    assert complete(lost, "smlogs", "processingjob", "--kubeconfig", config, "") == ["kmeans", ":4"]
    assert complete(lost, "smlogs", "--kubeconfig", config, "--context", "v") == ["viewer", ":4"]
    # Who has no rights to list is offered nothing.
    assert complete(shell, "smlogs", "processingjob", "--user", "viewer", "") == [":4"]
    assert complete(shell, "smlogs", "processingjob", "--server", f"https://127.0.0.1:{closed_port()}", "") == [":4"]


@pytest.mark.parametrize("program", FOR_KUBECTL)
@pytest.mark.parametrize("words", [[], [""], ["trainingjob", ""], ["status", "trainingjob", ""], ["\udcff", ""]])
def test_without_a_cluster_nothing_is_said(shell: Shell, tmp_path: Path, program: str, words: list[str]) -> None:
    (tmp_path / "config").write_text("{")
    for config in ("config", "gone"):
        ran = shell.having(KUBECONFIG=str(tmp_path / config)).run(program, *words, "--kubeconfig=", "x")
        assert (ran.stdout, ran.stderr, ran.code) == (":4\n", "", 0)


PLUGIN = """#!/bin/sh
echo 'a device code' >&2
[ -t 0 ] && echo 'it has a terminal' >&2
{end}
"""


def on_a_terminal(shell: Shell, *words: str) -> Ran:
    """Run a command as kubectl does at TAB: stdin and stderr are the terminal, stdout is read."""
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        words, env=shell.environment, stdin=side, stdout=subprocess.PIPE, stderr=side, start_new_session=True
    )
    os.close(side)
    stdout, _ = process.communicate(timeout=SECONDS)
    try:
        said = os.read(terminal, 65536).decode()
    except OSError:
        said = ""  # Linux's way to say that nothing was written
    finally:
        os.close(terminal)
    return Ran(stdout.decode(), said, process.returncode)


@pytest.mark.parametrize(
    ("end", "offered"),
    [("cat $0.credential", "kmeans\n:4\n"), ("sleep 3; cat $0.credential", ":4\n"), ("exit 1", ":4\n")],
    ids=["answers", "is slow", "fails"],
)
def test_an_exec_plugin_that_talks_is_not_heard(
    shell: Shell, sandbox: Sandbox, tmp_path: Path, end: str, offered: str
) -> None:
    plugin = tmp_path / "plugin"
    plugin.write_text(PLUGIN.format(end=end))
    plugin.chmod(0o755)
    version = "client.authentication.k8s.io/v1"
    config = kubeconfig_with(sandbox, tmp_path / "config")
    document = json.loads(Path(config).read_text())
    (token,) = (user["user"]["token"] for user in document["users"] if user["name"] == "admin")
    credential = {"apiVersion": version, "kind": "ExecCredential", "status": {"token": token}}
    Path(f"{plugin}.credential").write_text(json.dumps(credential))
    command = {"apiVersion": version, "command": str(plugin), "interactiveMode": "IfAvailable"}
    document["users"].append({"name": "plugged", "user": {"exec": command}})
    Path(config).write_text(json.dumps(document))
    plugged = shell.having(KUBECONFIG=config)
    ran = on_a_terminal(plugged, "kubectl_complete-smlogs", "--user", "plugged", "processingjob", "")
    assert ran == Ran(offered, "", 0)


def test_nobody_who_reads_is_no_trouble(shell: Shell) -> None:
    script = (
        "kubectl_complete-sagemaker '' | true; kubectl_complete-sagemaker '' >&-; kubectl_complete-smlogs '' 2>&- <&-"
    )
    ran = shell.run("sh", "-c", script)
    assert (ran.stdout.splitlines()[-1], ran.stderr, ran.code) == (":4", "", 0)


# The shells


def of_shell(name: str) -> str:
    """A shell's path; the test is skipped without it."""
    path = shutil.which(name)
    if not path:
        pytest.skip(f"{name} is not in PATH")
    return path


@pytest.fixture
def person(shell: Shell, sandbox: Sandbox, tmp_path: Path) -> Shell:
    """A shell with a home of its own, and a context whose name has colons."""
    config = kubeconfig_with(sandbox, tmp_path / "config")
    document = json.loads(Path(config).read_text())
    document["contexts"].append({**document["contexts"][0], "name": ARN})
    Path(config).write_text(json.dumps(document))
    home = tmp_path / "home"
    home.mkdir()
    return shell.having(HOME=str(home), KUBECONFIG=config, XDG_DATA_HOME=None, XDG_CONFIG_HOME=None)


def typed(person: Shell, name: str, line: str, set_up: str) -> str:
    """What a shell makes of a line at TAB; `set_up` is what its start-up file has."""
    home = Path(person.environment["HOME"])
    path, made = of_shell(name), home / "line"
    if name == "fish":
        ran = person.run(path, "--no-config", "-c", f"{set_up}\ncomplete --do-complete {json.dumps(line)}")
        assert (ran.stderr, ran.code) == ("", 0)
        (only,) = ran.stdout.splitlines()
        return f"{line.rpartition(' ')[0]} {only.partition(chr(9))[0]}"
    if name == "bash":
        (home / "bashrc").write_text(f'{set_up}\nbind -x \'"\\C-g": printf %s "$READLINE_LINE" >{made}; exit\'\n')
        command = [path, "--noprofile", "--rcfile", str(home / "bashrc"), "-i"]
    else:
        dump = f"dump() {{ print -rn -- $BUFFER >{made}; exit }}; zle -N dump; bindkey ^G dump"
        (home / ".zshrc").write_text(f"autoload -Uz compinit && compinit -u -D\n{set_up}\n{dump}\n")
        command = [path, "-i"]
    # The keys wait in the terminal until the shell reads them: the line, TAB, and the key that keeps what it became.
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        command, env={**person.environment, "ZDOTDIR": str(home)}, stdin=side, stdout=side, stderr=side,
        start_new_session=True,
    )  # fmt: skip
    os.close(side)
    os.write(terminal, f"{line}\t\x07".encode())
    shown = bytearray()
    try:
        while piece := os.read(terminal, 65536):
            shown += piece
    except OSError:
        pass  # Linux's way to say that the other side is closed
    finally:
        os.close(terminal)
    process.wait(SECONDS)
    assert made.exists(), shown
    return made.read_text().rstrip()


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.parametrize(
    ("line", "becomes"),
    [
        ("kubectl-smlogs train", "kubectl-smlogs trainingjob"),
        ("kubectl-smlogs trainingjob mn", "kubectl-smlogs trainingjob mnist"),
        ("kubectl-smlogs trainingjob/mn", "kubectl-smlogs trainingjob/mnist"),
        ("kubectl-smlogs trainingjob mnist --foll", "kubectl-smlogs trainingjob mnist --follow"),
        ("kubectl-smlogs --output=j", "kubectl-smlogs --output=json"),
        ("kubectl-smlogs -o j", "kubectl-smlogs -o json"),
        ("kubectl-smlogs --context arn:aws:eks:us", f"kubectl-smlogs --context {ARN}"),
        ("kubectl-smlogs --context=arn:aws:eks:us", f"kubectl-smlogs --context={ARN}"),
        ("kubectl-smlogs --kubeconfig=/dev/nul", "kubectl-smlogs --kubeconfig=/dev/null"),
        ("kubectl-smlogs --kubeconfig /dev/nul", "kubectl-smlogs --kubeconfig /dev/null"),
        ("kubectl-sagemaker sta", "kubectl-sagemaker status"),
        ("kubectl-sagemaker status -n ml processingjob fe", "kubectl-sagemaker status -n ml processingjob features"),
    ],
)
def test_a_shell_completes(person: Shell, name: str, line: str, becomes: str) -> None:
    ran = person.sagemaker("completion", name)
    assert (ran.stderr, ran.code) == ("", 0)
    assert typed(person, name, line, ran.stdout) == becomes


def test_a_bash_of_macos_completes_files_too(person: Shell) -> None:
    """It is of 2007, and has no compopt."""
    script = person.sagemaker("completion", "bash").stdout
    line = "kubectl-smlogs --kubeconfig /dev/nul"
    assert (
        typed(person, "bash", line, f"compopt() {{ return 127; }}\n{script}") == "kubectl-smlogs --kubeconfig /dev/null"
    )


# Installing


@pytest.mark.parametrize("name", SHELLS)
def test_install_says_what_it_did_and_is_repeatable(person: Shell, name: str) -> None:
    person = person.having(SHELL=f"/bin/{name}")
    first, second = (person.sagemaker("completion", "--install") for _ in range(2))
    home = Path(person.environment["HOME"])
    written = sorted(str(path) for path in home.rglob("*") if path.is_file())
    programs = [f"unchanged: {PROGRAMS / program}" for program in FOR_KUBECTL]
    assert sorted(first.stdout.splitlines()) == sorted([*(f"written: {path}" for path in written), *programs])
    assert sorted(second.stdout.splitlines()) == sorted([*(f"unchanged: {path}" for path in written), *programs])
    assert (first.code, second.code, first.stderr) == (0, 0, second.stderr)
    assert written == sorted(str(path) for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", SHELLS)
def test_what_is_installed_completes_by_the_shells_own_mechanism(person: Shell, name: str) -> None:
    assert person.sagemaker("completion", name, "--install").code == 0
    home = Path(person.environment["HOME"])
    (file, *_) = (path for path in sorted(home.rglob("*kubectl-sagemaker*")) if path.is_file())
    set_up = {
        # Without bash-completion, which would do so by itself.
        "bash": f"source '{file}'",
        "zsh": f"fpath=('{file.parent}' $fpath); compinit -u -D",
        "fish": f"set -p fish_complete_path '{file.parent}'",
    }[name]
    assert typed(person, name, "kubectl-sagemaker sta", set_up) == "kubectl-sagemaker status"


def test_the_programs_for_kubectl_come_beside_the_plugin_on_path(person: Shell, tmp_path: Path) -> None:
    """As krew has it: a folder of PATH with links to the plugins, and only to them."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "kubectl").symlink_to(HERE / "kubectl")
    for program in ("kubectl-smlogs", "kubectl-sagemaker"):
        (folder / program).symlink_to(PROGRAMS / program)
    person = person.having(PATH=os.pathsep.join([str(folder), "/usr/bin", "/bin"]))
    assert "xgb" not in complete(person, "smlogs", "trainingjob", "x")
    # Of older versions, one gone and one still there.
    (folder / FOR_KUBECTL[0]).symlink_to(tmp_path / "gone")
    (folder / FOR_KUBECTL[1]).symlink_to(shutil.which("true") or "")
    ran = person.sagemaker("completion", "bash", "--install")
    # By the plugin's name on PATH, so that it stays right when that leads to another version.
    plugin = folder / "kubectl-sagemaker"
    installed = [f"installed: {folder / program}, from {plugin}" for program in FOR_KUBECTL]
    assert (ran.stdout.splitlines()[-2:], ran.code) == (installed, 0)
    assert complete(person, "smlogs", "trainingjob", "x") == ["xgb", "xgb-2", ":4"]
    ran = person.sagemaker("completion", "bash", "--install")
    assert ran.stdout.splitlines()[-2:] == [f"unchanged: {folder / program}" for program in FOR_KUBECTL]
    assert complete(person, "sagemaker", "status", "trainingjob", "x") == ["xgb", "xgb-2", ":4"]


@pytest.mark.parametrize("krew_is_there", [True, False])
def test_krews_folder_is_used_only_where_krew_itself_is_in_it(
    person: Shell, tmp_path: Path, krew_is_there: bool
) -> None:
    """krew refuses every command when the last plugin is uninstalled and something is left there (krew 0.4.3)."""
    krews, own = tmp_path / "krew" / "bin", tmp_path / "own"
    for folder in (krews, own, tmp_path / "krew" / "receipts"):
        folder.mkdir(parents=True)
    for program in ("kubectl-smlogs", "kubectl-sagemaker"):
        (krews / program).symlink_to(PROGRAMS / program)
    if krew_is_there:
        (krews / "kubectl-krew").touch()
    (own / "kubectl").symlink_to(HERE / "kubectl")
    person = person.having(PATH=os.pathsep.join(map(str, (krews, own, "/usr/bin", "/bin"))))
    ran = person.sagemaker("completion", "bash", "--install")
    used = krews if krew_is_there else own
    installed = [f"installed: {used / program}, from {krews / 'kubectl-sagemaker'}" for program in FOR_KUBECTL]
    assert (ran.stdout.splitlines()[-2:], ran.code) == (installed, 0)
    assert complete(person, "smlogs", "trainingjob", "x") == ["xgb", "xgb-2", ":4"]


def test_a_shell_that_is_not_known_is_wrong_usage(person: Shell) -> None:
    ran = person.having(SHELL="/bin/tcsh").sagemaker("completion")
    assert ran.stderr == "error: no completion for the shell 'tcsh'\nhint: name one of bash, zsh, fish\n"
    assert (ran.stdout, ran.code) == ("", 2)
