"""Is there more to this answer than was said?"""

import re

from crm.brief_values import BriefQuestion

# Words under which an answer is thin; a guide's own follow-up is asked of fuller answers too.
THIN, THIN_FOR_OWN_PROBE = 12, 40
# Scripts without spaces: this many characters say about as much as one word.
CHARACTERS_A_WORD = 2
_NOTHING_TO_ADD = re.compile(
    r"\W*(?:(?:no|nope|none|nothing|never|not really|n/?a|nobody|nein|nichts|keine?[rs]?|nie|nic|żad\w+"
    r"|(?:i )?(?:do not|don't|dont) (?:know|have any|use any|have one)|no idea|not sure|weiß (?:ich )?nicht"
    r"|keine ahnung|nie wiem|as i said)\b[\s\w]{0,24}"
    r"|(?:(?:no|nope|nein|nie)[, ]+)?(?:that(?:'s| is) (?:it|all)|das (?:war's|ist alles)|to wszystko)"
    r"[\s\w,]{0,24})\W*",
    re.IGNORECASE,
)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")


def wants_probe(question: BriefQuestion, text: str, *, asked: int) -> bool:
    """A follow-up is worth asking. `asked` is how many were; the depth is the caller's to keep."""
    if question.kind == "date" or _NOTHING_TO_ADD.fullmatch(text.strip()):
        return False
    if question.kind in ("choice", "scale"):
        return asked == 0 and length_in_words(text) < THIN
    own_probe_left = asked < len(question.probes)
    return length_in_words(text) < (THIN_FOR_OWN_PROBE if own_probe_left else THIN)


def length_in_words(text: str) -> int:
    unspaced = len(_UNSPACED.findall(text))
    return len(_UNSPACED.sub(" ", text).split()) + unspaced // CHARACTERS_A_WORD
