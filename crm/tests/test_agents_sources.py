"""What the agents may read, and which sources their answers may name."""

import pytest

from config.api.threads import in_database
from crm.agents_chat import Asked, receive
from crm.deciding import _collections
from crm.tests.chatting import Caller, shelf
from knowledge.tests.shelves import add_text
from personas.providers.base import Delta, Done
from tests.factories import make_account, make_collection

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_number_that_no_source_has_is_taken_out_of_the_answer(monkeypatch):
    async def speak(persona, prompt, *, account):
        assert [source.number for source in prompt.sources] == [1]
        for piece in ("36 months [", "1]", " and more [7].", " Really [1][2]."):
            yield Delta(piece)
        yield Done(provider="test", model="m")

    monkeypatch.setattr("personas.speaking.speak", speak)
    await in_database(shelf, None, "Model X-200 has a warranty of 36 months.")
    caller = await Caller.with_key()
    answer = (await caller.say("What is the warranty of model X-200?")).json()
    assert answer["response"] == "36 months [1] and more. Really [1]."


@pytest.mark.parametrize(("by_staff", "read"), [(True, {"Facts", "Interviews"}), (False, {"Facts"})])
def test_talks_of_staff_also_read_what_staff_may_read(by_staff, read):
    account = make_account()
    shelf(account).__class__.objects.filter(slug="documents").update(name="Facts", staff_may_read=False)
    interviews = make_collection(account, name="Interviews", staff_may_read=True)
    add_text(interviews, "Ada said that she works at night.", title="Ada")
    asked = Asked(message="What is the warranty of model X-200?", user_id="ada", by_staff=by_staff)
    received = receive(account, asked)
    assert {collection.name for collection in _collections(received.turn)} == read
