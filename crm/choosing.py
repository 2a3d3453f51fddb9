"""What a person chose: a text against the choices of a question."""

import re
import unicodedata

from crm.brief_values import BriefQuestion

# Longer than this, a message is an answer, whatever it begins with.
LONGEST_COMMAND = 14  # words
# In more words than these, "one" is seldom the number.
LONGEST_NUMBER = 4
_WORD = re.compile(r"\w+")
_OUT_OF = re.compile(r"(?<![\w.,])(\d+) ?(?:/|out of|of|von|na|z) ?(\d+)(?!\w)")
NUMBERS = {
    word: str(number)
    for words in (
        "zero one two three four five six seven eight nine ten",
        "null eins zwei drei vier fünf sechs sieben acht neun zehn",
        "zero jeden dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć",
    )
    for number, word in enumerate(words.split())
}


def folded(text: str) -> str:
    """Lower case, one kind of apostrophe and space, no marks around: what the patterns are written for."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'").replace("`", "'")
    plain = re.sub(r"\s+", " ", plain).strip(" .!…\"„“”'()-–—,;:")
    return re.sub(r"([a-zäöüßąćęłńóśźż])[.!]+ ", r"\1, ", plain)


def chosen(text: str, question: BriefQuestion) -> str:
    """The choice a text names, in the guide's own spelling; "" when none or more than one."""
    words = folded(text)
    if question.kind == "scale" and len(words.split()) <= LONGEST_NUMBER:
        words = _WORD.sub(lambda word: NUMBERS.get(word[0], word[0]), words)
    exact = [choice for choice in question.choices if folded(choice) == words]
    if exact:
        return exact[0]
    out_of = _OUT_OF.findall(words) if question.kind == "scale" else []
    if out_of:  # "4 out of 5" names the 4; "4 out of 10" is on another scale
        last = folded(question.choices[-1]) if question.choices else ""
        named = [c for c in question.choices if (folded(c), last) == out_of[0]]
        return named[0] if named and len(out_of) == 1 and len(words.split()) <= LONGEST_COMMAND else ""
    inside = [
        c for c in question.choices if folded(c) and re.search(rf"(?<!\w){re.escape(folded(c))}(?!\w)", words)
    ]
    return inside[0] if len(inside) == 1 and len(words.split()) <= LONGEST_COMMAND else ""
