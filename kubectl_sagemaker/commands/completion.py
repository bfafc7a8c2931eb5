"""`kubectl sagemaker completion`: print a shell's completion script, or install it with kubectl's."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from kubectl_sagemaker.errors import Error, Usage
from kubectl_sagemaker.options import Command, Flag, shared

if TYPE_CHECKING:
    from kubectl_sagemaker.env import Env

PROGRAMS: Final = ("kubectl-smlogs", "kubectl-sagemaker")
FOR_KUBECTL: Final = ("kubectl_complete-smlogs", "kubectl_complete-sagemaker")
SHELLS: Final = ("bash", "zsh", "fish")


@click.command(
    cls=Command,
    name="completion",
    help="""Print the completion script of a shell (default: $SHELL) for kubectl-smlogs and kubectl-sagemaker.

    With --install, put it where the shell finds it, and the programs that kubectl asks (kubectl 1.26 or newer, with
    its own completion set up) beside this one on PATH. Says what it did; to do it again changes nothing.

    \b
    Examples:
      kubectl sagemaker completion --install
      source <(kubectl sagemaker completion bash)
    """,
)
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@click.option("--install", cls=Flag, help="Install it, for this user.")
@shared()
def command(env: Env, shell: str | None, install: bool) -> int:
    """Print, or install."""
    from kubectl_sagemaker.completion import SCRIPTS

    shell = shell or Path(os.environ.get("SHELL", "")).name
    if shell not in SCRIPTS:
        raise Usage(f"no completion for the shell {shell!r}", hint=f"name one of {', '.join(SHELLS)}")
    if not install:
        env.write(SCRIPTS[shell])
        return 0
    for file in _files(shell):
        env.write(f"{_put(file, SCRIPTS[shell])}\n")
    for name in FOR_KUBECTL:
        env.write(f"{_link(name)}\n")
    if shell == "zsh":
        folder = _files(shell)[0].parent
        env.note(f"zsh looks there if ~/.zshrc has, before compinit: fpath=({folder} $fpath)")
    env.note("it takes effect in a new shell")
    return 0


def _files(shell: str) -> list[Path]:
    """Where a shell looks for a user's completions of these programs; bash needs the package bash-completion."""
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    bash = Path(os.environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion")
    return {
        # These two load a program's file when the program is first completed, by its name.
        "bash": [bash / "completions" / program for program in PROGRAMS],
        "fish": [config / "fish" / "completions" / f"{program}.fish" for program in PROGRAMS],
        "zsh": [data / "zsh" / "site-functions" / "_kubectl-sagemaker"],
    }[shell]


def _put(file: Path, text: str) -> str:
    """Write a file unless it is there already; say which."""
    if file.is_file() and file.read_bytes() == text.encode():
        return f"unchanged: {file}"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text.encode())
    return f"written: {file}"


def _link(name: str) -> str:
    """Make one of the programs that kubectl asks findable in PATH; say what was done.

    It is a link to this program as PATH has it, which answers by that name (cli.py): an upgrade by krew, which puts
    each version into a folder of its own and takes the old one away, leaves it as good as it was.
    """
    found = shutil.which(name)
    if found and not (Path(found).is_symlink() or found.lower().endswith(".cmd")):
        return f"unchanged: {found}"
    # A program that is no script is given the bare word that a shell found in PATH.
    program = Path(shutil.which(sys.argv[0]) or sys.argv[0]).absolute()
    source = program if os.name == "posix" else program.resolve().with_name(name).with_suffix(program.suffix)
    if found and Path(found).resolve().parent == program.resolve().parent:
        return f"unchanged: {found}"
    if not source.exists():
        raise Error(f"{source} is missing", hint="install kubectl-sagemaker anew")
    path = [Path(folder) for folder in os.get_exec_path() if not _is_krews_alone(Path(folder))]
    for folder in (program.parent, *path):
        target = folder / name
        if folder in path and os.access(folder, os.W_OK) and _free(target):
            if os.name == "nt":
                # A link takes a privilege there that few have, and a copy would miss what lies beside the program.
                return _put(target.with_name(f"{name}.cmd"), f'@"{source}" %*\r\n')
            target.unlink(missing_ok=True)
            target.symlink_to(source)
            return f"installed: {target}, from {source}"
    raise Error(
        f"no folder of PATH can be written to, for {name}", hint=f"put a link of that name to {source} into one"
    )


def _is_krews_alone(folder: Path) -> bool:
    """Whether a folder is krew's, and krew itself is installed otherwise than by krew.

    Once the last plugin is uninstalled, krew takes whatever is left there for that of a version before receipts, and
    refuses every command ("krew home outdated"). Its own receipt keeps it from that.
    """
    return (folder.parent / "receipts").is_dir() and not os.path.lexists(folder / "kubectl-krew")


def _free(target: Path) -> bool:
    """Whether a file may be put there: nothing is, or a link, such as one to a version that is gone."""
    return target.is_symlink() or not target.exists()
