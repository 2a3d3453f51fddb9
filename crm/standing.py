"""Where a talk stands by its brief: a pure fold over what was said."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from crm.brief_values import Brief, GivenAnswer, Progress, Said
from crm.recognising import corrected_words

# Not understood this often on one question, it is left and the next one asked.
MOST_UNCLEAR = 2
ANSWERED, SKIPPED, REFUSED = "answered", "skipped", "refused"
# Acts of the system's notes between which staff speak (crm/talk.py writes them); pages wait for no reply
# in between.
TAKEN_OVER, HANDED_BACK = "taken_over", "handed_back"
# The act of a person's message that moderation refused: history and memory leave it out.
UNFIT = "unfit"
# Of a message whose words the person took out again (crm/withholding.py): it tells nothing, to nobody.
WITHHELD = "withheld"
# Acts of messages that may hold an answer's words.
TELLING = frozenset({"answer", "correct", "back", "unclear", "skip", "refuse", WITHHELD})


@dataclass(slots=True)
class Given:
    kind: str
    said: list[Said] = field(default_factory=list)
    corrected: bool = False


@dataclass(slots=True)
class Standing:
    given: dict[str, Given] = field(default_factory=dict)
    # All that was ever said to a question, also what a correction replaced.
    told: dict[str, list[Said]] = field(default_factory=dict)
    probes: dict[str, int] = field(default_factory=dict)
    unclear: dict[str, int] = field(default_factory=dict)
    reopened: set[str] = field(default_factory=set)
    current: str = ""  # the question the persona last spoke of
    turns: int = 0  # messages of the person
    spoken: int = 0  # messages of the persona
    pending: str = ""  # what the person is waited for: "maybe_stop", "which"
    unplaced: list[Said] = field(default_factory=list)  # corrections, until it is known of which answer
    last: Said | None = None  # the person's latest message
    waited: str = ""  # `pending` as it was before that message


def stand(brief: Brief, talk: Sequence[Said]) -> Standing:
    standing = Standing()
    to_staff = {id(said) for said in said_to_staff(talk)}
    for said in talk:
        if said.author == "persona":
            _persona(standing, said)
        # What is said to staff answers them, not the question that was open before they came.
        elif said.author == "person" and id(said) not in to_staff:
            _person(brief, standing, said)
    return standing


def said_to_staff(talk: Sequence[Said]) -> list[Said]:
    """The person's messages between the notes of a takeover and of its end."""
    found, with_staff = [], False
    for said in talk:
        if said.author == "system" and said.act in (TAKEN_OVER, HANDED_BACK):
            with_staff = said.act == TAKEN_OVER
        elif said.author == "person" and with_staff:
            found.append(said)
    return found


def _persona(standing: Standing, said: Said) -> None:
    standing.spoken += 1
    if said.question_key:
        standing.current = said.question_key
    if said.act == "probe":
        standing.probes[said.question_key] = standing.probes.get(said.question_key, 0) + 1


def _person(brief: Brief, standing: Standing, said: Said) -> None:
    if said.act == UNFIT:
        return  # it answers nothing, and the persona waits for what it waited for
    standing.turns += 1
    standing.last, standing.waited, standing.pending = said, standing.pending, ""
    act, key = said.act or "answer", said.question_key or standing.current
    if act == "maybe_stop" or (act == "correct" and not said.question_key):
        standing.pending = "maybe_stop" if act == "maybe_stop" else "which"
        if act == "correct":
            standing.unplaced.append(said)
    elif brief.question(key) is not None:
        _told(standing, key, act, said)
        _bear_on(standing, key, act, said)


def _told(standing: Standing, key: str, act: str, said: Said) -> None:
    if act in TELLING:
        standing.told.setdefault(key, []).extend([*standing.unplaced, said])
        standing.unplaced.clear()


def _bear_on(standing: Standing, key: str, act: str, said: Said) -> None:
    if act == "correct":
        standing.given[key] = Given(ANSWERED, [said], corrected=key in standing.given)
        standing.reopened.discard(key)
    elif act == WITHHELD:
        standing.given[key] = Given(WITHHELD, [said])
        standing.reopened.discard(key)
    elif act == "back":
        standing.reopened.add(key)
    elif act == "unclear":
        _not_understood(standing, key)
    else:
        _answer(standing, key, act, said)


def _not_understood(standing: Standing, key: str) -> None:
    standing.unclear[key] = standing.unclear.get(key, 0) + 1
    if standing.unclear[key] >= MOST_UNCLEAR and key not in standing.given:
        standing.given[key] = Given(SKIPPED)


def _answer(standing: Standing, key: str, act: str, said: Said) -> None:
    standing_one = standing.given.get(key)
    reopened = key in standing.reopened
    if act == "answer":
        if standing_one is None or reopened or standing_one.kind != ANSWERED:
            standing.given[key] = Given(ANSWERED, [said], corrected=standing_one is not None)
        else:
            standing_one.said.append(said)
        standing.reopened.discard(key)
    elif act in ("skip", "refuse"):
        standing.reopened.discard(key)
        if standing_one is None:
            standing.given[key] = Given(SKIPPED if act == "skip" else REFUSED, [said])


def progress(brief: Brief, talk: Sequence[Said]) -> Progress:
    """How far the person is; the current question is the one that waits for them, "" at the end."""
    standing = stand(brief, talk)
    keys = [question.key for question in brief.questions]
    answered = sum(key in standing.given for key in keys)
    current = standing.current
    if current in standing.given and current not in standing.reopened and not standing.probes.get(current):
        current = next((key for key in keys if key not in standing.given), "")
    if answered == len(keys) and current not in standing.reopened:
        current = ""
    question = brief.question(current)
    percent = round(100 * answered / len(keys)) if keys else 0
    return Progress(answered, len(keys), current, question.name if question else "", percent)


def answers(brief: Brief, talk: Sequence[Said]) -> list[GivenAnswer]:
    """What was given so far, in the guide's order.

    Skipped, refused and withheld questions are in it, unasked ones are not.
    """
    standing = stand(brief, talk)
    found = []
    for question in brief.questions:
        given = standing.given.get(question.key)
        if given is not None:
            text = "\n".join(words_of_answer(said) for said in given.said) if given.kind == ANSWERED else ""
            seqs = tuple(said.seq for said in given.said)
            found.append(GivenAnswer(question.key, given.kind, seqs, text, given.corrected))
    return found


def words_of_answer(said: Said) -> str:
    """What a message answers with: of a correction only the new words."""
    return corrected_words(said.text) if said.act == "correct" else said.text
