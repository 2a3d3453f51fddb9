"""Moderation: what a person wrote before it is answered, what a persona says before it is shown.

Of every talk whose replies crm writes: with influencers and drafts, with the agents, interviews. Where an
account has no rules a turn pays one look into a dictionary. A refused message is kept, its reply fails with
`content_filter`, and no model reads it later.
"""

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext as _

from config.api.threads import in_database
from crm.briefs import Said
from crm.models import Conversation, Message, ModerationByVendor, ModerationFlag, ModerationRule
from crm.models.moderation import Side
from crm.moderation_rules import MASK, REFUSE, Found, Rule, found_in, masked, phrases_in
from crm.persona_senses import HEARD, WITH_PICTURES, pictures_in
from crm.standing import UNFIT
from crm.turns import Turn
from personas.moderating import unfit_categories
from personas.providers.base import Picture, ProviderError

logger = logging.getLogger(__name__)

KEPT_SECONDS = 3.0  # rules are not read for every turn
MOST_KEPT = 1_000
MOST_RULES = 50  # of one persona
HELD_MOST = 600  # characters that wait for the end of their sentence
VENDOR_PIECE = 200  # characters, so that a vendor is not asked for every short sentence
CONTEXT = 200  # characters before, so that a phrase is found across the end of a sentence
_SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’)\]]*(?:\s|$)|\n")


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for one persona."""

    input: tuple[Rule, ...] = ()
    output: tuple[Rule, ...] = ()
    vendor: ModerationByVendor | None = None

    def of(self, side: str) -> tuple[Rule, ...]:
        return self.input if side == Side.INPUT else self.output

    def vendor_of(self, side: str) -> ModerationByVendor | None:
        vendor = self.vendor
        if vendor is None or not (vendor.checks_input if side == Side.INPUT else vendor.checks_output):
            return None
        return vendor

    def looks_at(self, side: str) -> bool:
        return bool(self.of(side)) or self.vendor_of(side) is not None


_kept: dict[Any, tuple[float, Rules]] = {}


async def rules_of(conversation: Conversation) -> Rules:
    key = (conversation.account_id, conversation.persona_id)
    until, known = _kept.get(key, (0.0, Rules()))
    now = time.monotonic()
    if now < until:
        return known
    if now < until + KEPT_SECONDS:
        # One turn reads them again; those at the same moment go by what was.
        _kept[key] = now + KEPT_SECONDS, known
    found = await in_database(_read, *key)
    if len(_kept) >= MOST_KEPT:
        _kept.clear()
    _kept[key] = time.monotonic() + KEPT_SECONDS, found
    return found


def _read(account_id: int, persona_id: Any) -> Rules:
    own = Q(persona=None) | Q(persona=persona_id)
    rows = list(ModerationRule.objects.filter(own, account=account_id, is_active=True)[:MOST_RULES])
    vendor = ModerationByVendor.objects.filter(account=account_id).first()
    sides = ModerationRule.Sides
    return Rules(
        tuple(_rule(row) for row in rows if row.sides != sides.OUTPUT),
        tuple(_rule(row) for row in rows if row.sides != sides.INPUT),
        vendor,
    )


def _rule(row: ModerationRule) -> Rule:
    return Rule.of(row.name, row.action, phrases_in(row.patterns))


def forget(**_signal: Any) -> None:
    _kept.clear()


for _model in (ModerationRule, ModerationByVendor):
    post_save.connect(forget, sender=_model, dispatch_uid=f"crm.moderation.saved.{_model.__name__}")
    post_delete.connect(forget, sender=_model, dispatch_uid=f"crm.moderation.deleted.{_model.__name__}")


# --- What a person wrote ----------------------------------------------------------------------


async def checked_input(turn: Turn) -> Turn:
    """The turn as a model may read it. Raises ProviderError: `content_filter` for what is refused."""
    rules = await rules_of(turn.conversation)
    if not rules.looks_at(Side.INPUT) and turn.message.act != UNFIT:
        return turn
    text = turn.said[-1].text
    found = found_in(text, rules.input)
    await _noted(turn.message, Side.INPUT, text, found)
    refused = any(one.rule.action == REFUSE for one in found)
    if not refused:
        refused = await _refused_by_vendor(turn, turn.message, Side.INPUT, text, rules)
    await _marked(turn.message, is_refused=refused)
    if refused:
        raise refusal()
    last = replace(turn.said[-1], text=masked(text, found), act=turn.message.act)
    return replace(turn, said=(*_masked(turn.said[:-1], rules), last))


def _masked(said: Sequence[Said], rules: Rules) -> list[Said]:
    """What was said before, as a model may read it."""
    masking = [rule for rule in rules.input if rule.action == MASK]
    if not masking:
        return list(said)
    return [
        replace(one, text=masked(one.text, found_in(one.text, masking))) if one.author == "person" else one
        for one in said
    ]


async def readable(conversation: Conversation, text: str) -> str | None:
    """What a model may read of a message before its turn.

    None where a rule refuses it, or a vendor has yet to judge.
    """
    rules = await rules_of(conversation)
    if not rules.looks_at(Side.INPUT):
        return text
    found = found_in(text, rules.input)
    if rules.vendor_of(Side.INPUT) or any(one.rule.action == REFUSE for one in found):
        return None
    return masked(text, found)


async def _marked(message: Message, *, is_refused: bool) -> None:
    """What a rule of yesterday refused may be fit today."""
    fit = HEARD if message.type == Message.Type.AUDIO else ""
    act = UNFIT if is_refused else fit if message.act == UNFIT else message.act
    if act != message.act:
        message.act = act
        await in_database(Message.objects.filter(pk=message.pk).update, act=act)


def refusal() -> ProviderError:
    return ProviderError("content_filter", _("This may not be said here."), retryable=False)


async def _refused_by_vendor(turn: Turn, message: Message, side: str, text: str, rules: Rules) -> bool:
    """Raises ProviderError where it cannot judge and nothing may be said without it."""
    vendor = rules.vendor_of(side)
    if vendor is None:
        return False
    try:
        categories = await _judged(turn, vendor, side, text)
    except ProviderError as error:
        logger.warning("moderation by %s failed: %s", vendor.provider, error.code)
        if vendor.on_failure == ModerationByVendor.OnFailure.REFUSE:
            raise ProviderError("unavailable", _("The moderation is away."), retryable=True) from None
        return False
    if not categories:
        return False
    found_by = f"{vendor.provider}: {', '.join(categories)}"
    await in_database(_keep_flag, message.pk, side, found_by, str(vendor.action), text or _("(A picture.)"))
    return str(vendor.action) == REFUSE


async def _judged(turn: Turn, vendor: ModerationByVendor, side: str, text: str) -> list[str]:
    """The unfit categories of a text and, where people sent them, of the pictures beside it."""
    pictures: Sequence[Picture] = ()
    if side == Side.INPUT and vendor.checks_pictures and turn.message.type in WITH_PICTURES:
        pictures = await pictures_in(turn.message)
    name, account = vendor.provider, turn.conversation.account
    # OpenAI judges one picture at a time: the words go with the first.
    parts: list[tuple[str, Picture | None]] = [
        (text if n == 0 else "", one) for n, one in enumerate(pictures)
    ]
    if not parts and text.strip():
        parts = [(text, None)]
    asked = (unfit_categories(name, words, account=account, picture=picture) for words, picture in parts)
    return sorted({category for found in await asyncio.gather(*asked) for category in found})


async def _noted(message: Message, side: str, text: str, found: Sequence[Found]) -> None:
    for one in {one.rule.name: one for one in found}.values():
        around = text[max(0, one.start - 100) : one.end + 100]
        await in_database(_keep_flag, message.pk, side, one.rule.name, one.rule.action, around)


def _keep_flag(message_id: int, side: str, found_by: str, action: str, excerpt: str) -> None:
    what = {"message_id": message_id, "side": str(side), "found_by": found_by[:120]}
    ModerationFlag.objects.get_or_create(**what, defaults={"action": action, "excerpt": excerpt[:300]})


# --- What a persona says ----------------------------------------------------------------------


async def watch_of(turn: Turn) -> "Watch | None":
    """None where nothing is to be looked for."""
    rules = await rules_of(turn.conversation)
    return Watch(turn, rules) if rules.looks_at(Side.OUTPUT) else None


class Watch:
    """Holds a reply back until each sentence is whole, and lets out what may be shown."""

    def __init__(self, turn: Turn, rules: Rules) -> None:
        self._turn, self._rules = turn, rules
        self._held, self._before = "", ""
        self._is_refused = False
        self._least = VENDOR_PIECE if rules.vendor_of(Side.OUTPUT) else 1

    async def feed(self, text: str) -> str:
        """What may be shown now. Raises ProviderError: `content_filter` for a sentence that is refused."""
        self._held += text
        end = self._whole_up_to()
        if end < self._least and len(self._held) < HELD_MOST:
            return ""
        ready, self._held = self._held[:end], self._held[end:]
        return await self._checked(ready)

    async def finish(self, text: str) -> str:
        """The rest; after a refusal nothing."""
        if self._is_refused:
            return ""
        ready, self._held = self._held + text, ""
        return await self._checked(ready)

    def _whole_up_to(self) -> int:
        """Where the last whole sentence ends; in a long one without an end, its last word."""
        ends = [match.end() for match in _SENTENCE_END.finditer(self._held) if match.end() < len(self._held)]
        if ends or len(self._held) < HELD_MOST:
            return ends[-1] if ends else 0
        return self._held.rfind(" ") + 1 or len(self._held)

    async def _checked(self, text: str) -> str:
        if not text.strip():
            return text
        found = found_in(self._before + text, self._rules.output)
        await _noted(self._turn.reply, Side.OUTPUT, self._before + text, found)
        refused = any(one.rule.action == REFUSE for one in found)
        if not refused:
            turn, side = self._turn, Side.OUTPUT
            refused = await _refused_by_vendor(turn, turn.reply, side, text, self._rules)
        if refused:
            self._is_refused = True
            raise refusal()
        shown = masked(self._before + text, found)[len(self._before) :]
        self._before = (self._before + text)[-CONTEXT:]
        return shown
