"""What every test has: a clean environment."""

from tests.environment import clean_environment

__all__ = ["clean_environment"]
