"""What every test has: a clean environment; and what a run says in the end."""

from tests.environment import clean_environment, pytest_report_header
from tests.figures import pytest_terminal_summary

__all__ = ["clean_environment", "pytest_report_header", "pytest_terminal_summary"]
