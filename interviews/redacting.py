"""Personal data in a text, replaced by marks like "[name]". Pure: the same text gives the same text.

Every pattern begins where a run of its characters begins, or has a bound, so that time grows with the
text and not with its square.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count

import phonenumbers
from phonenumbers import Leniency, PhoneNumberMatcher

from interviews.redacting_words import IBAN_LENGTHS, NO_NAMES, ORDINARY_WORDS, REGIONS

NAME, EMAIL, PHONE, LINK, NUMBER = "[name]", "[email]", "[phone]", "[link]", "[number]"
MARK = re.compile(r"(\[(?:name|email|phone|link|number)\])")
NAMES_IN_A_ROW = re.compile(r"\[name\](?:[\s-]{0,3}\[name\])+")

_SPACE = " \u00a0\u202f"
# With the marks that Python's \w lacks.
_LETTERS = r"[\w\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0e7f]"
_PIECE = re.compile(rf"{_LETTERS}+")
_POSSESSIVE = rf"['’][sS](?!{_LETTERS})"
_WORD = re.compile(rf"{_LETTERS}+(?:(?!{_POSSESSIVE})['’‑-]{_LETTERS}+)*")
# Written without spaces, so that a name there is no word of its own.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]{2,}")
_TRANSCRIBED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa"})
_UNMARKED = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i"})
_LONGEST_WORD = 80  # characters; no longer one is a name

_LINK_OR_EMAIL = re.compile(
    r"(?P<link>(?:(?<!\w)(?:https?|ftp)://|(?<![\w.@-])www\.)[^\s<>\"]+"
    # Without a scheme it is a link when a path follows: else every "Booking.com" were one.
    r"|(?<![\w.@-])[\w-]++(?:\.[\w-]++)++(?<=[^\W\d_]{2})(?::\d{1,5})?/[^\s<>\"]+)"
    r"|(?<![\w.+%'-])[\w.+%'-]++[@＠][\w-]++(?:\.[\w-]++)++",
    re.IGNORECASE,
)
_AFTER_A_LINK = ".,;:!?)]}'’”»…"

_IBAN = re.compile(rf"(?<!\w)[A-Za-z]{{2}}[0-9]{{2}}(?:[{_SPACE}-]?[A-Za-z0-9]){{11,30}}")
_CARD = re.compile(
    rf"(?<!\d)(?:\d{{4}}(?:[{_SPACE}.-]\d{{4}}){{3}}(?:[{_SPACE}.-]\d{{3}})?"
    rf"|3\d{{3}}[{_SPACE}.-]\d{{6}}[{_SPACE}.-]\d{{4,5}})(?!\d)"
)
_LONG_RUN = re.compile(r"(?<!\d)(?<!\d[.,])\d{9,}")

_GAP = rf"[{_SPACE}().\-–‑/]{{0,3}}"
_MAYBE_PHONE = re.compile(rf"[+＋(]{{0,2}}\d[\d{_SPACE}().\-–‑/]{{5,40}}")
_FEWEST_DIGITS = 7
MOST_ASKED = 200  # texts that look like a phone number, per text, of which phonenumbers is asked
_TIME_FOLLOWS = 6  # characters after it, by which phonenumbers tells a date with its time


class Redactor:
    """Replaces what is known of one person, and what looks like an address or number of anybody.

    `language` is a tag like "de-AT": with the person's own numbers it says of which countries a phone
    number without a country code may be.
    """

    def __init__(
        self,
        *,
        names: Iterable[str] = (),
        emails: Iterable[str] = (),
        phones: Sequence[str] = (),
        language: str = "",
    ) -> None:
        whole = [name.strip() for name in names if name.strip() and "@" not in name]
        self._names = {key: any_case for name in whole for key, any_case in _keys_of(name)}
        self._whole_names = _any_of(map(_whole_name, whole))
        self._unspaced = _any_of(chain.from_iterable(map(_UNSPACED.findall, whole)))
        self._emails = _any_of(rf"(?<![\w.+-]){re.escape(email)}(?![\w-])" for email in emails if email)
        self._phones = _any_of(filter(None, map(_phone_pattern, phones)))
        self._regions = _regions(phones, language)

    def redact(self, text: str) -> str:
        for step in (self._addresses, _accounts, self._numbers, self._people):
            text = step(text)
        return text

    def _addresses(self, text: str) -> str:
        return _LINK_OR_EMAIL.sub(_link_or_email, self._emails.sub(EMAIL, text))

    def _numbers(self, text: str) -> str:
        asked = count(1)

        def mark(match: re.Match[str]) -> str:
            if sum(map(str.isdigit, match.group())) < _FEWEST_DIGITS:
                return match.group()
            if next(asked) > MOST_ASKED:  # no prose has so many: what looks like a number is one
                return NUMBER + match.group()[len(match.group().rstrip()) :]
            return _with_phones_marked(match, self._regions)

        return _LONG_RUN.sub(NUMBER, _MAYBE_PHONE.sub(mark, self._phones.sub(PHONE, text)))

    def _people(self, text: str) -> str:
        """A mark is no word: somebody may be called Link."""
        pieces = MARK.split(text)
        pieces[::2] = [self._names_in(piece) for piece in pieces[::2]]
        return NAMES_IN_A_ROW.sub(NAME, "".join(pieces))

    def _names_in(self, text: str) -> str:
        pieces = MARK.split(self._unspaced.sub(NAME, self._whole_names.sub(NAME, text)))
        pieces[::2] = [_WORD.sub(self._word, piece) for piece in pieces[::2]]
        return "".join(pieces)

    def _word(self, match: re.Match[str]) -> str:
        """The word, or the parts of one that a hyphen or apostrophe joins."""
        word = match.group()
        return NAME if self._is_name(word) else _PIECE.sub(self._part, word)

    def _part(self, match: re.Match[str]) -> str:
        return NAME if self._is_name(match.group()) else match.group()

    def _is_name(self, word: str) -> bool:
        if len(word) > _LONGEST_WORD:
            return False
        any_case = self._names.get(_key(word))
        return any_case is not None and (any_case or not word[0].islower())


# --- Names ----------------------------------------------------------------------------------


def _keys_of(name: str) -> Iterator[tuple[str, bool]]:
    """Each part of a name as it is looked up, and whether it is a name also in small letters."""
    parts = {found for word in _WORD.findall(name) for found in (word, *_PIECE.findall(word))}
    for part in parts:
        for key in _spellings(part):
            if len(key) > 1 and not key.isdigit() and key not in NO_NAMES:
                yield key, len(key) > 2 and _ORDINARY.isdisjoint(_spellings(part))


def _spellings(word: str) -> set[str]:
    """Müller is also written Muller and Mueller."""
    return {_key(word), _key(unicodedata.normalize("NFC", word).lower().translate(_TRANSCRIBED))}


def _key(word: str) -> str:
    """Without case and accents, and with one apostrophe and hyphen."""
    if word.isascii():
        return word.lower()
    plain = unicodedata.normalize("NFKD", word.casefold().replace("’", "'").replace("‑", "-"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).translate(_UNMARKED)


_ORDINARY = frozenset(chain.from_iterable(map(_spellings, ORDINARY_WORDS)))


def _whole_name(name: str) -> str:
    """With its "van" and "de", where they stand between the other parts. A single part has its own rules."""
    words = name.split()
    if len(words) < 2:
        return ""
    spaced = r"\s{1,3}".join(map(re.escape, words))
    return rf"(?<!\w){spaced}(?!\w)"


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Any of these, in any case; nothing at all where there are none."""
    return re.compile("|".join(filter(None, patterns)) or r"(?!)", re.IGNORECASE)


