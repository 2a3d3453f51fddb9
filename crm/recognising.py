"""What a person's message does in an interview: recognised by rule, with how sure the rule is.

A rule is a pattern over the whole, folded text. People answer in the words that also command
("I stopped using Excel", "skip the queue"), so a command must be (nearly) all that was said, or be
addressed to the interview itself. What a model would recognise is asked elsewhere (crm/replies.py).
"""

# ruff: noqa: E501  a pattern that is broken over lines is harder to read

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from crm.brief_values import Brief, BriefQuestion
from crm.choosing import LONGEST_COMMAND, chosen, folded

SURE, LIKELY, UNSURE = 0.95, 0.75, 0.5


@dataclass(frozen=True, slots=True)
class Recognition:
    """`act`: answer, skip, refuse, stop, maybe_stop, go_on, back, correct, repeat, ask, unclear.

    `question_key` is the question it belongs to: the current one, or the one that is corrected.
    """

    act: str
    confidence: float
    question_key: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    act: str
    confidence: float
    pattern: re.Pattern[str]


def _rule(act: str, confidence: float, *patterns: str) -> Rule:
    return Rule(act, confidence, re.compile("|".join(f"(?:{pattern})" for pattern in patterns)))


PLEASE = r"(?:please|ok(?:ay)?|sorry|well|hey|hi|no|thanks|thank you|um+|and|so|now|then)?[, ]*"
END = r"(?:[, ]*(?:please|thanks|thank you|now|here|for now|for today|today|then|ok(?:ay)?|bye|goodbye))*"
TALK = r"(?:the |this |our )?(?:interview|conversation|chat|talk|survey|session|questions|questionnaire)"
WANT = (
    r"(?:(?:i|we)(?:'d| would)? (?:like|want|wish|prefer|need|have|rather)(?: to)?|i'd rather|can (?:we|i|you)|could (?:we|i|you)"
    r"|may (?:we|i)|let's|let us|i'm going to|i wanna|please)"
)

