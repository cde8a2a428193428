"""What a page says when the request itself is at fault: in our words, with what to do."""

from http import HTTPStatus

from werkzeug.exceptions import HTTPException

from piranha.web.texts import _


def words_of(problem: HTTPException) -> tuple[str, str]:
    """Return the title and the sentence for a problem of HTTP; a sentence of our own stays."""
    code = problem.code or HTTPStatus.INTERNAL_SERVER_ERROR
    title, sentence = _words(code, problem.name)
    is_ours = problem.description is not None and problem.description != type(problem).description
    return title, str(problem.description) if is_ours else sentence


def _words(code: int, name: str) -> tuple[str, str]:
    match code:
        case HTTPStatus.BAD_REQUEST:
            return _("Not understood"), _("The request cannot be understood. Nothing was changed.")
        case HTTPStatus.FORBIDDEN:
            return _("Refused"), _("You may not do that. Nothing was changed.")
        case HTTPStatus.NOT_FOUND:
            return _("Not there"), _("There is no page at this address. Check how it is written.")
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return (
                _("Not like this"),
                _("This address is not used in this way, so nothing was changed. Go to the page and press its button."),
            )
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            sentence = _("What was sent is larger than a form may be. Nothing was changed. piranha adopt takes more.")
            return _("Too much"), sentence
        case _:
            return name, _("The request cannot be answered. Nothing was changed.")
