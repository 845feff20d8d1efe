"""Errors say what happens next. Expected refusals (pool exhausted, bad range) are values (`core.model`), not errors."""


class TemporaryError(Exception):
    """The world may heal: try again later, with backoff."""


class RejectedError(Exception):
    """The input is wrong: say so, keep the last good state in force, wait for an edit."""


class FatalError(Exception):
    """This process cannot go on: one line to the log, exit status 1, let the kubelet restart it."""


class UsageError(Exception):
    """What was typed cannot be done: one line that names the argument, exit status 2."""