STOP = _rule(
    "stop",
    SURE,
    rf"{PLEASE}{WANT} (?:just )?(?:stop|quit|end|finish)(?: (?:here|it(?: here)?|now|this|there|{TALK}))?{END}",
    rf"{PLEASE}{WANT} (?:stop|quit|end|finish|leave|exit|cancel) {TALK}{END}",
    rf"{PLEASE}(?:stop|quit|exit|end|cancel|finish)(?: (?:here|it|now|this|{TALK}))?{END}",
    rf"{PLEASE}(?:that's|that is|this is) (?:enough|all)(?: for (?:now|today|me))?[, ]+(?:good)?bye{END}",
    rf"{PLEASE}(?:i )?(?:don't|do not) want to (?:continue|go on|do this|talk|answer)(?: any ?more| any longer)?{END}",
    rf"{PLEASE}no more questions{END}",
    rf"{PLEASE}i (?:no longer (?:want|wish)|(?:don't|do not) (?:want|wish)) to (?:take part|participate|be interviewed)(?: any ?more| in this)?{END}",
    rf"{PLEASE}i (?:withdraw|revoke|take back) my consent{END}",
    r"(?:bitte )?ich (?:will|möchte) nicht (?:mehr )?(?:mitmachen|teilnehmen|weitermachen)|ich widerrufe(?: meine (?:einwilligung|zustimmung))?",
    r"(?:już )?nie chcę (?:już )?(?:brać udziału|kontynuować|odpowiadać na dalsze pytania)|wycofuję(?: swoją)? zgodę",
    rf"{PLEASE}(?:i(?:'m| am) done|i(?:'m| am) finished) with (?:this|{TALK}){END}",
    rf"{PLEASE}(?:good)?bye{END}",
    r"(?:bitte )?(?:ich (?:möchte|will|würde gerne?) )?(?:jetzt |hier )?(?:das (?:interview|gespräch) )?"
    r"(?:aufhören|abbrechen|beenden)(?: bitte)?",
    r"(?:bitte )?(?:hören wir|lass uns|lassen sie uns|können wir)(?: bitte)?(?: jetzt| hier)?(?: auf| aufhören)(?: bitte)?",
    r"stopp?(?: bitte)?|schluss(?: jetzt)?|das reicht[, ]+(?:danke|tschüss|auf wiedersehen)",
    r"(?:proszę )?(?:chcę|chciał[ao]?bym|chcialbym|możemy|wolę)(?: już| tu| teraz)? (?:skończyć|zakończyć|przerwać)"
    r"(?: (?:wywiad|rozmowę|tutaj|tu|teraz))?(?: proszę)?",
    r"(?:stop|koniec|wystarczy|dość)(?:[, ]+(?:proszę|dziękuję|do widzenia))*",
)
MAYBE_STOP = _rule(
    "maybe_stop",
    UNSURE,
    rf"{PLEASE}(?:i(?:'m| am) (?:done|finished|out)|(?:that's|that is|that'll be) (?:enough|all|it))"
    rf"(?: for (?:now|today|me))?{END}",
    rf"{PLEASE}(?:i )?(?:have|need|got|must|should|gotta) (?:to )?(?:go|leave|run)(?: now)?{END}",
    rf"{PLEASE}(?:i )?(?:don't|do not) have (?:any ?more )?time(?: for this)?{END}",
    rf"{PLEASE}(?:can|could) we (?:do|continue) this (?:later|another time|tomorrow){END}",
    rf"{PLEASE}(?:i quit|leave me alone|enough(?: already)?|no more|i (?:don't|do not) want (?:this|to)(?: any ?more| any longer)){END}",
    r"(?:das reicht|das war's|ich muss (?:los|gehen|weg)|ich (?:will|mag|kann) nicht mehr|keine lust mehr)(?: jetzt)?",
    r"(?:muszę (?:iść|kończyć)|to wszystko|(?:już )?nie chcę (?:już )?(?:dalej|więcej))(?: już)?",
)
# To the last question this is an answer: nothing is left that could be stopped.
ALL_SAID = re.compile(
    rf"{PLEASE}(?:i(?:'m| am) (?:done|finished)|(?:that's|that is|that'll be) (?:enough|all|it))"
    rf"(?: for (?:now|today|me))?{END}|(?:nein[, ]+)?(?:das reicht|das war's|das ist alles)|(?:nie[, ]+)?to wszystko"
)
SKIP = _rule(
    "skip",
    SURE,
    rf"{PLEASE}(?:skip|pass|next)(?: (?:it|this|that|one|this one|that one|question|the question|this question))?{END}",
    rf"{PLEASE}{WANT} (?:skip|pass(?: on)?|move on|go on|leave)(?: (?:it|this|that|to|from|the|one|next|question))*{END}",
    rf"{PLEASE}(?:move on|go on|next question|next one)(?: to the next(?: one| question)?)?{END}",
    rf"{PLEASE}(?:go (?:on )?to the next(?: one| question)|pass on (?:this|that)(?: one| question)?){END}",
    rf"{PLEASE}(?:no (?:answer|comment))(?: (?:on|to) (?:this|that)(?: one)?)?{END}",
    r"(?:bitte )?(?:überspringen|weiter|nächste(?: frage)?|auslassen)(?: bitte)?",
    r"(?:proszę )?(?:pomiń|pomińmy|pomijam|dalej|następne(?: pytanie)?)(?: proszę)?",
)
REFUSE = _rule(
    "refuse",
    SURE,
    rf"{PLEASE}(?:i(?:'d| would)? )?(?:rather|prefer) not(?: to)?(?: (?:say|answer|tell|talk|discuss|share|disclose)"
    rf"(?: (?:that|this|it|about (?:it|that|this)|to (?:that|this)))?)?{END}",
    rf"{PLEASE}(?:i )?(?:don't|do not|won't|will not|can't|cannot) (?:want to |wish to |like to )?"
    rf"(?:say|answer|tell you|share|disclose|talk about)(?: (?:that|this|it|about (?:that|it)|this question|"
    rf"that question))?{END}",
    rf"{PLEASE}(?:that's|that is|it's) (?:private|personal|confidential|none of your business){END}",
    rf"{PLEASE}none of your business{END}",
    r"(?:das )?(?:möchte|will) ich (?:lieber )?nicht (?:sagen|beantworten)|keine angabe|das ist privat",
    r"(?:wolę|nie chcę)(?: na to)? nie (?:mówić|odpowiadać)|nie chcę (?:mówić|odpowiadać)(?: na to)?|to prywatne",
)
BACK = _rule(
    "back",
    SURE,
    rf"{PLEASE}(?:{WANT} )?(?:go|step) back(?: (?:to the )?(?:one|a|previous|last)?(?: ?(?:question|step|one))?)?{END}",
    rf"{PLEASE}(?:the )?(?:previous|last) question{END}|back{END}",
    r"(?:bitte )?(?:zurück|vorherige frage|eine frage zurück)(?: bitte)?",
    r"(?:proszę )?(?:wstecz|wróć|wróćmy|poprzednie pytanie|cofnij)(?: proszę)?",
)
REPEAT = _rule(
    "repeat",
    SURE,
    rf"{PLEASE}(?:can|could|would|will) you (?:please )?(?:repeat|rephrase|say|explain|clarify|read)"
    rf"(?: (?:that|it|this|again|the|your|question|once more|out))*{END}",
    rf"{PLEASE}(?:repeat|rephrase|say|read)(?: (?:that|it|this|the|question))*(?: again)?{END}",
    rf"{PLEASE}(?:what (?:was|is) the question|what do you mean(?: by (?:that|this))?|pardon(?: me)?|come again"
    rf"|i (?:don't|do not|didn't) understand(?: (?:the|your|this|that) ?(?:question)?)?|sorry what|what){END}",
    rf"{PLEASE}(?:(?:can|could) you say (?:that|it) differently|what does (?:that|this) mean|in other words|hu+h){END}",
    r"(?:bitte )?(?:wiederholen|was meinen sie(?: damit)?|wie bitte|noch ?mal(?: bitte)?|ich verstehe (?:die frage )?nicht)"
    r"(?: bitte)?",
    r"(?:proszę )?(?:powtórz|powtórzyć|nie rozumiem(?: pytania)?|co masz na myśli|słucham)(?: proszę)?",
)
ASK = _rule(
    "ask",
    LIKELY,
    r"(?:and |but |ok |so )?(?:why (?:do|are|would) you (?:ask|asking|want|need)|what (?:is|'s) (?:this|that|it)(?: all)? for"
    r"|what is the (?:point|purpose|goal)|who (?:is|are|will|can|gets|else|reads|sees|has|have)|how (?:long|many|much longer)"
    r"|what (?:will )?happens? (?:with|to)|what (?:do|will|are) you (?:do|going|doing)|are you (?:an? )?(?:ai|human|real|robot|bot|person|machine)"
    r"|am i (?:talking|speaking|chatting)|is (?:this|it) (?:anonymous|confidential|private|recorded|stored)"
    r"|(?:can|may|could) i (?:delete|see|get|change|ask)|where (?:is|are|will|does)|who are you|do you (?:store|save|keep|record))\b.*",
    rf"{PLEASE}(?:pause|(?:can|may|could) (?:i|we) (?:(?:come back|continue)(?: to (?:this|it))? (?:later|tomorrow)|(?:take a )?(?:break|pause))){END}\??",
    rf"{PLEASE}(?:i (?:want|would like|need) to|(?:can|may|could) i) (?:talk|speak) (?:to|with) (?:a|some)(?: real)? ?(?:human|person|one|body)(?: being)?{END}\??",
    rf"{PLEASE}(?:{WANT} )?delete (?:(?:all )?(?:of )?my (?:data|answers)|everything i(?: have|'ve)? (?:said|wrote|written|told you)){END}\??",
    r"kann ich später (?:wiederkommen|weitermachen)\??|czy mogę wrócić później\??",
    r"(?:warum|wieso|wozu) (?:fragen|wollen|möchten) sie.*|wer (?:liest|sieht|bekommt|sind sie).*|wie (?:lange|viele) .*\?"
    r"|was passiert mit .*|sind sie (?:ein|eine) .*\?",
    r"(?:dlaczego|po co) (?:pytasz|pytacie|pan|pani).*|kto (?:to )?(?:czyta|przeczyta|widzi).*|ile (?:to|jeszcze) .*\?"
    r"|co się stanie z .*|czy (?:jesteś|rozmawiam) .*\?",
)
INJECTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instruction|prompt|rule|guideline|guide|everything|above|previous)"
    r"|\b(?:reveal|show|print|repeat|output|tell me|give me)\b.{0,40}\b(?:system prompt|instructions|your prompt|the guide|hidden|all (?:the )?questions)"
    r"|\bsystem ?prompt\b|\byou are now\b|\bdeveloper mode\b|\bjailbreak\b|</?(?:system|instructions?|assistant)>|^\s*(?:system|assistant)\s*:"
)
# The order is who wins: a refusal before a skip, a sure stop before a likely one.
RULES: tuple[Rule, ...] = (STOP, REFUSE, SKIP, BACK, REPEAT, MAYBE_STOP)

