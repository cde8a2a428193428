"""A form is a view of the field table: which controls a panel has, what stands in them, what was changed.

Rule 1: no rule about a value stands here; a control asks its row of `config.fields`.
Rule 2: what was typed stays in the control, whatever happens.
Rule 3: a control that says what the file says changes nothing and is not judged: an old or odd value that a file holds
        survives every edit of something else. (The two words of an address with its device are one value.)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from piranha.config.field_types import Choice, Field, FieldType, Scope, ValueFault, name_fault
from piranha.config.fields import field
from piranha.web.interfaces import device_doubt
from piranha.web.texts import _, in_words

STAND_IN_ADDRESS = "192.0.2.1"
STAND_IN_DEVICE = "eth0:1"

NAME = "name"
"""The control that holds a block's name; no keyword is called so."""


class Kind(StrEnum):
    """How a value is asked for."""

    TEXT = "text"
    SELECT = "select"
    RADIO = "radio"
    CHECKBOX = "checkbox"


@dataclass(frozen=True, slots=True)
class Control:
    """One control. `word` picks one word of a two-word value (0: the address, 1: the device).

    `plain_choices` are those of a select list or of radio buttons; `plain_note` says what the field's own help does
    not. What begins with `plain` is as the table has it; pages show it in the reader's language, without that word.
    `field` None: the name of the block.
    """

    name: str
    plain_label: str
    field: Field | None
    kind: Kind = Kind.TEXT
    word: int | None = None
    width: int = 16
    plain_choices: tuple[Choice, ...] = ()
    plain_note: str = ""
    is_required: bool = False

    @property
    def keyword(self) -> str:
        """Return the keyword, or "" for the block's name."""
        return self.field.keyword if self.field is not None else ""

    @property
    def plain_help(self) -> str:
        """Return the help text of the table."""
        return self.field.help if self.field is not None else ""

    @property
    def label(self) -> str:
        """Return the label."""
        return in_words(self.plain_label)

    @property
    def help(self) -> str:
        """Return the help text."""
        return in_words(self.plain_help)

    @property
    def note(self) -> str:
        """Return what the help does not say."""
        return in_words(self.plain_note)

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Return what there is to choose from."""
        return tuple(replace(each, label=in_words(each.label), help=in_words(each.help)) for each in self.plain_choices)

    @property
    def tells_of_blank(self) -> bool:
        """Say whether the help says what it means to leave the field blank."""
        return "lank" in self.plain_help

    @property
    def if_blank(self) -> str:
        """Return what is in force where a text is left blank, "" if nothing in particular."""
        if self.field is None or self.kind is not Kind.TEXT or self.word is not None or self.is_required:
            return ""
        return self.field.default or ""

    @property
    def is_text_in_quotes(self) -> bool:
        """Say whether blanks around the text belong to it."""
        return self.field is not None and self.field.is_quoted

    @property
    def is_number(self) -> bool:
        """Say whether a numeric keyboard fits."""
        return self.field is not None and self.field.type is FieldType.INT and self.kind is Kind.TEXT


def control(
    scope: Scope,
    keyword: str,
    kind: Kind = Kind.TEXT,
    *,
    name: str = "",
    word: int | None = None,
    width: int = 16,
    choices: tuple[Choice, ...] = (),
    note: str = "",
    is_required: bool = False,
) -> Control:
    """Return the control of a keyword, with the label and the choices of its row unless others are given."""
    row = field(scope, keyword)
    if row is None:
        raise LookupError(f"no field {keyword} in scope {scope}")
    label = row.device_label if word == 1 else row.label
    return Control(
        name or keyword, label, row, kind, word, width, choices or row.choices, note, is_required=is_required
    )


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with what was typed into a control, and what to do."""

    control: Control
    message: str
    advice: str


