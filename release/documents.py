"""`make documents`: the parts of the docs that the program knows best, written from it; a test compares them.

What stands between `<!-- NAME -->` and `<!-- end of NAME -->` of a document is written here.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import click

from release import manifests, permissions
from release.project import CHECKOUT, Failure

SCREEN: Final = CHECKOUT / "tests" / "golden" / "table-all-namespaces-120-colour.txt"
"""What `status -A` writes on a terminal: a test holds the program to it."""


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def _table(*head: str) -> str:
    return _row(*head) + f"|{'---|' * len(head)}\n"


def kinds() -> str:
    """Kinds that have a log or run, by the words that kubectl takes, and what the commands do with each."""
    from kubectl_sagemaker.kinds import GROUPS, KINDS

    text = _table("kind in SageMaker", *(group.label for group in GROUPS), "log", "`smlogs -f` ends")
    for kind in KINDS:
        if not (kind.logged or kind.runs):
            continue
        words = [", ".join(f"`{api.singular}`" for api in kind.apis if api.group is group) or "–" for group in GROUPS]
        log = f"`{kind.log.group.format(name='NAME')}`" if kind.log else "of the jobs that it starts"
        text += _row(kind.name, *words, log, "with it" if kind.ends else "at Ctrl-C")
    others = sorted(kind.name for kind in KINDS if not (kind.logged or kind.runs))
    return f"{text}\nWith a state and no log, listed by `status --all-kinds`: {', '.join(others)}.\n"


def flags() -> str:
    """A table of flags for each command."""
    from kubectl_sagemaker import cli

    group = cli.sagemaker_command()
    assert isinstance(group, click.Group)  # noqa: S101  # it has verbs
    commands = {"kubectl smlogs, kubectl sagemaker logs": cli.smlogs_command()}
    with click.Context(group) as context:
        for verb in group.list_commands(context):
            command = group.get_command(context, verb)
            if isinstance(command, click.Group):
                commands |= {f"kubectl sagemaker {verb} {name}": each for name, each in command.commands.items()}
            elif command is not None and verb != "logs":
                commands[f"kubectl sagemaker {verb}"] = command
    parts = []
    for title, command in commands.items():
        text = f"## {title}\n\n{_table('flag', 'meaning', 'variables')}"
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                text += _flag(option, click.Context(command))
        parts.append(text)
    return "\n".join(parts)


def _flag(option: click.Option, context: click.Context) -> str:
    names = ", ".join(f"`{name}`" for name in sorted(option.opts, key=len))
    shown = option.make_metavar(context) if not option.is_flag and not option.count else ""
    value = f" `{shown}`" if shown else ""
    default = f" (default: {option.default})" if option.show_default and isinstance(option.default, str) else ""
    variables = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or [])
    cells = (f"{names}{value}", f"{option.help or ''}{default}", "<br>".join(f"`{name}`" for name in variables))
    return _row(*(cell.replace("|", "\\|") for cell in cells))


def needs() -> str:
    """Each command's rights."""
    text = _table(
        "command", "verbs on the resources", "in AWS, needed", "in AWS, says more, has more parts, or takes less time"
    )
    for need in permissions.NEEDS:
        text += _row(
            f"`{need.command}`",
            ", ".join(f"`{verb}`" for verb in need.verbs) + (" (and namespaces)" if need.namespaces else ""),
            "<br>".join(f"`{action}`" for action in need.actions) or "–",
            "<br>".join(f"`{action}`" for action in need.enriching) or "–",
        )
    return text


def setup() -> str:
    """What setup-iam asks."""
    text = _table("command", "in AWS")
    for command, actions, more in (
        ("setup-iam", permissions.SETUP_IAM, ""),
        ("setup-iam --pod-identity", permissions.SETUP_POD_IDENTITY, ", and `iam:PassRole` on the operator's role"),
    ):
        text += _row(f"`operator {command}`", ", ".join(f"`{action}`" for action in actions) + more)
    return text


def role() -> str:
    """A ClusterRole for all commands."""
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "kubectl-sagemaker"},
        "rules": permissions.cluster_role(),
    }
    import yaml

    return f"```yaml\n{yaml.safe_dump(role, sort_keys=False, width=110, default_flow_style=None)}```\n"


def policy() -> str:
    """An IAM policy for all commands."""
    return f"```json\n{json.dumps(permissions.policy(), indent=2)}\n```\n"


def screen() -> str:
    """A picture of a coloured screen."""
    from rich.console import Console
    from rich.text import Text

    # Without the rows whose names and states are there to break a terminal. What explains a row is indented below it.
    rows = re.split(r"\n(?!(?:␛\[2m)? )", SCREEN.read_text(encoding="utf-8").rstrip())
    # Golden files show the escape character as its picture.
    text = "\n".join(row for row in rows if "\\x" not in row).replace("␛", "\x1b")
    console = Console(record=True, width=120, file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print(Text.from_ansi(f"$ kubectl sagemaker status -A\n{text}"), soft_wrap=True)
    picture = console.export_svg(title="kubectl sagemaker status -A", unique_id="status")
    # The picture asks nobody for a font, and each word stands where it belongs whatever a viewer does with spaces.
    picture = re.sub(r"@font-face \{.*?\}\n", "", picture, flags=re.DOTALL)
    return re.sub(r'<text class="(.*?)" x="(.*?)" y="(.*?)" textLength="(.*?)" (.*?)>(.*?)</text>', _placed, picture)


def _placed(text: re.Match[str]) -> str:
    """One piece of the picture's text without the spaces at its ends."""
    kind, left, top, length, clip, words = text.groups()
    letters = words.replace("&#160;", " ")
    if not letters.strip():
        return ""
    width = float(length) / len(re.sub(r"&[#\w]+;", "x", letters))
    start = float(left) + width * (len(letters) - len(letters.lstrip()))
    shown = letters.strip()
    wide = width * len(re.sub(r"&[#\w]+;", "x", shown))
    words = shown.replace(" ", "&#160;")
    return f'<text class="{kind}" x="{start:.1f}" y="{top}" textLength="{wide:.1f}" {clip}>{words}</text>'


SECTIONS: Final[Mapping[str, Mapping[str, Callable[[], str]]]] = {
    "README.md": {"kinds": kinds},
    "docs/flags.md": {"flags": flags},
    "docs/permissions.md": {"needs": needs, "role": role, "policy": policy, "setup": setup},
}


def documents() -> dict[Path, str]:
    """Every document as it should be; raises Failure if one has no place for its section."""
    found = {CHECKOUT / "docs" / "status.svg": screen()}
    if not any((CHECKOUT / "plugins").glob("*.yaml")):
        found[CHECKOUT / "krew-manifest.yaml"] = manifests.unreleased()
    for name, sections in SECTIONS.items():
        path = CHECKOUT / name
        text = path.read_text(encoding="utf-8")
        for section, write in sections.items():
            begin, end = f"<!-- {section}: `make documents` writes this -->\n", f"<!-- end of {section} -->\n"
            before, begun, rest = text.partition(begin)
            _, ended, after = rest.partition(end)
            if not (begun and ended):
                raise Failure(f"{path} has no place for {section}: {begin.strip()} and {end.strip()}")
            text = f"{before}{begin}{write()}{end}{after}"
        found[path] = text
    return found


def main() -> int:
    """Write what differs, and say what was written."""
    try:
        for path, text in documents().items():
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8", newline="\n")
                sys.stdout.write(f"written: {path.relative_to(CHECKOUT)}\n")
    except (Failure, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
