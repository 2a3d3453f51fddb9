"""An answer without a model: the sentences of the sources that answer a question, quoted and cited.

Passages of interviews are pairs of question and answer ("Question: … Answer: …", "…?\\nAda answered: …").
The person's answer is quoted, never the question's text; but a question like the one asked makes its answer
fit, though they share no word ("Mostly Jira."). Every other text is read the same way: a sentence that asks
is the question of the statements after it.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from personas.providers.base import Source
from personas.providers.identifiers import identifiers_in, speaks_of_another
from personas.providers.words import content_words, stem, words_of

# Less than half of what a question is about (its words weighted by rarity) is no answer to it.
LEAST_COVERAGE = 0.5
NEAR_THE_BEST = 0.7
# An answer whose own words do not touch the question, where only the interviewer's question does.
ONLY_THE_QUESTION_FITS = 0.9
AROUND_WEIGHT = 0.5
MOST_QUOTES = 5
MOST_PER_SOURCE = 2
LONGEST_QUOTE = 400  # characters

_LABEL = re.compile(
    r"(?:^|(?<=\s))(?:(?P<asks>question|frage|pytanie|q|السؤال)|(?P<tells>answer|antwort|odpowiedź|a|الإجابة))\s*[:：]\s*",
    re.IGNORECASE,
)
# "Your tools: Which do you use?\nAda answered: Mostly Excel." is how interviews are remembered.
_TOLD = re.compile(
    r"\n(?P<who>[^\n:]{1,120}?)\s(?:answered|antwortete|odpowiedział\w*|odpowiada|أجاب\w*)\s*[:：]\s*",
    re.IGNORECASE,
)
_HEADING = re.compile(r"\s*(?:#+[ \t]+(?P<heading>[^\n]{1,120})\n)")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’»)\]]*\s+|(?<=[。！？؟])\s*|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:mr|mrs|ms|dr|prof|st|no|vs|etc|approx|inc|ltd|bzw|usw|ca|nr|np|tzn|itd)|\b[^\W\d_]\.[^\W\d_]|\b[A-Z])\.$",
    re.IGNORECASE,
)
_ASKS = re.compile(r"[?？؟][\"”’»)\]]*$")
_NOTHING_SAID = re.compile(
    r"^[\s(\[]*(?:skipped|no answer|not answered|refused|n/?a|[-–—]+)[\s)\].]*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence as it stands in the source with that number."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class _Statement:
    source: int  # its place in the list of sources
    position: int
    number: int
    text: str
    own: frozenset[str]
    asked: frozenset[str]  # the words of the question it answers
    around: frozenset[str]  # the words of the whole answer it is part of, and of the title
    opens: bool  # the first sentence of the answer


def best_quotes(question: str, sources: Sequence[Source]) -> list[Quote]:
    """The statements that answer the question, in reading order; none when nothing fits."""
    wanted = set(content_words(question))
    named = identifiers_in(question)
    statements = [
        one
        for place, source in enumerate(sources)
        for one in _statements(place, source)
        if not speaks_of_another(one.text, named)
    ]
    if not wanted or not statements:
        return []
    weights = _weights(wanted, sources)
    least = LEAST_COVERAGE * sum(weights.values()) * (2 if _names_a_stranger(question, sources) else 1)
    scored = [(_covered(one, weights), one) for one in statements]
    fitting = [(_rank(score, one, weights), one) for score, one in scored if score >= least]
    return [_quote(one) for one in _in_reading_order(fitting)]


def _weights(wanted: set[str], sources: Sequence[Source]) -> dict[str, float]:
    """How much each word of the question tells: one that no source has tells most, and none can give it."""
    found = Counter(
        word for source in sources for word in set(content_words(f"{source.title} {source.text}"))
    )
    return {word: math.log(1 + (len(sources) + 1) / (found[word] + 0.5)) for word in wanted}


def _names_a_stranger(question: str, sources: Sequence[Source]) -> bool:
    """Whether the question is about a name or a number that no source holds."""
    tokens = re.findall(r"[^\W_]+", question)[1:]
    if sum(token[0].isupper() for token in tokens) * 2 > len(tokens) > 2:
        return False  # written as a title, or in a language that writes nouns so
    known = {stem(word) for source in sources for word in words_of(f"{source.title} {source.text}")}
    names = [token for token in tokens if (token[0].isupper() and len(token) > 1) or token.isdecimal()]
    return any(stem(word) not in known for name in names for word in content_words(name))


def _covered(statement: _Statement, weights: dict[str, float]) -> float:
    """How much of the question is in the statement, in what it answers, and (less) in what is around it."""
    own = _told_by(statement.own, weights)
    asked = _told_by(statement.asked - statement.own, weights)
    # A later sentence that itself fits in nothing tells something else; the first begins the answer.
    if not own and not (asked and statement.opens):
        return 0.0
    around = statement.around - statement.own - statement.asked
    return own + asked + AROUND_WEIGHT * _told_by(around, weights)


def _rank(score: float, statement: _Statement, weights: dict[str, float]) -> float:
    return score if _told_by(statement.own, weights) else ONLY_THE_QUESTION_FITS * score


def _told_by(words: Iterable[str], weights: dict[str, float]) -> float:
    return sum(weights.get(word, 0.0) for word in words)


def _in_reading_order(fitting: list[tuple[float, _Statement]]) -> list[_Statement]:
    best = max((score for score, _ in fitting), default=0.0)
    chosen: list[_Statement] = []
    taken: Counter[int] = Counter()
    said: set[str] = set()
    for score, one in sorted(fitting, key=lambda pair: (-pair[0], pair[1].source, pair[1].position)):
        if score < NEAR_THE_BEST * best or len(chosen) == MOST_QUOTES:
            break
        if taken[one.source] < MOST_PER_SOURCE and one.text.casefold() not in said:
            chosen.append(one)
            taken[one.source] += 1
            said.add(one.text.casefold())
    return sorted(chosen, key=lambda one: (one.source, one.position))


def _quote(statement: _Statement) -> Quote:
    text = statement.text
    if len(text) > LONGEST_QUOTE:
        text = text[:LONGEST_QUOTE].rsplit(None, 1)[0].rstrip(",;:–—-") + "…"
    return Quote(number=statement.number, text=text)


def _statements(place: int, source: Source) -> list[_Statement]:
    title = frozenset(content_words(source.title))
    statements: list[_Statement] = []
    for question, answer in _pairs(source.text):
        sentences = [one for one in answer if not _NOTHING_SAID.match(one)]
        around = title.union(*(content_words(one) for one in sentences))
        asked = frozenset(content_words(question))
        for at, sentence in enumerate(sentences):
            own = frozenset(content_words(sentence))
            statements.append(
                _Statement(place, len(statements), source.number, sentence, own, asked, around, opens=at == 0)
            )
    return statements


def _pairs(text: str) -> list[tuple[str, list[str]]]:
    """Questions with the sentences of their answers; a text that asks nothing answers no question."""
    pairs: list[tuple[str, list[str]]] = [("", [])]
    asking = False
    for asks, part in _parts(text):
        for sentence in _sentences(part):
            if asks or (asks is None and _ASKS.search(sentence)):
                if asking:
                    pairs[-1] = (f"{pairs[-1][0]} {sentence}", [])
                else:
                    pairs.append((sentence, []))
                asking = True
            else:
                pairs[-1][1].append(sentence)
                asking = False
    return [(question, answer) for question, answer in pairs if answer]


def _parts(text: str) -> list[tuple[bool | None, str]]:
    """The text cut in what asks or heads (True), what tells (False), and what may be either (None)."""
    labels = list(_LABEL.finditer(text))
    if any(label["asks"] for label in labels):
        return _labelled(text, labels)
    if told := _TOLD.search(text):
        # Whose answer it is belongs to the question: "What did Ada say …?" is about it too.
        return [(True, f"{text[: told.start()]} {told['who']}"), (False, text[told.end() :])]
    if heading := _HEADING.match(text):
        return [(True, heading["heading"]), (None, text[heading.end() :])]
    return [(None, text)]


def _labelled(text: str, labels: Sequence[re.Match[str]]) -> list[tuple[bool | None, str]]:
    parts: list[tuple[bool | None, str]] = [(None, text[: labels[0].start()])]
    for label, following in zip(labels, [*labels[1:], None], strict=True):
        end = following.start() if following else len(text)
        parts.append((bool(label["asks"]), text[label.end() : end]))
    return parts


def _sentences(text: str) -> list[str]:
    sentences: list[str] = []
    start = 0
    for end in _SENTENCE_END.finditer(text):
        if "\n" not in end[0] and _ABBREVIATION.search(text[start : end.start()]):
            continue
        sentences.append(text[start : end.end()].strip())
        start = end.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if any(map(str.isalnum, sentence))]
