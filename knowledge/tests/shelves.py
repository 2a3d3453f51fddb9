"""Collections with something in them, for tests of searching and answering."""

from knowledge.ingestion import Origin, Section, add_document, read_document
from tests.factories import make_collection

HANDBOOK = """# Invoices

Invoices are sent on the last Friday of each month. The finance team sends them.

# Travel

Travel is booked by the office manager. Hotels may cost up to 120 euros a night.

# Holidays

Everyone has thirty days of holiday a year. Holidays are agreed with the team lead.
"""


def add_text(collection, text=HANDBOOK, *, title="Handbook", filename="handbook.md"):
    document = add_document(collection, title=title, filename=filename, content=text.encode())
    read_document(document.pk)
    document.refresh_from_db()
    return document


def add_interview(collection, *exchanges, name="Ada Lovelace", interview_id="interview-1"):
    """As the interviews app hands it over: the file, and a section for each message of the person."""
    sections = [
        Section(f"{question}\n{name} answered: {answer}", {"messages": [2 * n + 2]})
        for n, (question, answer) in enumerate(exchanges)
    ]
    document = add_document(
        collection,
        title=f"Interview with {name}",
        filename="interview.pdf",
        content=f"%PDF-1.4 {name} {interview_id}".encode(),
        sections=sections,
        origin=Origin("interview", interview_id, "admin:interviews_interview_transcript"),
    )
    read_document(document.pk)
    return document


def handbook(account=None, **fields):
    collection = make_collection(account, **fields)
    add_text(collection)
    return collection