# --- Addresses and account numbers ----------------------------------------------------------


def _link_or_email(match: re.Match[str]) -> str:
    link = match["link"]
    if link is None:
        return EMAIL
    return LINK + link[len(link.rstrip(_AFTER_A_LINK)) :]


def _accounts(text: str) -> str:
    return _CARD.sub(_card, _marked(text, _IBAN, _end_of_iban))


def _marked(text: str, pattern: re.Pattern[str], end_of: Callable[[re.Match[str]], int]) -> str:
    """Each match replaced up to its end as `end_of` finds it; 0 says that it is none."""
    pieces, done, at = [], 0, 0
    while match := pattern.search(text, at):
        end = end_of(match)
        if end:
            pieces += [text[done : match.start()], NUMBER]
            done = end
        at = end or match.start() + 1
    return "".join([*pieces, text[done:]])


def _end_of_iban(match: re.Match[str]) -> int:
    """The words after it may look like more of it: its country says how long it is (ISO 13616)."""
    length = IBAN_LENGTHS.get(match.group()[:2].upper(), 0)
    places = [place for place in range(*match.span()) if match.string[place].isalnum()][:length]
    if not length or len(places) < length or match.string[places[-1] + 1 :][:1].isalnum():
        return 0
    letters = "".join(match.string[place] for place in places)
    checked = int("".join(str(int(letter, 36)) for letter in letters[4:] + letters[:4]))
    return places[-1] + 1 if checked % 97 == 1 else 0


