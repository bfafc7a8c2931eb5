"""The errors that people are meant to see, each with its exit code.

    Error                    it could not be done (exit 1)
    ├── Usage                wrong usage (exit 2)
    ├── NotFound             the server has no such object, group or stream
    ├── Forbidden            the caller may not do this
    ├── Unauthorized         the caller is not known: no, wrong or expired credentials
    ├── Invalid              the server refuses a parameter, such as a token that has expired
    ├── Conflict             the object has changed meanwhile, or is there already
    ├── Unavailable          it may work in a moment: no connection, 5xx, a stall, a page that is no page
    │   ├── Throttled        it works, slower
    │   └── Dropped          the connection ended before the answer was there
    └── Ended                a followed job ended other than Completed (exit 3 or 4)

Messages are lower case, without a full stop; they say what failed and with which names. `hint` says what to try.
"""

from __future__ import annotations


class Error(Exception):
    """Something that a user, a cluster or AWS can cause; cli.py prints it as `error: …` and exits."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Usage(Error):
    """A flag or an argument that can never work."""

    exit_code = 2


class NotFound(Error):
    """The server answered that there is no such thing."""


class Forbidden(Error):
    """The server knows the caller and refuses."""


class Unauthorized(Error):
    """The server does not accept the caller's credentials, or there are none."""


class Invalid(Error):
    """The server refuses a parameter of the request."""


class Conflict(Error):
    """The object has changed since it was read, or one of that name is there already."""


class Unavailable(Error):
    """No usable answer; the same request may succeed later."""


class Throttled(Unavailable):
    """Too many requests for this account; slow down."""


class Dropped(Unavailable):
    """The other side ended the connection in the middle of a request, which may or may not have been carried out."""


class Ended(Error):
    """A followed job Failed (3) or was Stopped (4); its reason is the message."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupted(BaseException):
    """A signal came to a command that has to clean up; once it has, the process ends as the signal would end it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
