"""A question about one row of a long table is answered from that row, whatever kind of file the table is."""

import json
import random

import pytest

from knowledge.account_documents import documents_collection
from knowledge.ingestion import add_document, read_document
from knowledge.models import Document
from knowledge.tests import files
from tests.factories import bearer, make_account, make_key

pytestmark = pytest.mark.django_db(transaction=True)
COLUMNS = ("Model", "Category", "Price", "Warranty", "Weight")


def table():
    """500 products; numbers of one are found in the prices, weights and names of others."""
    dice = random.Random(5)
    rows = []
    for number in range(500):
        series = "XYZKT"[number // 100]
        kind = dice.choice(["Drill", "Saw", "Sander", "Lamp", "Fan"])
        model = f"{series}-{100 + number % 100}"
        rows.append(
            (model, kind, 40 + number, f"{dice.randint(6, 60)} months", f"{dice.randint(100, 300)} g")
        )
    rows[77] = ("X-200", "Drill", 129, "41 months", "177 g")
    rows[78] = ("X-2000", "Drill", 200, "13 months", "200 g")
    return rows


def as_csv(rows):
    return "\n".join(",".join(map(str, row)) for row in [COLUMNS, *rows]).encode()


def as_json(rows):
    return json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows]).encode()


def as_xlsx(rows):
    return files.xlsx([COLUMNS, *rows], sheet="Products")


@pytest.fixture(params=[as_csv, as_json, as_xlsx])
def document(request):
    collection = documents_collection(make_account())
    content = request.param(table())
    document = add_document(collection, title="", filename="products", content=content)
    read_document(document.pk)
    return Document.objects.get()


def ask(client, question):
    return client.post(
        "/api/v1/knowledge/ask",
        json.dumps({"question": question}),
        content_type="application/json",
        headers=bearer(make_key()),
    ).json()["data"]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("What is the warranty of model X-200?", "41 months"),
        ("what is the warranty of model x-2000", "13 months"),
        ("How much does the X-200 weigh, what is its weight?", "177 g"),
        ("price of the Z-142", "282"),
    ],
)
def test_it_is_answered_from_that_row(client, document, question, told):
    answer = ask(client, question)

    assert told in answer["answer"]
    assert answer["citations"][0]["text"].startswith("Model: ")
    assert told in answer["citations"][0]["text"]


def test_the_answer_cites_one_row_and_names_it(client, document):
    citation = ask(client, "What is the warranty of model X-200?")["citations"][0]

    assert citation["text"].count("Model:") == 1
    assert citation["locator"]["row"] in (78, 79)  # below a header, or by itself


def test_a_model_that_is_not_in_the_table_gets_no_other_ones_warranty(client, document):
    assert "months" not in ask(client, "What is the warranty of model Q-777?")["answer"]


def test_every_row_is_kept_whole_with_its_keys(document):
    texts = list(document.chunks.values_list("text", flat=True))

    assert len(texts) == 500
    assert all(text.count(": ") == len(COLUMNS) for text in texts)