YES = re.compile(r"(?:yes|yeah|yep|sure|please(?: do)?|ok(?:ay)?|ja|gerne|tak|stop|i do|y)\b.*")
NO = re.compile(r"(?:no|nope|nein|nie|not yet|go on|continue|weiter|dalej|n)\b.*")

ORDINALS = {
    "first": 1, "1st": 1, "one": 1, "erste": 1, "ersten": 1, "pierwsze": 1, "pierwszego": 1,
    "second": 2, "2nd": 2, "two": 2, "zweite": 2, "zweiten": 2, "drugie": 2, "drugiego": 2,
    "third": 3, "3rd": 3, "three": 3, "dritte": 3, "dritten": 3, "trzecie": 3, "trzeciego": 3,
    "fourth": 4, "4th": 4, "four": 4, "vierte": 4, "vierten": 4, "czwarte": 4,
    "fifth": 5, "5th": 5, "five": 5, "fünfte": 5, "fünften": 5, "piąte": 5,
}  # fmt: skip
CORRECT = re.compile(
    r"(?:(?:actually|wait|sorry|correction|oh|no)[,: ]+)*(?:"
    r"(?:i(?:'d| would)? (?:like|want|need) to|can i|could i|may i|let me|i must)\s+(?:please )?"
    r"(?:change|correct|fix|revise|redo|edit|update|amend)\b"
    r"|(?:for|about|on|regarding) (?:the |my )?.{2,40}?,? i (?:meant|mean|should have said|wanted to say)\b"
    r"|(?:my|the) answer (?:to|on|about|for) .{2,60}? (?:should|was wrong|is wrong|must)\b"
    r"|(?:ich (?:möchte|will|würde gerne?)|kann ich)\b.{0,40}\b(?:ändern|korrigieren|berichtigen)\b"
    r"|(?:chcę|chciał[ao]?bym|mogę)\s+(?:zmienić|poprawić)\b)"
)


