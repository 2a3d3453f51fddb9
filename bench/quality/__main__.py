"""How well the passages fit: nDCG@10 on the judged set in this folder, by words alone, beside plain overlap.

The set was written before it was first measured, and nothing in the search is tuned to it. Some questions
share no word with what answers them ("flu shots"); without vectors nothing can find those.
Grades: 2 answers the question, 1 helps. Gains are 2^grade - 1, discounted by log2(rank + 1).

python -m bench.quality [-v]        -v: each question's figure
"""

import asyncio
import math
import re
import sys
from pathlib import Path

from bench import report
from bench.search import prepare

FOLDER = Path(__file__).parent
DEPTH = 10
TARGET = 1.05  # times plain overlap


def documents():
    """(id, title, text) of each document."""
    blocks = re.split(r"^# ", (FOLDER / "documents.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    for block in blocks:
        head, _, text = block.partition("\n")
        key, _, title = head.partition(" ")
        yield key, title, text.strip()


def judged():
    """(question, id → grade) of each question."""
    for line in (FOLDER / "queries.tsv").read_text(encoding="utf-8").splitlines():
        question, _, grades = line.partition("\t")
        yield question, {key: int(grade) for key, grade in (pair.split(":") for pair in grades.split())}


def ndcg(ranked, grades, *, depth=DEPTH):
    def gain(order):
        return sum((2**grade - 1) / math.log2(place + 2) for place, grade in enumerate(order[:depth]))

    best = gain(sorted(grades.values(), reverse=True))
    return gain([grades.get(key, 0) for key in ranked]) / best if best else 0.0


def by_overlap(held):
    """The most distinct words in common first, shorter documents before longer ones."""

    def words(text):
        return set(re.findall(r"\w+", text.lower()))

    bags = [(key, words(f"{title} {text}"), len(text)) for key, title, text in held]

    def ranked(question):
        asked = words(question)
        scored = [(-len(asked & bag), size, key) for key, bag, size in bags if asked & bag]
        return [key for _, _, key in sorted(scored)][:DEPTH]

    return ranked


def shelve(held):
    from knowledge.ingestion import Section, add_document, read_document
    from tests.factories import make_collection

    collection = make_collection()
    for key, title, text in held:
        content = f"{key} {title}\n{text}".encode()
        section = Section(text, {})
        document = add_document(collection, title=title, filename=key, content=content, sections=[section])
        read_document(document.pk)
    collection.refresh_from_db()
    return collection


def by_passages(collection, *, least):
    from knowledge.search import passages_for

    loop = asyncio.new_event_loop()

    def ranked(question):
        asked = passages_for(
            question, account=collection.account, collections=[collection], limit=DEPTH, min_score=least
        )
        return [passage.filename for passage in loop.run_until_complete(asked)]

    return ranked


def measured(questions, ranked):
    return [ndcg(ranked(question), grades) for question, grades in questions]


def mean(values):
    return sum(values) / len(values)


def main(verbose=False):
    prepare()
    from django.db import connection

    from knowledge.search import MIN_SCORE

    held, questions = list(documents()), list(judged())
    report.heading(f"How well passages fit: nDCG@{DEPTH}")
    report.settings(
        {
            "database": connection.vendor,
            "documents": len(held),
            "questions": len(questions),
            "vectors": "none",
        }
    )
    try:
        collection = shelve(held)
        figures = {
            "ours": measured(questions, by_passages(collection, least=0.0)),
            f"ours, only scores of at least {MIN_SCORE}": measured(
                questions, by_passages(collection, least=MIN_SCORE)
            ),
            "plain overlap of words": measured(questions, by_overlap(held)),
        }
    finally:
        from config.api.threads import close_connections

        close_connections()
        connection.creation.destroy_test_db("", verbosity=0)
    if verbose:
        for (question, _), *values in zip(questions, *figures.values(), strict=True):
            print("  " + "  ".join(f"{value:.2f}" for value in values), question)
    rows = [[name, mean(values), sum(value > 0 for value in values)] for name, values in figures.items()]
    report.table("", ["", f"nDCG@{DEPTH}", f"of {len(questions)} found"], rows)
    ours, _, plain = (mean(values) for values in figures.values())
    sys.exit(0 if report.ratio("ours", ours, plain, of="plain overlap", target=TARGET) else 1)


if __name__ == "__main__":
    main(verbose="-v" in sys.argv)
