"""An answer cites what was retrieved and nothing else; every question and its outcome is kept."""

import asyncio
import re
from contextlib import aclosing

import pytest
from asgiref.sync import async_to_sync
from hypothesis import given, settings
from hypothesis import strategies as st

from knowledge import answering
from knowledge.answering import answer
from knowledge.citing import CitationFilter, message_of, place_in_words
from knowledge.models import Question
from knowledge.tests.shelves import add_interview, handbook
from personas.models import Persona
from tests.factories import make_account, make_collection
from tests.fakes.openai_server import Behaviour, Fault, OpenAIServer


def ask(question, *collections, account=None, **options):
    async def collect():
        events = answer(
            question, account=account or collections[0].account, collections=collections, **options
        )
        return [event async for event in events]

    return async_to_sync(collect)()


def joined(events):
    return "".join(event.data["text"] for event in events if event.name == "delta").strip()


@pytest.fixture
def model(settings):
    """A local server that speaks the OpenAI wire format, as the only provider."""

    def start(behaviour):
        server = OpenAIServer(behaviour).__enter__()
        servers.append(server)
        settings.PROVIDERS = {
            "openai": {
                "BACKEND": "personas.providers.openai.OpenAIProvider",
                "API_KEY": "test",
                "BASE_URL": server.base_url,
                "MODEL": "test-model",
                "EMBEDDING_MODEL": "test-embedding",
                "CONNECT_TIMEOUT": 2,
                "READ_TIMEOUT": 5,
                "TOTAL_TIMEOUT": 10,
            }
        }
        settings.DEFAULT_PROVIDER_CHAIN = ["openai"]
        return server

    servers = []
    yield start
    for server in servers:
        server.__exit__(None, None, None)


@pytest.mark.django_db(transaction=True)
class TestWithoutAModel:
    def test_the_answer_quotes_its_source_and_cites_it(self):
        events = ask("When are invoices sent?", handbook(), asked_by="Grace")

        done = events[-1]
        assert [event.name for event in events[-2:]] == ["citations", "done"]
        assert "last Friday" in joined(events)
        assert joined(events) == done.data["answer"]
        assert done.data["answered"] is True
        first = done.data["citations"][0]
        assert (first["number"], first["document"]) == (1, "Handbook")
        assert f"[{first['number']}]" in done.data["answer"]
        assert first["url"].endswith(f"#chunk-{first['chunk_id']}")

    def test_the_question_is_kept_with_its_answer(self):
        collection = handbook()
        events = ask("When are invoices sent?", collection, asked_by="Grace")

        row = Question.objects.get()
        assert (row.asked_by, row.answered, row.provider, row.error_code) == ("Grace", True, "offline", "")
        assert row.answer == events[-1].data["answer"]
        assert row.citations == events[-1].data["citations"]
        assert list(row.collections.all()) == [collection]

    def test_not_in_the_sources_is_a_real_answer(self):
        events = ask("What is the capital of France?", handbook())

        assert joined(events) == "That is not in the sources."
        assert events[-1].data["answered"] is False
        row = Question.objects.get()
        assert (row.answered, row.citations, row.error_code) == (False, [], "")

    def test_it_says_so_in_the_accounts_language(self):
        account = make_account("berlin", language="de")

        assert ask("Wo ist das?", make_collection(account))[-1].data["answer"]

    def test_a_citation_of_an_interview_leads_to_its_message(self):
        collection = make_collection()
        add_interview(
            collection,
            ("How was your week?", "Quite calm."),
            ("Which tools slow you down?", "The billing software slows me down, it crashes daily."),
            interview_id="0190c3f4-5a1c-7000-8000-000000000001",
        )
        events = ask("Which tools slow people down?", collection)

        (cited,) = events[-1].data["citations"]
        assert cited["locator"] == {"messages": [4]}
        assert cited["place"] == "message 4"
        assert "0190c3f4-5a1c-7000-8000-000000000001" in cited["url"] or "passage" in cited["url"]

    def test_another_accounts_collection_answers_nothing(self):
        theirs = handbook(make_account("stranger"))
        events = ask("When are invoices sent?", theirs, account=make_account())

        assert events[-1].data["answered"] is False
        assert not Question.objects.get().collections.exists()

    def test_the_librarian_is_made_once(self):
        collection = handbook()
        ask("When are invoices sent?", collection)
        ask("When are invoices sent?", collection)

        assert Persona.objects.get(slug="librarian").kind == "assistant"

    def test_a_reader_who_leaves_loses_nothing(self):
        collection = handbook()

        async def leave():
            async with aclosing(
                answer("When are invoices sent?", account=collection.account, collections=[collection])
            ) as events:
                async for event in events:
                    assert event.name == "delta"
                    break
            await asyncio.gather(*answering._storing)

        async_to_sync(leave)()
        row = Question.objects.get()
        assert row.error_code == "stopped"
        assert row.answer
        assert row.answered is False