def recognise(
    text: str, *, brief: Brief, current: str, answered: Sequence[str] = (), tries: int = 0, pending: str = ""
) -> Recognition:
    """What this message does. `current` is the key of the question it follows; `tries` says how often that one
    was not understood already; `pending` is "maybe_stop" after "would you like to stop?", "which" after
    "which answer?"."""
    words = folded(text)
    question = brief.question(current)
    waited = _reply_to_pending(words, brief=brief, pending=pending)
    if waited is not None:
        return replace(waited, question_key=waited.question_key or current)
    if question is not None and chosen(text, question):
        return Recognition("answer", SURE, current)
    if INJECTION.search(words):
        return Recognition("ask", SURE, current)
    if CORRECT.match(words):
        return _correction(text, words, brief=brief, answered=answered)
    is_last = all(one.key == current or one.key in answered for one in brief.questions)
    if is_last and ALL_SAID.fullmatch(words):
        return Recognition("answer", LIKELY, current)
    return _commanded(words, brief=brief, current=current) or _answer(
        words, question, current=current, tries=tries
    )


def _reply_to_pending(words: str, *, brief: Brief, pending: str) -> Recognition | None:
    if pending == "maybe_stop":
        if NO.fullmatch(words):
            return Recognition("go_on", SURE)
        return Recognition("stop", SURE) if YES.fullmatch(words) or STOP.pattern.fullmatch(words) else None
    if pending == "which":
        key = named_question(words, brief)
        return Recognition("back", SURE, key) if key else None
    return None


def _commanded(words: str, *, brief: Brief, current: str) -> Recognition | None:
    if len(words.split()) <= LONGEST_COMMAND:
        for rule in RULES:
            if rule.pattern.fullmatch(words.rstrip("?").rstrip()):
                key = previous_key(brief, current) if rule.act == "back" else current
                return Recognition(rule.act, rule.confidence, key)
    if len(words.split()) <= 2 * LONGEST_COMMAND and ASK.pattern.fullmatch(words):
        return Recognition("ask", LIKELY, current)
    return None


