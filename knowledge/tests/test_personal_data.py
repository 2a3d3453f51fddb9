"""What knowledge holds of a person can be read and taken away."""

import pytest

from knowledge.ingestion import Origin, add_document, read_document, remove_document
from knowledge.models import Document, Question
from knowledge.personal_data import collect, erase
from knowledge.tests.shelves import add_interview, add_text
from tests.factories import make_collection, make_contact

pytestmark = pytest.mark.django_db


def about(contact, collection):
    document = add_document(
        collection,
        title="CV",
        filename="cv.txt",
        content=b"Ada worked in London.",
        origin=Origin("contact", str(contact.pk)),
    )
    read_document(document.pk)
    return document


def test_documents_about_the_contact_are_collected_and_erased():
    contact = make_contact()
    about(contact, make_collection(contact.account))
    other = add_text(make_collection(contact.account))

    assert collect(contact)["documents"][0]["passages"] == ["Ada worked in London."]
    assert erase(contact) == {"documents": 1, "answers": 0}
    assert list(Document.objects.all()) == [other]
    assert erase(contact)["documents"] == 0


def test_answers_lose_quotes_of_documents_that_are_gone():
    contact = make_contact()
    collection = make_collection(contact.account)
    interview = add_interview(collection, ("Tools?", "Excel."))
    kept = add_text(collection)
    cited = [
        {"number": n, "document_id": str(d.pk), "text": "Excel."} for n, d in ((1, interview), (2, kept))
    ]
    question = Question.objects.create(account=contact.account, text="?", answer="Excel [1]", citations=cited)
    remove_document(interview)

    assert erase(contact, conversation_id=contact.pk)["answers"] == 1
    question.refresh_from_db()
    assert (question.answer, [c["number"] for c in question.citations]) == ("", [2])
    assert erase(contact)["answers"] == 0
