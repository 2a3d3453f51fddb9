"""Keeps a model to its own part: a reply ends where it begins to speak for the person."""

import re

# How models write the start of the person's next turn, always at the start of a line.
_PERSON_WORDS = ("user", "human", "respondent", "interviewee", "participant")
_PERSON_TOKENS = ("<|im_start|>", "<|im_end|>", "[inst]")
# How they label their own part; the label is left out and the words stay.
_SELF_WORDS = ("assistant", "interviewer", "ai")
_DECORATION = " \t>*_#"  # of Markdown, around a label
_PERSON_SPEAKS = re.compile(
    rf"^[{re.escape(_DECORATION)}]*(?:(?:{'|'.join(_PERSON_WORDS)})[*_]*[ \t]*:"
    rf"|{'|'.join(map(re.escape, _PERSON_TOKENS))})",
    re.IGNORECASE | re.MULTILINE,
)
_SELF_LABEL = re.compile(rf"\A[*_]*(?:{'|'.join(_SELF_WORDS)})[*_]*:[*_]*\s*", re.IGNORECASE)
_LONGEST_LABEL = 32  # characters of a line that may still turn out to begin with one
_SHOWN_BEFORE = "\0"  # stands for the part of the line that was shown already


class OwnVoice:
    """Passes text on piece by piece, holding back only a line start that may become a label."""

    def __init__(self) -> None:
        self.ended = False  # the person's part began: nothing more is passed on
        self.spoke = False  # anything was passed on
        self._held = ""
        self._in_line = False

    def take(self, text: str) -> str:
        """What may be shown now."""
        if self.ended:
            return ""
        if self._in_line and "\n" not in text:
            return text
        text = self._held + text
        if not self.spoke:
            text = text.lstrip()
            if _SELF_LABEL.fullmatch(text):
                self._held = text
                return ""
            text = _SELF_LABEL.sub("", text)
        shown = self._own_part(_SHOWN_BEFORE + text if self._in_line else text).removeprefix(_SHOWN_BEFORE)
        self.spoke = self.spoke or bool(shown)
        return shown

    def rest(self) -> str:
        """What was held back and is the model's own after all. Call it once, at the end."""
        rest = "" if self.ended else self._held.rstrip()
        if not self.spoke:
            rest = _SELF_LABEL.sub("", rest)
        self.spoke = self.spoke or bool(rest)
        return rest

    def _own_part(self, text: str) -> str:
        if person := _PERSON_SPEAKS.search(text):
            self.ended = True
            return text[: person.start()].rstrip()
        newline = text.rfind("\n") + 1
        shown = text[:newline].rstrip() if self._undecided(text[newline:]) else text
        self._held = text[len(shown) :]
        self._in_line = bool(shown) and not self._held
        return shown

    def _undecided(self, line: str) -> bool:
        """Whether more text could still make the line begin with a label."""
        start = line.lstrip(_DECORATION).casefold()
        words = _PERSON_WORDS if self.spoke else (*_PERSON_WORDS, *_SELF_WORDS)
        marks = (*(f"{word}{end}:" for word in words for end in ("", " ", "*", "**")), *_PERSON_TOKENS)
        return len(line) < _LONGEST_LABEL and any(mark.startswith(start) for mark in marks)