def _card(match: re.Match[str]) -> str:
    digits = [int(letter) for letter in match.group() if letter.isdigit()]
    # Three more may be a card's own digits, or the security code written behind it.
    is_card = _passes_luhn(digits) or (len(digits) == 19 and _passes_luhn(digits[:16]))
    return NUMBER if is_card else match.group()


def _passes_luhn(digits: Sequence[int]) -> bool:
    """ISO/IEC 7812-1, annex B."""
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return any(digits) and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


# --- Phone numbers --------------------------------------------------------------------------


def _phone_pattern(phone: str) -> str:
    """The person's own number (E.164) as people write it, with or without country code."""
    try:
        number = phonenumbers.parse(phone)
    except phonenumbers.NumberParseException:
        return ""
    own = phonenumbers.national_significant_number(number)
    if len(own) < _FEWEST_DIGITS - 1:
        return ""
    abroad = rf"(?:(?:[+＋]|00){_GAP}{number.country_code}{_GAP})?"
    return rf"(?<!\d)\(?{abroad}(?:0{_GAP})?{_GAP.join(own)}(?!\d)"


def _regions(phones: Sequence[str], language: str) -> tuple[str, ...]:
    """Countries whose numbers may stand without a country code; "" for none, so that "+…" is found."""
    main, _dash, region = language.upper().partition("-")
    found = [region, *map(_region_of, phones), *REGIONS.get(main.lower(), (main,))]
    known = [one for one in found if one in phonenumbers.SUPPORTED_REGIONS]
    return tuple(dict.fromkeys(known)) or ("",)


def _region_of(phone: str) -> str:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone)) or ""
    except phonenumbers.NumberParseException:
        return ""


def _with_phones_marked(match: re.Match[str], regions: tuple[str, ...]) -> str:
    """The match with each valid phone number in it marked; what stands around it tells dates from numbers."""
    before = max(0, match.start() - 1)
    seen = match.string[before : match.end() + _TIME_FOLLOWS]
    pieces, done = [], match.start()
    for start, end in sorted(_spans(seen, regions)):
        start, end = before + start, min(before + end, match.end())
        if done <= start < end:
            pieces += [match.string[done:start], PHONE]
            done = end
    return "".join([*pieces, match.string[done : match.end()]])


def _spans(text: str, regions: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    for region in regions:
        for found in PhoneNumberMatcher(text, region or None, leniency=Leniency.VALID, max_tries=4):
            yield found.start, found.end
