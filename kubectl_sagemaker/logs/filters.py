"""Which events people asked to see, by their text."""

from __future__ import annotations

import re
from typing import NamedTuple

from kubectl_sagemaker.logs.events import Page


class Filter(NamedTuple):
    """An event is kept if its message matches any of `include` (or there is none) and none of `exclude`."""

    include: tuple[re.Pattern[str], ...] = ()
    exclude: tuple[re.Pattern[str], ...] = ()

    def kept(self, page: Page) -> Page:
        """The page's events that are to be seen."""
        if not self.include and not self.exclude:
            return page
        return [event for event in page if self._keeps(event["message"])]

    def _keeps(self, message: str) -> bool:
        if self.include and not any(pattern.search(message) for pattern in self.include):
            return False
        return not any(pattern.search(message) for pattern in self.exclude)
