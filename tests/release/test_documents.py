"""The docs say what the program does: what is written from it is up to date, and what they name is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from release import documents
from release.project import CHECKOUT

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


def test_each_message_that_is_explained_is_one_of_the_program() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (CHECKOUT / "kubectl_sagemaker").rglob("*.py"))
    text = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)
    assert len(messages) > 10
    pieces = {piece.strip(" :,") for message in messages for piece in message.split("…")} - {""}
    # In an f-string the names stand between braces.
    assert [piece for piece in pieces if piece not in source] == []


def test_the_plugin_for_k9s_is_one_and_its_kinds_are_all_that_have_a_log() -> None:
    import yaml

    from kubectl_sagemaker import kinds

    text = (CHECKOUT / "docs" / "k9s.md").read_text(encoding="utf-8")
    snippet = text.partition("```yaml\n")[2].partition("```")[0]
    logged = {api.plural for kind in kinds.KINDS if kind.logged for api in kind.apis}
    for plugin in yaml.safe_load(snippet)["plugins"].values():
        assert {"shortCut", "description", "scopes", "command", "args"} <= plugin.keys()
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
