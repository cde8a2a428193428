"""What the network did to a check, in the words that follow "connect to 10.0.0.1:80" or "connection"."""

import errno


def words_of(error: OSError) -> str:
    """Return "refused", "reset", "timed out" or "failed: WHY"."""
    match error.errno:
        case errno.ECONNREFUSED:
            return "refused"
        case errno.ECONNRESET | errno.EPIPE:
            return "reset"
        case errno.ETIMEDOUT:
            return "timed out"
        case errno.EHOSTUNREACH | errno.ENETUNREACH:
            return "failed: no route to it"
        case _:
            return f"failed: {error.strerror or type(error).__name__}"
