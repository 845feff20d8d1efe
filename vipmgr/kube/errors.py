"""What the API server's refusals are called. All are temporary: a level-triggered caller looks again and retries."""

from __future__ import annotations

import msgspec

from vipmgr.errors import TemporaryError


class Status(msgspec.Struct, rename="camel"):
    """metav1.Status, as far as it is read."""

    reason: str = ""
    message: str = ""
    code: int = 0


class ApiError(TemporaryError):
    """The API server said no. `status` is the HTTP status (0: it was never reached), `reason` its StatusReason."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class NotFoundError(ApiError):
    """404."""


class ConflictError(ApiError):
    """409: somebody else wrote it first, or it exists already (reason AlreadyExists)."""


class GoneError(ApiError):
    """410: the resourceVersion or continue token is too old; list again."""


class ForbiddenError(ApiError):
    """401 or 403."""


class InvalidError(ApiError):
    """400 or 422: the object or request is wrong; the same again gives the same."""


class UnreachableError(ApiError):
    """No answer: refused, timed out, cut off."""


class FencedError(ApiError):
    """The write was not sent: this process no longer leads."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: InvalidError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
}


def api_error(status: int, body: bytes, where: str) -> ApiError:
    """The error for an answer; the body is a Status, or text from something in between."""
    try:
        said = msgspec.json.decode(body, type=Status)
    except msgspec.DecodeError:
        said = Status(message=body[:200].decode(errors="replace").strip())
    return _BY_STATUS.get(status, ApiError)(status, said.reason, f"{where}: {status} {said.message or said.reason}")
