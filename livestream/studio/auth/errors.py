"""What can be wrong with a request to the keeper.

LivestreamError
└── AuthError             the database cannot be used
    ├── TokenFieldError       an argument is nonsense; names the field
    ├── TokenNameTakenError   another token has that name
    └── NoTokenError          there is no such token
"""

from __future__ import annotations

from livestream.errors import LivestreamError


class AuthError(LivestreamError):
    """Tokens and sign-ins cannot be read or changed as asked; the message says why."""


class TokenFieldError(AuthError):
    """An argument cannot be used.

    Attributes:
        field: Its name.
        problem: What is wrong, and what is accepted.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class TokenNameTakenError(AuthError):
    """Another token has that name; the message says what to do."""


class NoTokenError(AuthError):
    """There is no token of that id or name."""
