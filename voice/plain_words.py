"""Words as a recogniser wrote them, made plain: one spelling for a number, a mark where a clause ends.

Pure. In a plain text words are parted by single spaces, `|` ends a clause, `?` ends a question, `#3` is
"third" and `10` is "ten". No mark of ours can come from outside.
"""

import re
import unicodedata

from voice.phrases import Phrases

READ_CHARACTERS = 400  # a turn on the phone; what a person wants shows early
_TENS = frozenset({"20", "30", "40", "50"})


def plain(heard: str, phrases: Phrases) -> str:
    text = unicodedata.normalize("NFKC", heard[:READ_CHARACTERS]).casefold()
    text = re.sub(r"[’‘`´]", "'", re.sub(r"[#|@=~^<>_]", " ", text))
    endings = "|".join(phrases.raw["calendar"]["ordinal_endings"])
    text = re.sub(rf"(?<!\d)(\d{{1,2}})(?:{endings})(?!\w)", r"#\1", text)
    text = re.sub(r"(?<=\d)(?=[^\W\d])", " ", text)  # 11am
    for written, meant in phrases.raw["spelling"].items():
        text = re.sub(rf"(?<!\w){re.escape(written)}(?!\w)", meant, text)
    text = re.sub(r"(?<=\d)[.](?=\d\d(?!\d))", ":", text)  # 10.30
    text = re.sub(r"[.,;!…]+|:(?!\d)|[—–]", " | ", text).replace("?", " ? ")
    text = " ".join(re.sub(r"[^\w'#:|?]", " ", text).split())
    text = phrases.idioms.sub(lambda match: phrases.raw["idioms"][match.group()], text)
    return " ".join(_with_numbers(text.split(), phrases))


def _with_numbers(words: list[str], phrases: Phrases) -> list[str]:
    """Words as figures: "twenty five" is 25, "twenty fifth" is #25, "ten thirty" stays two numbers."""
    numbers, ordinals = phrases.raw["numbers"], phrases.raw["ordinals"]
    one = phrases.raw["calendar"]["one"]
    found: list[str] = []
    for word in words:
        after_tens = bool(found) and found[-1] in _TENS
        value = 1 if after_tens and word == one else numbers.get(word)
        rank = ordinals.get(word)
        if after_tens and 0 < (value or rank or 0) < 10:
            tens = int(found.pop())
            found.append(f"#{tens + rank}" if rank else str(tens + (value or 0)))
        elif rank is not None:
            found.append(f"#{rank}")
        else:
            found.append(word if value is None else str(value))
    return found
