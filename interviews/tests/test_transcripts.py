"""What is written comes out again: every PDF here is read back by another library."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pypdfium2
import pytest

from interviews.tests.holding import ANSWERS, hold
from interviews.transcripts import Answered, Spoken, Transcript, render

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def spoken(*texts, **fields):
    return [
        Spoken(
            "Zoë" if number % 2 else "Nora", NOW + timedelta(minutes=number), text, bool(number % 2), **fields
        )
        for number, text in enumerate(texts)
    ]


def transcript(*texts, **fields):
    fields.setdefault("spoken", spoken(*texts))
    fields.setdefault("facts", (("Person", "Zoë Żółć"),))
    return Transcript(title="How people work", organisation="Acme", **fields)


@pytest.fixture
def written(tmp_path):
    def write(content):
        file = Path(tmp_path) / "transcript.pdf"
        pages = render(content, file)
        document = pypdfium2.PdfDocument(file.read_bytes())
        assert len(document) == pages
        return document

    return write


def text_of(document):
    return "\n".join(page.get_textpage().get_text_range() for page in document).replace("\r\n", "\n")


def test_words_come_out_as_they_went_in_and_in_order(written):
    text = text_of(written(transcript("What do you do?", "I am a nurse.", "And then?", "Then I sleep.")))
    places = [
        text.index(words) for words in ("What do you do?", "I am a nurse.", "And then?", "Then I sleep.")
    ]
    assert places == sorted(places)
    assert "Zoë" in text


def test_times_say_their_zone(written):
    text = text_of(written(transcript("Hello", time_zone="Europe/Berlin")))
    assert "20 Nov 2026, 11:00 CET" in text


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "", "x" * 500])
def test_a_zone_nobody_knows_is_utc(written, zone):
    assert "20 Nov 2026, 10:00 UTC" in text_of(written(transcript("Hello", time_zone=zone)))


@pytest.mark.parametrize("language", ["ar", "de-CH", "tlh", "not a language"])
def test_any_language_of_a_guide_gives_a_document(written, language):
    assert "Hello" in text_of(written(transcript("Hello", language=language)))


@pytest.mark.parametrize(
    "words",
    [
        "Zażółć gęślą jaźń",
        "Οι άνθρωποι μιλούν",
        "Люди говорят",
        "你好，世界",
        "こんにちは",
        "안녕하세요",
        "<b>bold</b> &amp; <para> & </para>",
        "100 % of {braces} and %(name)s",
    ],
)
def test_every_script_and_every_mark_is_text(written, words):
    assert words in text_of(written(transcript(words)))


@pytest.mark.parametrize("words", ["مرحبا بالعالم هذا نص", "שלום עולם", "لا إله قَدْ كَتَبَ"])
def test_right_to_left_text_reads_in_its_order(written, words):
    assert words in text_of(written(transcript(words)))


def test_arabic_letters_are_joined():
    from interviews.arabic import joined

    assert joined("سلام", lambda code: True) == "ﺳﻼﻡ"
    assert joined("می\u200cخواهم", lambda code: True) == "ﻣﯽﺧﻮﺍﻫﻢ"


def test_brackets_turn_with_the_text_around_them():
    from interviews.typesetting import _visual

    assert _visual("שלום (test) עולם", is_rtl=True) == "םלוע (test) םולש"
    assert _visual("say (שלום) now", is_rtl=False) == "say (םולש) now"


def test_what_the_font_lacks_is_replaced_visibly_and_said(written):
    text = text_of(written(transcript("A party 🎉 and 𓀀 and हिन्दी and \x07 and \x00.")))
    assert "[party popper]" in text
    assert "▯" in text
    assert "stands for a character" in text


def test_emoji_of_several_parts_are_named_by_their_parts(written):
    assert "[thumbs up sign] ok" in text_of(written(transcript("👍🏽 ok")))


def test_a_long_word_is_broken_and_nothing_is_lost(written):
    word = "abcdefghij" * 3_000
    document = written(transcript(word))
    body = "".join(text_of(document).split())
    assert sum(body.count(letter) for letter in "j") >= 3_000
    assert len(document) > 5


def test_a_word_that_would_not_fit_stays_within_the_margins(written):
    document = written(transcript("W" * 500))
    page = document[1]
    width = page.get_width()
    textpage = page.get_textpage()
    edges = [textpage.get_charbox(index)[2] for index in range(textpage.count_chars())]
    assert max(edges) <= width - 60


def test_pages_are_numbered_x_of_y(written):
    document = written(transcript(*["Some words that were said. " * 20] * 30))
    total = len(document)
    assert total > 4
    for number, page in enumerate(document, 1):
        assert f"Page {number} of {total}" in " ".join(page.get_textpage().get_text_range().split())


def test_no_message_is_lost_where_pages_or_batches_meet(written):
    said = [f"message-{number}-ends" for number in range(650)]
    text = text_of(written(transcript(*said)))
    assert [words for words in said if words not in text] == []


def test_the_document_names_itself_and_its_language(written, tmp_path):
    document = written(transcript("Hallo", language="de", reference="7"))
    metadata = document.get_metadata_dict()
    assert (metadata["Title"], metadata["Author"], metadata["Keywords"]) == ("How people work", "Acme", "7")
    assert b"/Lang (de)" in (tmp_path / "transcript.pdf").read_bytes()


def test_questions_are_in_the_outline(written):
    talk = [*spoken("What do you do?", heading="Your work"), *spoken("Which tools?", heading="Your tools")]
    document = written(transcript(spoken=talk, answers=(Answered("What do you do?", "Nursing"),)))
    titles = [bookmark.get_title() for bookmark in document.get_toc()]
    assert titles == ["The talk", "Your work", "Your tools", "Answers by question"]


def test_the_same_transcript_gives_the_same_bytes(tmp_path):
    first, second = tmp_path / "1.pdf", tmp_path / "2.pdf"
    for file in (first, second):
        render(transcript("Hello 你好 مرحبا 🎉", "Yes"), file)
    assert first.read_bytes() == second.read_bytes()


def test_the_account_chooses_the_paper(written):
    assert written(transcript("Hi", page_size="letter"))[0].get_size() == (612, 792)
    assert written(transcript("Hi"))[0].get_size() == pytest.approx((595.28, 841.89), abs=0.1)


def test_unicode_fonts_are_embedded(tmp_path):
    file = tmp_path / "fonts.pdf"
    render(transcript("Zażółć"), file)
    assert file.read_bytes().count(b"/FontFile2") >= 2


def test_an_empty_talk_is_still_a_document(written):
    assert len(written(transcript())) >= 2


@pytest.mark.django_db
def test_the_pages_of_an_interview_show_facts_skips_corrections_and_answers(written):
    from interviews.records import transcript_of

    correction = "I want to change my answer to the second question: only a whiteboard."
    interview = hold(answers=[ANSWERS[0], ANSWERS[1], correction, "skip"])
    text = " ".join(text_of(written(transcript_of(interview))).split())
    assert "Ada Lovelace" in text
    assert "How people work, version 1" in text
    assert "No AI model was in use" in text
    assert "Corrects the answer to “Your tools”" in text
    assert "Skips this question" in text
    assert text.index("Answers by question") < text.rindex("only a whiteboard")
    assert "Corrected" in text
