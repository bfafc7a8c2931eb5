"""`make notes`: what CHANGELOG.md says of a version, for the release's page."""

from __future__ import annotations

import re
import sys

from release.project import CHECKOUT, Failure, version


def notes(wanted: str, changelog: str) -> str:
    """The version's section, without its heading; raises Failure if there is none, or nothing in it."""
    number = re.escape(version(wanted).removeprefix("v"))
    found = re.search(rf"^## \[?{number}\]?( [^\n]*)?\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    text = found[2].strip() if found else ""
    if not text:
        heading = f"## {wanted.removeprefix('v')}"
        raise Failure(
            f"CHANGELOG.md says nothing of {wanted}: a release's section begins with {heading!r} and its date"
        )
    return f"{text}\n"


def main() -> int:
    """Print them."""
    try:
        sys.stdout.write(notes(sys.argv[1], (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")))
    except (Failure, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
