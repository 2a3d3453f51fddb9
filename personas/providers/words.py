"""Words for comparing texts: lower-cased, stemmed a little, without those that say nothing."""

import re
import unicodedata

_WORD = re.compile(r"[^\W_]+")
# Han, kana and Hangul are written without spaces: pairs of characters stand for words.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_UNSPACED_EMPTY = re.compile("为什么|什么|怎么样|怎么|怎样|哪些|哪个|哪里|多少|他们|我们|你们|[谁吗呢的了是]")

# Words a question is built with. Also what every question to interviews says: people, said, think …
_EMPTY_WORDS = """
    s t d m ll re ve don doesn didn isn aren wasn weren won wouldn couldn shouldn hasn haven hadn
    a about above after again all also am an and any anybody anyone anything are as at be because been
    being between both but by can could did do does doing down during each either else ever every
    everybody everyone few for from further get gets getting give given go goes going got had has have
    having he her here hers him his how however i if in into is it its itself just kind let lot many may
    me might mine more most much must my neither no nor not now of off often on once one only or other
    our ours out over own per please quite rather really same shall she should so some somebody someone
    something sort still such than that the their theirs them then there these they thing things this
    those though through to too under until up upon us usually very was we were what whatever when where
    whether which while who whom whose why will with within without would yes yet you your yours answer
    answered answers ask asked asking ever interview interviewed interviewee interviewees interviews
    main mainly often long far big early soon late exactly frequently quickly mention mentioned mentions
    people person persons question questions report reported respondent respondents said say saying says
    share shared speak spoke state stated tell telling tells think thinks thought told talk talked der
    die das den dem des ein eine einen einem einer und oder aber ist sind war waren wird werden hat
    haben ich du er sie es wir ihr mein dein sein unser was wer wie wo wann warum welche welcher welches
    welchen mit von zu zum zur im in auf an für bei nicht auch noch nur sich man leute menschen personen
    sagen sagt gesagt i w z na do co kto jak gdzie kiedy dlaczego czy jest są był była było były być to
    ten ta te tego tej że się nie tak od po za dla przez o u ze jaki jaka jakie które który która ludzie
    osoby mówią powiedział من في على إلى عن ما ماذا هل كيف أين متى لماذا هذا هذه التي الذي أن كان
    """
_EMPTY = frozenset(_EMPTY_WORDS.split())
# Longest first. One ending is taken off, and only where a stem of three letters or more is left.
_ENDINGS = (
    "fulness", "ousness", "iveness", "ational", "ization", "isation", "nesses", "ations", "ingly",
    "ation", "ments", "ously", "fully", "iness", "ness", "ment", "ings", "edly", "able", "ible", "iest",
    "ies", "ied", "ier", "ing", "est", "ers", "ful", "ous", "ily", "ed", "er", "es", "ly", "en", "e",
    "s", "y",
)  # fmt: skip


def words_of(text: str) -> list[str]:
    """Every word, compatibility forms folded (ﬁ, full width) and accents kept."""
    words: list[str] = []
    folded = _UNSPACED_EMPTY.sub(" ", unicodedata.normalize("NFKC", text).casefold())
    for word in _WORD.findall(folded):
        if len(word) > 1 and _UNSPACED.search(word):
            words.extend(word[at : at + 2] for at in range(len(word) - 1))
        else:
            words.append(word)
    return words


def stem(word: str) -> str:
    """`slows`, `slowed`, `slowly` and `slow` are one; it need not be a real word."""
    if len(word) < 4 or not word.isalpha():
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    # stopp(ing) and stop, but not spell and spel
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word


def content_words(text: str) -> list[str]:
    """The stems of words that say something."""
    return [stem(word) for word in words_of(text) if word not in _EMPTY]
