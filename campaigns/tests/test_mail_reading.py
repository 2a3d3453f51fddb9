"""Emails made to break a reader are read, quickly, and nothing a database refuses comes out."""

import time

import pytest

from campaigns import bounces, mail_reading, recognising
from campaigns.tests.letters import letter


def storable(mail):
    values = [mail.subject, mail.text, mail.from_email, mail.from_name, mail.message_id, *mail.to]
    values += [one.name for one in mail.attachments]
    for value in values:
        assert "\0" not in value
        value.encode("utf-8")
    return mail


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00" * 100,
        b"\xff\xfe" * 50,
        b"no headers at all",
        b"From:\r\nSubject:\r\n\r\n",
        b"From: =?nonsense?q?=00=ff?= <x@y.z>\r\nSubject: =?utf-8?b?!!!!?= =?x-unknown?q?a?=\r\n\r\nx",
        b"Subject: a\x00b\r\nFrom: a\x00@b.c\r\n\r\nx\x00y",
        b'Content-Type: text/plain; charset="\x00"\r\n\r\nhello',
        b"Content-Type: text/plain; charset=rot13\r\n\r\nhello",
        b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 50_000,
        b"Content-Type: text/plain; charset=idna\r\n\r\n" + b"a" * 100_000,
        b"Content-Type: text/plain; charset=utf-7\r\n\r\n+2AA-",
        b"Content-Type: text/plain; charset*=''%00\r\n\r\nhello",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!!=====",
        b"Content-Transfer-Encoding: uuencode\r\n\r\nbegin 644 x\nM\n",
        b"Content-Type: multipart/mixed\r\n\r\nno boundary",
        b'Content-Type: multipart/mixed; boundary=""\r\n\r\n--\r\n\r\nx',
        b"Content-Type: message/rfc822\r\n\r\nContent-Type: message/rfc822\r\n\r\n",
        b"Content-Disposition: attachment; filename*=utf-99''%ff%00\r\n\r\nx",
        b"Content-Disposition: attachment; filename*0*=a; filename*9=b\r\n\r\nx",
        b"Date: Thu, 99 Nov 99999 99:99:99 +9999\r\n\r\nx",
        b"Message-ID: <<>><>\r\nIn-Reply-To: <" + b"a" * 1000 + b">\r\n\r\nx",
        b"To: " + b"," * 5000 + b"\r\n\r\nx",
        b'From: "' + b"(" * 5000 + b'" <a@b.c>\r\n\r\nx',
        b"Subject: " + "\ud800".encode("utf-8", "surrogatepass") + b"\r\n\r\nx",
    ],
)
def test_nothing_breaks_the_reader(raw):
    mail = storable(mail_reading.read(raw))
    bounces.report_in(mail)
    recognising.is_automatic(mail)
    recognising.without_quote(mail.text)


def nested(depth):
    head = b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n) for n in range(depth)
    )
    return b"From: a@b.c\r\nSubject: deep\r\n" + head + b"Content-Type: text/plain\r\n\r\nat the bottom\r\n"


