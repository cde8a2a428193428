"""The few errors that somebody catches.

Faults of the person's configuration are values (`config.faults.Fault`), failures of the network are values too.
What stands here is raised where a request cannot go on, and each class exists because a caller treats it
differently.
"""


class PiranhaError(Exception):
    """Base of all errors that are shown to a person as one sentence, without a traceback."""


class ConfigSyntaxError(PiranhaError):
    """Strict reading stopped at the first fault, as the original daemons did.

    `code` is the original's error class (BADCOMMAND, EXTRAARGS, ...), `line` is 1-based (0: the whole file).
    """

    def __init__(self, code: str, line: int, column: int, sentence: str) -> None:
        super().__init__(f"line {line}, column {column}: {sentence} ({code})")
        self.code = code
        self.line = line
        self.column = column
        self.sentence = sentence


class EditRefused(PiranhaError):
    """An edit names a block that is not there, or a value that no spelling in lvs.cf can carry safely.

    `path` is the written path of the block ("" for the global scope), `keyword` the keyword or "" for the
    block itself.
    """

    def __init__(self, path: str, keyword: str, sentence: str) -> None:
        super().__init__(sentence)
        self.path = path
        self.keyword = keyword
        self.sentence = sentence


class ConfigConflict(PiranhaError):
    """The part of lvs.cf that an edit concerns was changed by somebody else meanwhile. Nothing was written.

    `part` is the written path, `current_text` the part's present text.
    """

    def __init__(self, part: str, current_text: str) -> None:
        super().__init__(f"{part or 'lvs.cf'} was changed by somebody else since it was read; nothing was written.")
        self.part = part
        self.current_text = current_text


class ConfigUnavailable(PiranhaError):
    """lvs.cf cannot be read or written: missing, no permission, disk full. The old file is untouched."""


class Busy(PiranhaError):
    """So much is done already that this has to be asked again later. Nothing was done."""


class UnsafePlan(PiranhaError):
    """The plan would take all traffic away, or the configuration has errors in an active block."""


class ConfirmationPending(UnsafePlan):
    """An Apply waits for its confirmation; until then nothing else is applied."""


class NothingPending(PiranhaError):
    """There is no Apply (any more) that could be confirmed or reverted."""


class StepRefused(PiranhaError):
    """The data path refused one step. It is logged, shown and tried again; the balancer goes on."""


class EngineUnavailable(PiranhaError):
    """Nobody answers on the engine's socket, or it answered nonsense."""


class NotPermitted(PiranhaError):
    """The caller is not allowed to do that."""
