"""How fast a transcript becomes a PDF, and how much memory it takes, beside two plainer ways to lay it out.

python -m bench.pdf
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

from bench import report

WORDS = "I plan the shifts for twelve people every month, and the program we have is too slow for that. "
MIXED = ("Zażółć gęślą jaźń w arkuszu. ", "مرحبا بالعالم، نحن نعمل كل يوم. ", "我们每天都用电子表格。 ")
BEGAN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
TARGET_SECONDS = 2.0  # for 1,000 messages
GIANT = 300  # messages: one giant paragraph of more takes minutes
MOST_MEGABYTES = 500  # for 100,000 messages


def texts(count, *, mixed=False):
    for number in range(count):
        yield MIXED[number % 3] * 6 if mixed else WORDS * (1 + number % 3)


def ours(count, file, *, mixed=False):
    from interviews.transcripts import Spoken, Transcript, render

    spoken = (
        Spoken("Ada" if number % 2 else "Nora", BEGAN + timedelta(minutes=number), text, bool(number % 2))
        for number, text in enumerate(texts(count, mixed=mixed))
    )
    facts = (("Person", "Ada Lovelace"), ("Guide", "How people work, version 1"))
    return render(Transcript("How people work", "Acme", facts, spoken), file)


def paragraphs(count, file):
    """The usual way: reportlab's SimpleDocTemplate with one Paragraph for each message."""
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    from interviews.typesetting import REGULAR, load_fonts

    load_fonts()
    style = _style(REGULAR)
    document = SimpleDocTemplate(str(file))
    document.build(
        [Paragraph(f"<b>Ada</b> {BEGAN:%H:%M}<br/>{escape(text)}", style) for text in texts(count)]
    )
    return document.page


def giant(count, file):
    """What a first attempt does: the whole talk as one Paragraph."""
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    from interviews.typesetting import REGULAR, load_fonts

    load_fonts()
    document = SimpleDocTemplate(str(file))
    document.build([Paragraph("<br/>".join(escape(text) for text in texts(count)), _style(REGULAR))])
    return document.page


def _style(font):
    from reportlab.lib.styles import ParagraphStyle

    # Plain markup in one weight: a bold that is not registered would fail.
    return ParagraphStyle("plain", fontName=font, fontSize=10.5, leading=15.5)


WAYS = {
    "ours": ours,
    "ours-mixed": lambda count, file: ours(count, file, mixed=True),
    "paragraphs": paragraphs,
    "giant": giant,
}


def measure(way, count):
    """Seconds, megabytes and pages of one run in a process of its own, its fonts loaded before."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.pdf", way, str(count)], capture_output=True, text=True, check=True
    )
    seconds, megabytes, pages = done.stdout.split()[-3:]
    return float(seconds), float(megabytes), int(pages)


def run_one(way, count):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ["RAPPORT_ENV"] = "test"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RAPPORT_DATA"] = folder
        import django

        django.setup()
        file = Path(folder) / "transcript.pdf"
        WAYS[way](10, file)
        began = time.perf_counter()
        pages = WAYS[way](count, file)
        seconds = time.perf_counter() - began
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(seconds, megabytes, pages)


def main():
    report.heading("PDF transcripts")
    report.settings({"characters a message": len(WORDS) * 2, "paper": "A4", "giant paragraph of": GIANT})
    runs = [
        ("ours, 1,000 messages", "ours", 1_000),
        ("ours, 1,000 in three scripts", "ours-mixed", 1_000),
        ("ours, 10,000", "ours", 10_000),
        ("ours, 100,000", "ours", 100_000),
        ("one Paragraph a message, 1,000", "paragraphs", 1_000),
        (f"ours, {GIANT}", "ours", GIANT),
        (f"one giant Paragraph, {GIANT}", "giant", GIANT),
    ]
    found = {name: measure(way, count) for name, way, count in runs}
    rows = [
        (name, seconds, megabytes, pages, count / seconds)
        for (name, _way, count), (seconds, megabytes, pages) in zip(runs, found.values(), strict=True)
    ]
    report.table("each in a process of its own", ("what", "seconds", "peak MB", "pages", "messages/s"), rows)
    thousand, mixed = found["ours, 1,000 messages"][0], found["ours, 1,000 in three scripts"][0]
    many = found["ours, 100,000"][1]
    reached = [
        report.ratio(
            "speed", found["one Paragraph a message, 1,000"][0], thousand, of="one Paragraph a message"
        ),
        report.ratio(
            "speed",
            found[f"one giant Paragraph, {GIANT}"][0],
            found[f"ours, {GIANT}"][0],
            of="one giant Paragraph",
        ),
        report.ratio(
            "time allowed for 1,000", TARGET_SECONDS, max(thousand, mixed), of="time taken", target=1
        ),
        report.ratio("memory allowed for 100,000", MOST_MEGABYTES, many, of="memory taken", target=1),
    ]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_one(sys.argv[1], int(sys.argv[2]))
    else:
        sys.exit(main())
