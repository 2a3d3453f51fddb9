"""Emails as mail programs see them: parsed back from the wire."""

import json
import re
import time
from email import message_from_string, policy
from email.header import decode_header, make_header
from email.utils import parseaddr
from uuid import uuid4

import pytest
from django.conf import settings
from django.utils import timezone

from campaigns import mime, previewing, rendering, tracing, wording
from campaigns.models import Delivery
from campaigns.rendering import Person
from crm.channels import Content
from tests.factories import make_account, make_campaign, make_contact, make_smtp_server, make_template

pytestmark = pytest.mark.django_db
LINK = "http://testserver/i/abc"
UNSUBSCRIBE = "http://testserver/u/def" + "x" * 60


def filled(campaign=None, **person):
    campaign = campaign or make_campaign(smtp_server=make_smtp_server())
    given = {"email": "ada@example.com", "name": "Ada Lovelace", "link": LINK, "unsubscribe": UNSUBSCRIBE}
    given |= {"expires_at": timezone.now(), **person}
    return rendering.fill(rendering.skeleton_of(campaign), Person(**given), delivery_id=uuid4())


def parsed(email):
    return message_from_string(email.wire, policy=policy.default)


def test_both_parts_say_the_same_and_hold_the_link():
    message = parsed(filled())
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    for part in (text, html):
        assert "Hello Ada" in part
        assert LINK in part
        assert UNSUBSCRIBE in part
        assert "about 10 minutes" in part
        assert "We want to learn how people work" in part
        assert "Nora" in part
        assert "{{" not in part
    assert html.count("Begin the interview") == 1
    assert len(html.encode()) < 30_000


@pytest.mark.parametrize(("has_model", "kind"), [(True, "an AI"), (False, "an automatic")])
def test_the_email_says_what_asks(monkeypatch, has_model, kind):
    monkeypatch.setattr("personas.speaking.has_model", lambda _persona: has_model)
    message = parsed(filled())
    for part in ("plain", "html"):
        assert f"through Nora, {kind} interviewer" in message.get_body((part,)).get_content()


def test_the_headers_of_a_bulk_email_are_what_rfc_8058_asks_for():
    wire = filled().wire
    assert f"\r\nList-Unsubscribe: <{UNSUBSCRIBE}>\r\n" in wire
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in wire


def test_a_sender_at_a_domain_with_umlauts_is_written_in_ascii():
    addresses = {"from_email": "hallo@bücher.example", "reply_to": "hi@bücher.example"}
    server = make_smtp_server(from_name="Acme", **addresses)
    email = filled(make_campaign(smtp_server=server))
    assert email.wire.isascii()
    assert "\r\nReply-To: hi@xn--bcher-kva.example\r\n" in email.wire
    assert parsed(email)["From"] == "Acme <hallo@xn--bcher-kva.example>"
    assert email.message_id.endswith("@xn--bcher-kva.example>")


def test_an_address_beyond_ascii_stops_nobody_elses_email():
    """Kept by an earlier version: the mail server has the last word."""
    wire = filled(email="yıldız@example.com", name="Ahmet").wire
    assert "To: =?utf-8?q?Ahmet?= <yıldız@example.com>\r\n" in wire


@pytest.mark.parametrize(
    "html", ["<p " * 30_000, "<a b" * 25_000, '<a href="' * 10_000, "<p a=" + " " * 90_000]
)
def test_a_template_without_end_is_looked_at_quickly(html):
    started = time.process_time()
    wording.check_words(wording.Words("Hello", "", "Words", html))
    tracing.traced(html, uuid4(), opens=True, clicks=True)
    assert time.process_time() - started < 5


def test_the_message_id_is_the_delivery_at_the_senders_domain():
    email = filled()
    assert email.message_id.endswith("@rapport.example>")
    assert parsed(email)["Message-ID"] == email.message_id
    assert parsed(email)["Date"].datetime.tzinfo is not None