class Form:
    """The controls of one panel with what the file says (`shown`) and what stands in them (`typed`)."""

    def __init__(self, controls: Sequence[Control], present: Mapping[str, str | None], name: str = "") -> None:
        self.controls = tuple(controls)
        self.present = dict(present)
        self.block_name = name
        self.shown = {each.name: self._shown(each) for each in self.controls}
        self.typed = dict(self.shown)
        self.troubles: list[Trouble] = []
        self.notes: list[str] = []

    def __getitem__(self, name: str) -> Control:
        return next(each for each in self.controls if each.name == name)

    def has(self, name: str) -> bool:
        """Say whether the form has this control."""
        return any(each.name == name for each in self.controls)

    def offer(self, proposed: Mapping[str, str]) -> None:
        """Put values into the controls that the file says nothing about."""
        for name, text in proposed.items():
            if self.has(name) and self.present.get(self[name].keyword) is None:
                self.typed[name] = text

    def fill(self, sent: Mapping[str, str]) -> None:
        """Take what was typed. A control that was not sent at all stays as the file says; a box is off then."""
        for each in self.controls:
            if each.kind is Kind.CHECKBOX:
                self.typed[each.name] = "1" if sent.get(each.name) else "0"
                continue
            text = sent.get(each.name)
            if text is not None:
                is_as_it_was = each.is_text_in_quotes or text == self.shown[each.name]
                self.typed[each.name] = text if is_as_it_was else text.strip(" \t")
        if self.has(NAME) and self.is_changed(NAME) and " " in self.typed[NAME]:
            self.typed[NAME] = self.typed[NAME].replace(" ", "_")
            self.notes.append(_("Blanks in the name became _: it is %(name)s now.", name=self.typed[NAME]))

    def is_changed(self, name: str) -> bool:
        """Say whether a control holds something else than the file."""
        return self.typed[name] != self.shown[name]

    def refuse(self, name: str, message: str, advice: str = "") -> None:
        """Note that what was typed into a control cannot be saved."""
        self.troubles.append(Trouble(self[name], message, advice))

    def refuse_keyword(self, keyword: str, message: str) -> bool:
        """Note a refusal of the engine at the control of a keyword. Returns False if the form has none."""
        for each in self.controls:
            if each.keyword == keyword and (keyword or each.name == NAME):
                self.refuse(each.name, message)
                return True
        return False

    def troubles_of(self, name: str) -> list[Trouble]:
        """Return what is wrong at a control."""
        return [trouble for trouble in self.troubles if trouble.control.name == name]

    def doubt_of(self, name: str) -> str:
        """Return what is odd about a control whose text can be saved, "" if nothing: a device that is not here."""
        # The device of the NAT router is not used with another type.
        is_unused = self.has("network") and self.typed["network"] not in ("", "nat")
        if self[name].word != 1 or is_unused or self.troubles_of(name):
            return ""
        return device_doubt(self.typed[name])

    def doubts(self) -> list[str]:
        """Return what is odd about the texts, for a page that does not show the form."""
        return [doubt for each in self.controls if (doubt := self.doubt_of(each.name))]

    def changes(self) -> dict[str, str | None]:
        """Return the changed keywords with their new texts, None for those that go. Notes every fault on the way."""
        changed: dict[str, str | None] = {}
        self._read_name()  # it is the first control, so its fault is the first
        for keyword in dict.fromkeys(each.keyword for each in self.controls if each.keyword):
            parts = [each for each in self.controls if each.keyword == keyword]
            if not any(self.is_changed(each.name) for each in parts):
                for each in parts:
                    if each.is_required and not self.typed[each.name]:
                        self._missing(each)
                continue
            if len(parts) > 1:
                self._read_two_words(parts, changed)
            else:
                self._read_one(parts[0], changed)
        return changed

    def _read_one(self, each: Control, changed: dict[str, str | None]) -> None:
        assert each.field is not None
        text = self.typed[each.name]
        if text == "":
            if each.is_required:
                self._missing(each)
            changed[each.keyword] = None
            return
        fault = self._fault(each.field, text)
        if fault is not None:
            self.refuse(each.name, fault.message, fault.advice)
            return
        changed[each.keyword] = text

    def _read_two_words(self, parts: Sequence[Control], changed: dict[str, str | None]) -> None:
        first, second = parts
        assert first.field is not None
        texts = [self.typed[each.name] for each in parts]
        if texts == ["", ""] and not first.is_required:
            changed[first.keyword] = None
            return
        count = len(self.troubles)
        for each, text, other in ((first, texts[0], second), (second, texts[1], first)):
            if text == "":
                self._missing(each, other)
            elif any(char.isspace() for char in text):
                self.refuse(each.name, _("There is a blank or a line break in it."), _("Write one word."))
            else:
                # Each word is judged beside a stand-in for the other, so that its faults are told at its control.
                whole = f"{text} {STAND_IN_DEVICE}" if each is first else f"{STAND_IN_ADDRESS} {text}"
                fault = self._fault(first.field, whole)
                if fault is not None:
                    self.refuse(each.name, fault.message, fault.advice)
        if len(self.troubles) == count:
            changed[first.keyword] = " ".join(texts)

    def _fault(self, row: Field, text: str) -> ValueFault | None:
        read = row.read_typed(text, self.present.get(row.keyword))
        return read if isinstance(read, ValueFault) else None

    def _missing(self, each: Control, other: Control | None = None) -> None:
        if other is None or each.is_required:
            self.refuse(each.name, _("A value is missing."), _("This field is required."))
        else:
            told = _("Fill this field too, or empty %(other)s.", other=other.label)
            self.refuse(each.name, _("A value is missing."), told)

    def _read_name(self) -> None:
        # A new block's blank name is unchanged, and is told at its control all the same.
        if not self.has(NAME) or (self.typed[NAME] and not self.is_changed(NAME)):
            return
        fault = name_fault(self.typed[NAME])
        if fault is not None:
            self.refuse(NAME, fault.message, fault.advice)

    def _shown(self, each: Control) -> str:
        if each.field is None:
            return self.block_name
        text = self.present.get(each.keyword)
        if each.word is not None:
            words = (text or "").split(" ", 1)
            return words[each.word].strip() if len(words) > each.word else ""
        if each.kind is Kind.CHECKBOX:
            read = each.field.read(text if text is not None else each.field.default or "0")
            return "1" if read is not None and not isinstance(read, ValueFault) and read != 0 else "0"
        if text is None and each.kind in (Kind.SELECT, Kind.RADIO):
            return self._chosen_by_default(each)
        return text or ""

    @staticmethod
    def _chosen_by_default(each: Control) -> str:
        assert each.field is not None
        default = each.field.default or ""
        return default if any(choice.value == default for choice in each.plain_choices) else ""

    def choices_of(self, name: str) -> tuple[Choice, ...]:
        """Return what a list offers: its choices, and whatever else stands in the file or was typed."""
        each = self[name]
        offered = each.choices
        for text in (self.shown[name], self.typed[name]):
            if all(choice.value != text for choice in offered):
                offered = (*offered, Choice(text, self._label_of_stranger(text, self.shown[name])))
        return offered

    @staticmethod
    def _label_of_stranger(text: str, shown: str) -> str:
        if text == "":
            return _("not set")
        if text == "0.0.0.0":
            return _("Unused (0.0.0.0)")
        return _("%(value)s (as in lvs.cf)", value=text) if text == shown else text

    def differences(self) -> list[tuple[Control, str, str]]:
        """Return control, what the file says now, and what was typed, where the two differ."""
        return [
            (each, self.worded(each.name, self.shown[each.name]), self.worded(each.name, self.typed[each.name]))
            for each in self.controls
            if self.is_changed(each.name)
        ]

    def worded(self, name: str, text: str) -> str:
        """Return a control's text as a person reads it: yes and no for a box, the label of a choice."""
        each = self[name]
        if each.kind is Kind.CHECKBOX:
            return _("yes") if text == "1" else _("no")
        for choice in each.choices:
            if choice.value == text:
                return choice.label
        return text
