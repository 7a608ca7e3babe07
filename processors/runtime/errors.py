"""The three kinds of error that are part of normal life; anything else is a bug and crashes loudly."""


class BadRecord(ValueError):
    """The data is wrong: it goes to the dead-letter topic with this reason, and the others go on."""


class Unavailable(ConnectionError):
    """A neighbour is down: retry a bounded number of times, then exit without committing."""


class UserError(RuntimeError):
    """Something a person must mend. The message says what is wrong, where, and what to do next."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