@pytest.mark.parametrize("name", ["Łukasz Żółć", "李小龍", "عائشة محمد", 'Quote " and, comma', "Zoë " * 30])
def test_names_of_every_script_survive_the_header(name):
    # The older parser: the newer one keeps the space between two encoded words (RFC 2047 6.2 drops it).
    to = message_from_string(filled(name=name.strip()).wire)["To"]
    display, address = parseaddr(to.replace("\r\n", ""))
    assert str(make_header(decode_header(display))) == name.strip()
    assert address == "ada@example.com"
    assert all(len(line) < 998 for line in filled(name=name).wire.splitlines())


def test_a_subject_of_another_script_survives():
    template = make_template(subject="Zażółć {{ name }} – gęślą jaźń, " + "長い" * 20)
    message = parsed(filled(make_campaign(template=template), name="李"))
    assert message["Subject"] == "Zażółć 李 – gęślą jaźń, " + "長い" * 20


@pytest.mark.parametrize("evil", ["Ada\r\nBcc: all@example.com", "Ada\nX: y", "Ada\u2028X", "Ada\0"])
def test_a_line_break_in_a_name_is_refused(evil):
    with pytest.raises(mime.HeaderInjectionError):
        filled(name=evil)


def test_a_person_is_escaped_in_html_and_only_there():
    email = filled(name="<b>Ada</b> & co")
    assert "<b>Ada</b>" in email.text
    assert "<b>Ada</b>" not in email.html
    assert "&lt;b&gt;Ada" in email.html


def test_braces_in_a_goal_are_only_text():
    campaign = make_campaign()
    campaign.guide.goal = "Learn {{ link }} & <i>more</i>"
    campaign.guide.save()
    email = filled(campaign)
    assert "Learn {{ link }} & <i>more</i>" in email.text
    assert "&lt;i&gt;more" in email.html


def test_columns_of_the_import_are_placeholders():
    template = make_template(text="In {{ team|your team }}: {{ link }}")
    campaign = make_campaign(template=template)
    assert "In Ops: http" in filled(campaign, columns={"Team": "Ops"}).text
    assert "In your team: http" in filled(campaign).text


def test_a_template_without_the_link_gets_a_button_all_the_same():
    email = filled(make_campaign(template=make_template(text="Hello.")))
    assert LINK in email.text
    assert email.html.count("Begin the interview") == 1


BUTTON = r'<a href="http://testserver/i/abc"[^>]*>Begin the interview</a>'
BARE = r'Or open this link:<br><a [^>]*href="http://testserver/i/abc"[^>]*>http://testserver/i/abc</a>'


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("Dear you,\n\nBegin here: {{ link }}\n\nThank you", "Begin here:</p>", "Thank you</p>"),
        ("Begin here:\n{{ link }}\nThank you", "Begin here:</p>", ">Thank you</p>"),
        ("Hello\n\n{{ link }}\n\nThank you", "Hello</p>", "Thank you</p>"),
        ("You can begin at {{ LINK|soon }}.\n\nThank you", "You can begin at:</p>", "Thank you</p>"),
        ("ابدأ هنا، {{ link }}\n\nThank you", "ابدأ هنا،</p>", "Thank you</p>"),
    ],
)
def test_a_line_that_leads_to_the_link_becomes_the_button_with_the_bare_link_below(text, before, after):
    html = filled(make_campaign(template=make_template(text=text))).html
    button, bare = re.search(BUTTON, html), re.search(BARE, html)
    assert html.index(before) < button.start() < bare.start() < html.index(after)
    assert (html.count("Begin the interview"), html.count(f">{LINK}</a>")) == (1, 1)


def test_a_link_inside_a_sentence_stays_there_and_the_button_follows():
    html = filled(make_campaign(template=make_template(text="Open {{ link }} when you like.\n\nBye."))).html
    assert html.index(f">{LINK}</a> when") < html.index("Bye.") < re.search(BUTTON, html).start()


