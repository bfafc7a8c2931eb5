"""Hostile text made safe to show: from logs, clusters and AWS."""

from __future__ import annotations

import re
from typing import Final

# C0 (tab and newline are decided by the caller), DEL, C1, and the bidirectional controls that reorder what is shown.
# On one line also lone surrogates: stdout would escape them, and make the line longer than was reckoned.
CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
CONTROL_IN_LINE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")


def escaped(match: re.Match[str]) -> str:
    """`\\x1b`, `\\u202e`: one control character as people read it."""
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def one_line(text: str) -> str:
    """`text` on one line: white space folded, every other control character made visible."""
    return CONTROL.sub(escaped, " ".join(text.split()))


SIGNS: Final = str.maketrans("▸✗✓×━…→–", ">xv*=~>-")
"""Our own signs, and what stands for each on a terminal that has none of them: as wide, and one character."""


def unencodable(error: UnicodeError) -> tuple[str, int]:
    """An error handler of codecs: our signs as ASCII, what else can't be encoded as `\\u05d0`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(SIGNS)
    return text.encode("ascii", "backslashreplace").decode("ascii"), error.end


def phrase(text: str) -> str:
    """Somebody else's sentence as our messages go on: on one line, small letter first, no full stop."""
    words = one_line(text).removesuffix(".")
    # An acronym or a name in capitals (`SSL validation failed`) keeps them.
    return words if words[1:2].isupper() else f"{words[:1].lower()}{words[1:]}"


def visible(text: str, *, colour: bool) -> str:
    """`text` with its control characters made visible, save tab, newline and, with `colour`, colour sequences."""
    if not CONTROL_IN_LINE.search(text):
        return text
    pieces = []
    position = 0
    for match in COLOUR.finditer(text):
        pieces.append(CONTROL_IN_LINE.sub(escaped, text[position : match.start()]))
        if colour:
            pieces.append(match[0])
        position = match.end()
    pieces.append(CONTROL_IN_LINE.sub(escaped, text[position:]))
    return "".join(pieces)


def json_visible(document: str) -> str:
    """A JSON text with the control characters that JSON lets through (DEL, C1, bidirectional) as its own escapes."""
    return CONTROL_IN_LINE.sub(lambda match: f"\\u{ord(match[0]):04x}", document)