BOMBS = {
    "parts inside each other": nested(3000),
    "many parts": b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 100_000,
    "a long header": b"To: " + b"a@b.c, " * 300_000 + b"\r\n\r\nx",
    "many headers": b"X-A: b\r\n" * 200_000 + b"\r\nx",
    "a long encoded subject": b"Subject: " + b"=?utf-8?q?a?= " * 100_000 + b"\r\n\r\nx",
    "many references": b"References: " + b"<a@b.c> " * 200_000 + b"\r\n\r\nx",
    "a long line": b"Subject: x\r\n\r\n" + b"y" * 5_000_000,
    "html without an end": b"Content-Type: text/html\r\n\r\n" + b"<div>" * 200_000,
    "tags without an end": b"Content-Type: text/html\r\n\r\n" + b"<a '" * 25_000,
    "comments without an end": b"Content-Type: text/html\r\n\r\n" + b"<!--" * 25_000,
    "quotes in turns": b"Subject: x\r\n\r\n" + b">a\r\nb\r\n" * 16_000,
    "quotes": b"Subject: x\r\n\r\n" + b"> a\r\n" * 200_000 + b"end",
    "attributions": b"Subject: x\r\n\r\n" + b"On a b c d e f\r\n" * 100_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_seconds_not_minutes(name):
    started = time.process_time()
    mail = storable(mail_reading.read(BOMBS[name]))
    bounces.report_in(mail)
    recognising.without_quote(mail.text)
    assert time.process_time() - started < 10
    assert len(mail.text) <= mail_reading.MOST_TEXT


def test_html_alone_is_read_as_words():
    html = b"<html><head><style>p{}</style></head><body><p>Yes,</p><p>gladly.<img src='http://x/y.png'></p></body>"
    mail = mail_reading.read(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html)
    assert mail.text == "Yes,\n\ngladly." or mail.text == "Yes,\ngladly."


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>I am <b>very</b> happy, see <a href=x>this</a> page.</p>", "I am very happy, see this page."),
        ("<html><head><title>t</title><body>no</head>", "no"),
        ("<p>One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<a href='x>y'>z</a> 1<2 a < b &lt;c&gt; caf&eacute;", "z 1<2 a < b <c> café"),
        ("<!-- <p>no</p> -->yes<script>if(a<b){'</p>'}</script>!<style>p{}", "yes!"),
        ("<img alt='it's'>after<svg/> all <p", "after all"),
        ("<P>UP</P><o:p>o</o:p>&#xD800;", "UP\no�"),
    ],
)
def test_html_reads_as_a_person_would_read_it(html, words):
    mail = mail_reading.read(b"Content-Type: text/html; charset=utf-8\r\n\r\n" + html.encode())
    assert mail.text == words


def test_an_html_quote_is_marked():
    html = b"<p>Yes.</p><blockquote><p>Shall we?</p></blockquote>"
    mail = mail_reading.read(b"Content-Type: text/html\r\n\r\n" + html)
    own, quoted = recognising.without_quote(mail.text)
    assert own == "Yes."
    assert "Shall we?" in quoted


def test_encoded_words_are_decoded_and_the_address_is_the_real_one():
    raw = letter(sender="=?utf-8?q?=22boss=40example=2Ecom=22_=3Cx=40y=2Ez=3E?= <ada@example.com>")
    mail = mail_reading.read(raw)
    assert mail.from_email == "ada@example.com"
    assert mail.from_name == '"boss@example.com" <x@y.z>'


def test_attachments_are_named_and_not_kept():
    raw = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
        b"--b\r\nContent-Type: text/plain\r\n\r\nSee it.\r\n"
        b'--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename="cv.pdf"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\nJVBERi0=\r\n--b--\r\n"
    )
    mail = mail_reading.read(raw)
    assert mail.text.strip() == "See it."
    assert [(one.name, one.kind, one.size_bytes) for one in mail.attachments] == [
        ("cv.pdf", "application/pdf", 5)
    ]


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Yes.\n\nAm 23.11.2026 schrieb Rapport <a@b.c>:\n> Hallo", "Yes."),
        ("Tak.\n\nW dniu 23.11.2026 Rapport napisał(a):\n> Cześć", "Tak."),
        ("Oui.\n\nLe lun. 23 nov. 2026, Rapport <a@b.c> a écrit :\n> Bonjour", "Oui."),
        ("Yes.\n\n-----Original Message-----\nFrom: a@b.c\nHello", "Yes."),
        ("Yes.\n\n________________________________\nFrom: Rapport <a@b.c>\nHello", "Yes."),
        (
            "> Shall we?\nYes, gladly.\n> Ten minutes?\nThat suits me.",
            "> Shall we?\nYes, gladly.\n> Ten minutes?\nThat suits me.",
        ),
        ("On Monday Rapport wrote:\n> Shall we?\n\nYes, below.", "Yes, below."),
        ("A > B, as I said on Monday.", "A > B, as I said on Monday."),
    ],
)
def test_quotes_are_told_from_what_was_written(text, own):
    assert recognising.without_quote(text)[0] == own
