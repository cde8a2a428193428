"""What a refusal of the engine means, as the exception that the engine raised."""

from piranha.errors import (
    Busy,
    ConfigConflict,
    ConfigUnavailable,
    ConfirmationPending,
    EditRefused,
    EngineUnavailable,
    NothingPending,
    NotPermitted,
    PiranhaError,
    UnsafePlan,
)
from piranha.messages import Refusal


def raised_for(refusal: Refusal) -> PiranhaError:
    """Return the exception that a refusal means."""
    match refusal.code:
        case "conflict":
            return ConfigConflict(refusal.part, refusal.current_text)
        case "edit_refused" | "not_found" | "bad_request":
            return EditRefused(refusal.part, refusal.keyword, refusal.message)
        case "unavailable":
            return ConfigUnavailable(refusal.message)
        case "unsafe":
            return UnsafePlan(refusal.message)
        case "busy":
            return Busy(refusal.message)
        case "confirmation_pending":
            return ConfirmationPending(refusal.message)
        case "nothing_pending":
            return NothingPending(refusal.message)
        case "not_permitted":
            return NotPermitted(refusal.message)
        case _:
            return EngineUnavailable(refusal.message)