@pytest.mark.django_db(transaction=True)
class TestWithAModel:
    def test_numbers_that_were_not_retrieved_are_taken_out(self, model):
        model(Behaviour(reply="On the last Friday [1]. Aliens send them [9]. By finance [1, 7]."))
        events = ask("When are invoices sent?", handbook())

        assert events[-1].data["answer"] == "On the last Friday [1]. Aliens send them. By finance [1]."
        assert [cited["number"] for cited in events[-1].data["citations"]] == [1]
        assert joined(events) == events[-1].data["answer"]

    def test_an_answer_without_citations_is_not_an_answer(self, model):
        model(Behaviour(reply="I believe it is Tuesday."))

        assert ask("When are invoices sent?", handbook())[-1].data["answered"] is False

    def test_the_model_sees_the_passages_and_the_question(self, model):
        server = model(Behaviour(reply="Fridays [1]."))
        ask("When are invoices sent?", handbook())

        asked = str(server.requests[-1])
        assert "last Friday of each month" in asked
        assert "When are invoices sent?" in asked

    def test_a_model_that_fails_leaves_the_question_and_says_why(self, model):
        model(Behaviour(fault=Fault.STATUS, status=500))
        events = ask("When are invoices sent?", handbook())

        assert (events[-1].name, events[-1].data["retryable"]) == ("failed", True)
        row = Question.objects.get()
        assert (row.answered, row.error_code) == (False, events[-1].data["code"])


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        (["One [1]."], "One [1]."),
        (["One [", "1", "]", "."], "One [1]."),
        (["One [3]."], "One."),
        (["One [1][3]."], "One [1]."),
        (["One [1,3; 2]."], "One [1][2]."),
        (["An array [a] and [", "b]"], "An array [a] and [b]"),
        (["Unfinished [1"], "Unfinished [1"),
        (["[99] first"], " first"),
    ],
)
def test_citations_are_checked_however_they_arrive(pieces, said):
    checked = CitationFilter([1, 2])

    assert "".join([*(checked.feed(piece) for piece in pieces), checked.finish()]) == said


@settings(deadline=None)  # a busy machine is no mistake of ours
@given(st.lists(st.sampled_from(["[", "]", "1", "7", ",", " ", "a", "[1]", "[7]"]), max_size=40))
def test_no_number_that_was_not_retrieved_survives(pieces):
    checked = CitationFilter([1])
    text = "".join([*(checked.feed(piece) for piece in pieces), checked.finish()])

    assert not re.search(r"\[[\s,]*7[\s,]*\]", text)
    assert set(checked.cited) <= {1}


@pytest.mark.parametrize(
    ("locator", "words"),
    [
        ({"page": 3}, "page 3"),
        ({"row": 2}, "row 2"),
        ({"row": 2, "last_row": 5, "sheet": "People"}, "People, rows 2–5"),
        ({"messages": [4, 5, 6]}, "message 4"),
        ({"messages": [4]}, "message 4"),
        ({"line": 1, "heading": "Travel"}, "Travel"),
        ({}, ""),
    ],
)
def test_a_place_is_said_in_words(locator, words):
    assert place_in_words(locator) == words


def test_a_named_message_wins():
    assert message_of({"message": 9, "messages": [1, 2]}) == 9