def previous_key(brief: Brief, current: str) -> str:
    """The key before the current one; the last of all when the talk was over."""
    keys = [question.key for question in brief.questions]
    if current not in keys:
        return keys[-1] if keys else ""
    return keys[max(keys.index(current) - 1, 0)]


def _correction(text: str, words: str, *, brief: Brief, answered: Sequence[str]) -> Recognition:
    """With new content (after a colon, or after "I meant") it corrects; without, the question is asked again."""
    known = [question for question in brief.questions if question.key in answered] or list(brief.questions)
    key = named_question(words.partition(":")[0], brief, among=known) or named_question(
        words, brief, among=known
    )
    if not key:
        return Recognition("correct", LIKELY)
    has_content = bool(
        re.search(r":\s*\S|\bi (?:meant?|should have said|wanted to say)\s+\S|\bshould\b.+\S", text, re.I)
    )
    return Recognition("correct" if has_content else "back", SURE, key)


def named_question(words: str, brief: Brief, *, among: Sequence[BriefQuestion] | None = None) -> str:
    """The key of the question that a text names by number or by its topic's words; "" when none."""
    number = re.search(r"\b(?:question|frage|pytani[ea]|number|no\.?|#)\s*(\d{1,2})\b", words)
    position = (
        int(number.group(1)) if number else next((ORDINALS[w] for w in words.split() if w in ORDINALS), 0)
    )
    if 1 <= position <= len(brief.questions):
        return brief.questions[position - 1].key
    said = {_stem(word) for word in re.findall(r"\w{3,}", words)} - STOP_WORDS
    scores = [(len(said & _naming_words(question)), question.key) for question in (among or brief.questions)]
    best = max(scores, default=(0, ""), key=lambda score: score[0])
    return best[1] if best[0] else ""


STOP_WORDS = frozenset(
    [
        "the",
        "and",
        "for",
        "with",
        "about",
        "from",
        "that",
        "this",
        "your",
        "you",
        "are",
        "was",
        "were",
        "what",
        "which",
        "how",
        "who",
        "why",
        "when",
        "where",
        "does",
        "did",
        "answer",
        "question",
        "change",
        "correct",
        "actually",
        "meant",
        "want",
        "would",
        "like",
        "mean",
        "said",
        "say",
        "have",
        "has",
        "had",
        "can",
        "could",
        "every",
        "day",
        "they",
        "them",
    ]
)


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def _naming_words(question: BriefQuestion) -> set[str]:
    """What a person may call it by: its topic and key; its own words only when it has no topic."""
    text = f"{question.topic or question.text} {question.key.replace('_', ' ')}".lower()
    return {_stem(word) for word in re.findall(r"\w{3,}", text)} - STOP_WORDS


_CONTENT = re.compile(
    r":\s*(\S.*)|\bI (?:meant?(?: to say)?|should have said|wanted to say)\s+(\S.*)", re.I | re.S
)


def corrected_words(text: str) -> str:
    """The new answer within a correction, as it was written: what follows the colon, or "I meant"."""
    found = _CONTENT.search(text) if CORRECT.match(folded(text)) else None
    return (found.group(1) or found.group(2)).strip() if found else text


def _answer(words: str, question: BriefQuestion | None, *, current: str, tries: int) -> Recognition:
    if not re.search(r"\w", words) and not any(unicodedata.category(char) == "So" for char in words):
        return Recognition("unclear", LIKELY, current)
    closed = question is not None and question.kind in ("choice", "scale") and question.choices
    if closed and tries == 0:
        return Recognition("unclear", UNSURE, current)
    if tries == 0 and _is_nonsense(words):
        return Recognition("unclear", UNSURE, current)
    # A command hidden in a short sentence is worth a second look by a model.
    hidden = (
        re.search(r"\b(?:stop|skip|quit|go back|end this|wrong answer)\b", words) and len(words.split()) <= 10
    )
    return Recognition("answer", UNSURE if hidden else SURE, current)


def _is_nonsense(words: str) -> bool:
    """Keys struck at random: one long run of consonants, or one letter over and over."""
    compact = words.replace(" ", "")
    if len(compact) < 4 or not compact.isascii() or not compact.isalpha():
        return False
    return (
        len(set(compact)) == 1
        or bool(re.search(r"[bcdfghjklmnpqrstvwxz]{6,}", compact))
        or compact in ("asdf", "qwerty")
    )
