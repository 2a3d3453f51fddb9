"""People and talks by words: of a name, an address, a title; each word whole or as a beginning.

Case and accents do not matter. The database keeps the index (migration 0006); here it is only asked.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.expressions import RawSQL

from crm.models import Contact, ContactAddress, Conversation

M = TypeVar("M", bound=Model)
MOST_WORDS = 8
_WORD = re.compile(r"[^\W_]+")


def words_in(text: str) -> list[str]:
    """The words that are looked for. Many more would be a text, not a search."""
    return _WORD.findall(unicodedata.normalize("NFKC", text))[:MOST_WORDS]


def named(rows: QuerySet[Contact], text: str) -> QuerySet[Contact]:
    """Those whose name and company hold all the words."""
    return _holding(rows, _CONTACTS, words_in(text))


def contacts_found(rows: QuerySet[Contact], text: str) -> QuerySet[Contact]:
    """Those whose name, company or one of whose addresses holds each of the words."""
    return _of_all(rows, [_contacts_with(word) for word in words_in(text)])


def talks_found(rows: QuerySet[Conversation], text: str) -> QuerySet[Conversation]:
    """Those that hold each of the words: in the title, a client's id of it, or what finds the person."""
    return _of_all(rows, [_talks_with(word) for word in words_in(text)])


def _of_all(rows: QuerySet[M], keys: Sequence[QuerySet[Any, Any]]) -> QuerySet[M]:
    """Those whose key is in all of them.

    They are intersected before they meet the rows: PostgreSQL believes that few rows have a word, and joins
    two lists of keys by comparing each with each, which takes seconds where ten thousand people have both.
    """
    if not keys:
        return rows.none()
    first, *others = keys
    return rows.filter(pk__in=first.intersection(*others) if others else first)


def _talks_with(word: str) -> QuerySet[Any, Any]:
    """The keys of the talks with this word in what finds them."""
    titled = _holding(Conversation.objects.order_by(), _TALKS, [word])
    of_people = Conversation.objects.order_by().filter(contact__in=_contacts_with(word))
    return titled.values("pk").union(of_people.values("pk"))


def _contacts_with(word: str) -> QuerySet[Any, Any]:
    """The keys of the contacts with this word in their name, company or addresses."""
    at = _holding(ContactAddress.objects.order_by(), _ADDRESSES, [word])
    return _holding(Contact.objects.order_by(), _CONTACTS, [word]).values("pk").union(at.values("contact"))


# Index, table, and the words that stand in it, as the migration wrote them.
_CONTACTS = ("crm_contact_words", "crm_contact", "name || ' ' || company")
_ADDRESSES = ("crm_address_words", "crm_contactaddress", "value")
_TALKS = ("crm_talk_words", "crm_conversation", "title || ' ' || external_id")


def _holding(rows: QuerySet[Any], index: tuple[str, str, str], words: Sequence[str]) -> QuerySet[Any]:
    if not words:
        return rows.none()
    name, table, expression = index
    if connection.vendor == "sqlite":
        wanted = " AND ".join(f'"{word}"*' for word in words)
        return _listed(rows, f"SELECT key FROM {name} WHERE {name} MATCH %s", f"words : ({wanted})")  # noqa: S608 (ours)
    sql = f"SELECT id FROM {table} WHERE crm_words({expression}) @@ crm_word_query(%s)"  # noqa: S608 (ours)
    return _listed(rows, sql, " ".join(words))


def _listed(rows: QuerySet[Any], sql: str, asked: str) -> QuerySet[Any]:
    return rows.filter(pk__in=RawSQL(sql, [asked]))  # noqa: S611 (what was asked is a parameter)
