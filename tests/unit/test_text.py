"""Hostile text made safe to show."""

from __future__ import annotations

import json
import random
import re
import unicodedata

import pytest

from kubectl_sagemaker.text import json_visible, one_line, visible

CONTROLS = [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))]
REORDERING = [
    chr(code) for code in (0x61C, 0x200E, 0x200F, 0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
]
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


def hostile(source: random.Random) -> str:
    """A text made of what has driven a terminal, cut anywhere."""
    pieces = [
        *CONTROLS,
        *REORDERING,
        *("\x1b[31m", "\x1b[0m", "\x1b[38;5;1m", "\x1b[38:2::1:2:3m", "\x1b[2J", "\x1b]0;title\x07", "\x1b[?25l"),
        *("\x1b[", "\x1b]8;;https://x\x1b\\", "\x9b31m", "\x1bP", "\x1b[6n", "m", "0", ";", "[", "text", " ", "]"),
        *("\ud800", "\udfff", "日本", "🚀", "שלום", "\\x1b", "#015", "\r", "\n", "\r\n", "\t"),
    ]
    return "".join(source.choices(pieces, k=source.randint(0, 30)))


def dangerous(text: str, *, kept: str, colour: bool) -> list[str]:
    """The control characters left in a text, without those that may be there."""
    if colour:
        text = COLOUR.sub("", text)
    return [char for char in text if (unicodedata.category(char) == "Cc" or char in REORDERING) and char not in kept]


@pytest.mark.parametrize("colour", [True, False])
def test_no_control_character_other_than_newline_tab_and_colour_passes(colour: bool) -> None:
    source = random.Random(20200128)  # noqa: S311  # a seed, no secret
    for _ in range(5000):
        text = hostile(source)
        assert dangerous(visible(text, colour=colour), kept="\n\t", colour=colour) == [], text
        assert dangerous(one_line(text), kept="", colour=False) == [], text


def test_every_control_character_is_shown_by_its_number() -> None:
    for char in (*CONTROLS, *REORDERING):
        shown = visible(f"a{char}b", colour=True)
        if char in "\n\t":
            assert shown == f"a{char}b"
        else:
            code = ord(char)
            assert shown == (f"a\\x{code:02x}b" if code < 0x100 else f"a\\u{code:04x}b")


@pytest.mark.parametrize("text", ["", "plain", "a\tb\nc", "日本語 🚀 שלום", "\\x1b[31m", "\ud800 lone", "é\u0301"])
def test_text_without_controls_is_left_alone(text: str) -> None:
    assert visible(text, colour=True) == text
    assert visible(text, colour=False) == text


@pytest.mark.parametrize(
    ("text", "coloured", "plain"),
    [
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;196mred\x1b[m", "\x1b[38;5;196mred\x1b[m", "red"),
        ("\x1b[38:2::255:0:0mred", "\x1b[38:2::255:0:0mred", "red"),
        ("\x1b[2Jgone", "\\x1b[2Jgone", "\\x1b[2Jgone"),
        ("\x1b[31", "\\x1b[31", "\\x1b[31"),
        ("\x1b[\x1b[0m31m", "\\x1b[\x1b[0m31m", "\\x1b[31m"),
        ("\x9b31mred", "\\x9b31mred", "\\x9b31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07", "\\x1b]0;title\\x07"),
        ("\x1b[?1049h", "\\x1b[?1049h", "\\x1b[?1049h"),
    ],
)
def test_of_all_sequences_only_colour_stays_and_only_where_it_is_wanted(text: str, coloured: str, plain: str) -> None:
    assert visible(text, colour=True) == coloured
    assert visible(text, colour=False) == plain


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  two\n lines\t and\r\n more ", "two lines and more"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("a\u202eb", "a\\u202eb"),
        ("a\u2028b\x85c\x1fd", "a b c d"),
        ("a\x00b", "a\\x00b"),
        ("a\ud800b\udfff", "a\\ud800b\\udfff"),
        ("", ""),
    ],
)
def test_one_line_folds_white_space_and_shows_the_rest(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_json_text_stays_the_same_value_when_it_is_made_visible() -> None:
    source = random.Random(9)  # noqa: S311  # a seed, no secret
    for _ in range(1000):
        value = {"message": hostile(source), "名前": [hostile(source)]}
        shown = json_visible(json.dumps(value, ensure_ascii=False))
        assert dangerous(shown, kept="", colour=False) == []
        assert json.loads(shown) == value
