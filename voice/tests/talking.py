"""A small world for tests of the phone talk: slots, an invitation, and talks turn by turn."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from voice.scheduling import Heard, Invitation, Slot, Talk, answer, greet

TABLE = json.loads((Path(__file__).parent / "utterances.json").read_text())
NOW = datetime.fromisoformat(TABLE["now"])
INVITATION = Invitation(**TABLE["invitation"])
SLOTS = [
    Slot(name, start := datetime.fromisoformat(at), start + timedelta(minutes=45))
    for name, at in TABLE["slots"].items()
]


def talk_at(name):
    return Talk.from_json(TABLE["talks"][name])


def said(words, talk, *, slots=SLOTS, invitation=INVITATION, now=NOW, **given):
    heard = {key: given.pop(key) for key in ("confidence", "digits") if key in given}
    return answer(invitation, talk, Heard(words, **heard), slots, now=now, **given)


def spoken(*turns, slots=SLOTS, invitation=INVITATION, now=NOW):
    """The moves of a whole talk; a turn is words, or keys when it is written as ("1",)."""
    moves = [greet(invitation, slots, now=now)]
    for turn in turns:
        heard = Heard(turn) if isinstance(turn, str) else Heard(digits=turn[0])
        moves.append(answer(invitation, moves[-1].talk, heard, slots, now=now))
    return moves
