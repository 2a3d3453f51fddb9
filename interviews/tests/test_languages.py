"""An interview's pages in the language of its guide, where they have words of it."""

import ast
import re
from gettext import GNUTranslations
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils import timezone

from crm import talk
from crm.models import AccessLink, Message
from interviews.languages import named, spoken
from interviews.tests.holding import begin, hold, invite
from tests.factories import make_guide

LANGUAGES = ("de", "pl")
CATALOGUES = {one: settings.BASE_DIR / "locale" / one / "LC_MESSAGES" for one in LANGUAGES}
# What a person reads who is interviewed.
MODULES = ("page_values", "starting", "fresh_links", "transcripts", "records", "steps")
TEMPLATES = sorted(path.name for path in (settings.BASE_DIR / "templates" / "interviews").glob("*.html"))
GETTEXT = {"_", "gettext", "ngettext", "pgettext"}


def in_module(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in GETTEXT:
            words = [one.value for one in node.args if isinstance(one, ast.Constant)]
            yield words[-1] if node.func.id == "pgettext" else words[0]


def in_template(name):
    nodes = get_template(name).template.nodelist
    for node in nodes.get_nodes_by_type(TranslateNode):
        yield node.filter_expression.var.literal
    for node in nodes.get_nodes_by_type(BlockTranslateNode):
        yield node.render_token_list(node.singular)[0]


def words_of(catalogue):
    with (catalogue / "django.mo").open("rb") as file:
        return GNUTranslations(file)._catalog


def _plain(key):
    """The English words: a plural form is a pair, a context stands before them."""
    return (key[0] if isinstance(key, tuple) else key).rpartition("\x04")[2]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_that_a_person_reads_is_translated(language):
    paths = [Path(settings.BASE_DIR) / "interviews" / f"{name}.py" for name in MODULES]
    asked = {words for path in paths for words in in_module(path)}
    asked |= {words for name in TEMPLATES for words in in_template(f"interviews/{name}")}
    emails = ("campaigns/email.html", "campaigns/email.txt", "campaigns/unsubscribe.html")
    asked |= {words for name in emails for words in in_template(name)}
    known = {_plain(key) for key in words_of(CATALOGUES[language])}
    assert asked - known == set()
    assert len(asked) > 150


@pytest.mark.parametrize("language", LANGUAGES)
def test_placeholders_survive_translation(language):
    for key, translated in words_of(CATALOGUES[language]).items():
        source = _plain(key)
        if source:
            wanted = sorted(re.findall(r"%\(\w+\)[sd]|\{\w+\}|</?\w+", source))
            assert sorted(re.findall(r"%\(\w+\)[sd]|\{\w+\}|</?\w+", translated)) == wanted


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_runs_is_what_is_written(language):
    """django.mo is made of django.po by msgfmt, and committed: nobody needs a tool to run it."""
    written = (CATALOGUES[language] / "django.po").read_text()
    told = {ast.literal_eval(one) for one in re.findall(r'^msgstr(?:\[\d\])? (".*")$', written, re.M)}
    assert {one for one in words_of(CATALOGUES[language]).values() if "Plural-Forms" not in one} == told - {
        ""
    }


@pytest.mark.parametrize(
    ("language", "known"), [("de", "de"), ("de-at", "de-at"), ("pl", "pl"), ("ar", "en"), ("", "en")]
)
def test_a_page_is_in_a_language_that_it_has_words_of(language, known):
    assert spoken(language) == known


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "attributes", "words"),
    [
        ("de", 'lang="de" dir="ltr"', "Einverstanden, beginnen"),
        ("ar", 'lang="en" dir="ltr"', "I agree, begin"),
    ],
)
def test_the_first_page_speaks_the_language_of_its_guide(client, language, attributes, words):
    invitation = invite(make_guide(language=language))
    page = client.get(
        f"/i/{invitation.token}", follow=True, headers={"Accept-Language": "fr"}
    ).content.decode()
    assert f"<html {attributes}" in page
    assert words in page
    assert f'lang="{language}">We want to learn how people work' in page


@pytest.mark.django_db
def test_the_pages_around_an_interview_speak_its_language_too(client):
    invitation = invite(make_guide(language="de"))
    client.get(f"/i/{invitation.token}")
    AccessLink.objects.update(expires_at=timezone.now())
    for page in (f"/i/{invitation.token}", f"/chat/{invitation.interview.conversation_id}"):
        shown = client.get(page).content.decode()
        assert "Dieser Link ist abgelaufen" in shown
        assert 'name="language" value="de"' in shown
    sent = client.post("/i/fresh", {"reference": "", "language": "de"}).content.decode()
    assert "Sehen Sie in Ihr Postfach" in sent
    assert "Ihre Antworten sind gelöscht" in client.get("/i/deleted?language=de").content.decode()


@pytest.mark.parametrize("language", ["", "xx", "../../de", "de'><b>", "ar"])
def test_what_names_no_language_of_ours_is_english(language):
    assert named(language) == "en"


@pytest.mark.django_db
def test_staff_who_join_speak_of_it_in_the_persons_language(admin_user):
    interview = begin(make_guide(language="pl"))
    talk.take_over(interview.conversation, admin_user)
    talk.hand_back(interview.conversation)
    notes = Message.objects.filter(author="system").order_by("seq").values_list("text", flat=True)
    assert [note.split()[0] for note in notes] == ["Do", "Dalej"]


@pytest.mark.django_db
def test_a_german_button_means_what_its_english_one_means():
    interview = hold(
        make_guide(language="de"), answers=("Ich bin Pfleger auf einer Station.", "Bitte zurück.")
    )
    acts = Message.objects.filter(author="person").order_by("seq").values_list("act", flat=True)
    assert list(acts) == ["answer", "back"]
    assert interview.state == "started"
