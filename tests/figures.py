"""What tests counted, in lines at the end of a run."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Add up `followed` of every test: lines there were, lost, printed, and come after the drain; each `archive`."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    followed = [value for report in reports for name, value in report.user_properties if name == "followed"]
    if followed:
        there, lost, printed, late = map(sum, zip(*followed, strict=True))
        terminalreporter.write_line(
            f"{len(followed)} jobs followed: {there:,} lines, {printed:,} printed, {lost} lost, {late} came too late"
        )
    for name, value in (pair for report in reports for pair in report.user_properties):
        if name == "archive":
            terminalreporter.write_line(value)
