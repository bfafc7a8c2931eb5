"""The docs say what the program does: what is written from it is up to date, and what they name is there."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Final

import pytest

from release import documents
from release.project import CHECKOUT
from tests.e2e.shell import Shell, search_path

README: Final = (CHECKOUT / "README.md").read_text(encoding="utf-8")
DOCUMENTS: Final = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted((CHECKOUT / "docs").glob("*.md"))]


def test_what_the_program_writes_is_up_to_date() -> None:
    """Where it fails: `make documents`."""
    stale = [
        path.relative_to(CHECKOUT).as_posix()
        for path, text in documents.documents().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert stale == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_links_to_is_there(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


EXAMPLES: Final = README.partition("\n## Install\n")[0]
"""What README shows of the made-up world of the demo."""


def plain(line: str) -> str:
    """A line without what differs from run to run: times, ages, how many jobs there are, and how wide a column is."""
    line = re.sub(r"\b\d+ (running|completed|failed|stopped)\b", r"N \1", line)
    line = re.sub(r"timeline .*took", "timeline took", re.sub(r"\d\d:\d\d:\d\d", "TIME", line))
    return " ".join(re.sub(r"\b(\d+[dhms])+\b", "AGE", line).split())


@pytest.mark.skipif(sys.platform == "win32", reason="examples are for a POSIX shell")
def test_readmes_examples_are_real_output(tmp_path: Path) -> None:
    blocks = re.findall(r"^```console\n\$ (.*?)^```", EXAMPLES, re.MULTILINE | re.DOTALL)
    shown = {command: output for command, _, output in (block.partition("\n") for block in blocks)}
    assert len(shown) == 5
    parts = {each: f"{{ echo '=== {each}'; {each}; code=$?; echo '$ echo $?'; echo $code; }}" for each in shown}
    # The main job has half a minute to go; the list was made when it had ended.
    follow, listed = (
        parts.pop(each) for each in ("kubectl smlogs trainingjob xgboost-mnist -f", "kubectl sagemaker status")
    )
    script = "\n".join(["exec 2>&1", f'{follow} >"$0" 2>&1 &', *parts.values(), "wait", 'cat "$0"', listed])
    shell = Shell({**os.environ, "PATH": search_path(), "KUBECTL_SMLOGS_OUTPUT": "short"})
    ran = shell.sagemaker("sandbox", "--", "sh", "-c", script, str(tmp_path / "followed"))
    assert (ran.stderr, ran.code) == ("", 0)
    given = dict(part.split("\n", 1) for part in ran.stdout.removeprefix("=== ").split("\n=== "))
    # A state of two seconds may not be seen.
    unseen = "xgboost-mnist: InProgress Uploading"
    for command, output in shown.items():
        wanted, found = (
            [plain(line) for line in text.splitlines() if line != unseen] for text in (output, given[command])
        )
        if "$ echo $?" not in wanted:
            del found[found.index("$ echo $?") :]
        if "…" in wanted:
            begin = len(wanted[: wanted.index("…")])
            end = len(wanted) - begin - 1
            wanted, found = wanted[:begin] + wanted[-end:], found[:begin] + found[-end:]
        assert found == wanted


def test_each_message_that_is_explained_is_one_of_the_program() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "kubectl_sagemaker").rglob("*.py"))
    text = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(messages) > 10
    pieces = {piece.strip(" :,") for message in messages for piece in message.split("…")} - {""}
    # In an f-string the names stand between braces.
    assert [piece for piece in pieces if piece not in source] == []


K9S: Final = {
    "shortCut": str, "override": bool, "description": str, "confirm": bool, "dangerous": bool, "scopes": list,
    "command": str, "background": bool, "overwriteOutput": bool, "args": list,
}  # fmt: skip


def test_the_plugin_for_k9s_is_one_and_its_kinds_are_all_that_have_a_log() -> None:
    import yaml

    from kubectl_sagemaker import kinds

    text = (CHECKOUT / "docs" / "k9s.md").read_text(encoding="utf-8")
    snippet = text.partition("```yaml\n")[2].partition("```")[0]
    logged = {api.plural for kind in kinds.KINDS if kind.logged for api in kind.apis}
    for plugin in yaml.safe_load(snippet)["plugins"].values():
        # By the schema that k9s checks the file with.
        assert {"shortCut", "description", "scopes", "command"} <= plugin.keys() <= K9S.keys()
        assert {key: type(value) for key, value in plugin.items()} == {key: K9S[key] for key in plugin}
        assert set(plugin["scopes"]) == logged


def test_every_command_has_its_flags() -> None:
    text = (CHECKOUT / "docs" / "flags.md").read_text(encoding="utf-8")
    for words in ("`-f`, `--follow`", "## kubectl sagemaker status", "`--all-kinds`", "KUBECTL_SMLOGS_OUTPUT"):
        assert words in text
    assert "--logSearchPrefix" not in text, "a hidden flag"


def test_the_picture_shows_the_screen_in_its_colours_and_asks_nobody_for_a_font() -> None:
    picture = documents.screen()
    for words in ("resnet50-imagenet", ";Failed<", ";InProgress"):
        assert words in picture
    colours = set(re.findall(r"fill: (#[0-9a-f]{6})", picture))
    assert len(colours) >= 4, "the text's, and those of good, bad and going on"
    assert "␛" not in picture
    assert "@font-face" not in picture
    assert "x1b" not in picture