def test_braces_in_words_of_another_app_are_only_text():
    content = Content("Hi", "As you wrote: {{ link }}", button_url=LINK, button_label="Open it")
    skeleton = rendering.lay_out_content(content, contact=make_contact(), server=make_smtp_server())
    email = rendering.fill(skeleton, Person("ada@example.com", link=LINK), delivery_id=uuid4())
    assert "As you wrote: {{ link }}" in email.text
    assert "As you wrote: {{ link }}</p>" in email.html
    assert email.html.count("Open it") == 1


def test_the_example_reads_well_in_both_parts():
    words = json.loads((settings.BASE_DIR / "demo" / "invitation.json").read_text())
    email = filled(make_campaign(template=make_template(**words)))
    assert f":\n{LINK}\n" in email.text
    assert re.search(BUTTON, email.html)
    assert len(email.subject) < 60


def test_the_email_speaks_the_guides_language_and_direction():
    campaign = make_campaign()
    campaign.guide.language = "ar"
    campaign.guide.save()
    assert '<html lang="ar" dir="rtl">' in filled(campaign).html


def test_long_lines_are_wrapped_for_the_wire():
    email = filled(make_campaign(template=make_template(text="word " * 500 + "{{ link }}")))
    assert max(len(line) for line in email.wire.split("\r\n")) < 998
    assert "word " * 500 in parsed(email).get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("field", "words", "said"),
    [
        ("subject", {"subject": ""}, "needs a subject"),
        ("subject", {"subject": "a\nBcc: b"}, "line break"),
        ("subject", {"subject": "{{ nmae }}"}, "Did you mean"),
        ("subject", {"subject": "{{ link }}"}, "no place"),
        ("text", {"text": " "}, "text"),
        ("text", {"text": "{{ unsubscribee }}"}, "unsubscribe"),
        ("html", {"html": "<script>x</script>"}, "script"),
        ("html", {"html": "<p onclick='x()'>x</p>"}, "scripts"),
        ("html", {"html": '<a href="javascript:x()">x</a>'}, "scripts"),
        ("html", {"html": "<html><body>x</body></html>"}, "inside"),
    ],
)
def test_a_template_that_cannot_work_is_refused_with_the_field(field, words, said):
    given = {"subject": "Hi", "preheader": "", "text": "Hello {{ link }}", "html": "", **words}
    with pytest.raises(wording.TemplateError, match=said) as refused:
        wording.check_words(wording.Words(**given))
    assert refused.value.field == field


def test_a_long_subject_is_only_advised_against():
    advice = wording.check_words(wording.Words("x" * 61, "a line", "Hello"))
    assert any("60" in words for words in advice)


def test_a_preview_makes_no_row_and_no_live_link():
    campaign = make_campaign(people=1)
    email = previewing.sample(campaign)
    assert not Delivery.objects.exists()
    assert not campaign.guide.interviews.exists()
    assert previewing.SAMPLE_LINK in email.text


def test_a_preview_as_somebody_uses_their_columns():
    campaign = make_campaign(template=make_template(text="In {{ team|your team }}: {{ link }}"))
    person = campaign.recipients.create(
        contact=make_contact(make_account(), name="Grace Hopper"), fields={"team": "Navy"}
    )
    email = previewing.sample(campaign, recipient=person)
    assert "In Navy" in email.text
    assert email.subject.startswith("Grace")


def test_ink_is_readable_on_every_accent():
    assert rendering.ink_on("#0b6e5f") == "#ffffff"
    assert rendering.ink_on("#ffe680") == "#000000"


def test_first_names_are_found_in_both_orders():
    assert [rendering.first_name(n) for n in ("Ada Lovelace", "Lovelace, Ada", "", "Ada")] == [
        "Ada",
        "Ada",
        "",
        "Ada",
    ]
