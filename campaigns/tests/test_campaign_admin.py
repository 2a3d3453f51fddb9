"""What staff see and do in the admin."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns import importing, inviting, sending, states
from campaigns.admin.looks import moment
from campaigns.admin.servers import LIMITS
from campaigns.models import Campaign, ContactImport, Delivery, EmailTemplate, SmtpServer
from campaigns.tests.running import queued_campaign, send
from config.api.models import AuditEntry
from tests.factories import (
    make_account,
    make_campaign,
    make_contact,
    make_guide,
    make_smtp_server,
    make_template,
)
from tests.fakes.smtp_sink import DROP, Script, SmtpSink

pytestmark = pytest.mark.django_db


def at(name, *args):
    return reverse(f"admin:campaigns_{name}", args=args)


def no_parts(**counts):
    """The builder's form with so many follow-ups, schedules and A/B tests in it."""
    names = {"steps": 0, "schedule": 0, "split_test": 0} | counts
    totals = {f"{name}-TOTAL_FORMS": count for name, count in names.items()}
    return totals | {f"{name}-INITIAL_FORMS": 0 for name in names}


def sent_campaign(people=2):
    campaign = make_campaign(people=people)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    return campaign


@pytest.mark.parametrize(
    "name", ["campaign", "recipient", "delivery", "emailtemplate", "smtpserver", "contactimport"]
)
def test_every_list_opens_and_searches(admin_client, name):
    sent_campaign()
    make_smtp_server()
    assert admin_client.get(at(f"{name}_changelist")).status_code == 200
    assert admin_client.get(at(f"{name}_changelist"), {"q": "ada"}).status_code == 200


@pytest.mark.parametrize("name", ["campaign", "recipient", "delivery"])
def test_lists_need_the_same_queries_however_long_they_are(admin_client, name, django_assert_max_num_queries):
    for _number in range(4):
        sent_campaign(people=3)
    with django_assert_max_num_queries(14):
        admin_client.get(at(f"{name}_changelist"))


@pytest.mark.parametrize("name", ["campaign", "emailtemplate", "smtpserver"])
def test_forms_for_new_ones_open(admin_client, name):
    assert admin_client.get(at(f"{name}_add")).status_code == 200


@pytest.mark.parametrize("name", ["smtpserver_change", "mailbox_change", "campaign_preview_live"])
def test_a_number_without_end_is_no_row(admin_client, name):
    """Python refuses to read more than 4,300 digits."""
    endless, campaign = "9" * 5000, make_campaign()
    about, query = (campaign.pk, {"smtp_server": endless}) if "preview" in name else (endless, {})
    assert admin_client.get(at(name, about), query).status_code in (200, 302)


def test_the_page_of_a_campaign_shows_its_figures_and_moves(admin_client):
    campaign = make_campaign(people=3)
    page = admin_client.get(at("campaign_change", campaign.pk)).content.decode()
    assert at("campaign_move", campaign.pk, "start") in page
    assert at("campaign_move", campaign.pk, "pause") not in page
    assert 'data-figure="left">3<' in page


def test_a_campaign_without_people_asks_for_them_first(admin_client):
    campaign = make_campaign()
    primary = 'class="rc-button rc-primary" href="{}"'
    page = admin_client.get(at("campaign_change", campaign.pk)).content.decode()
    assert primary.format(at("campaign_import", campaign.pk)) in page
    campaign.recipients.create(contact=make_contact())
    page = admin_client.get(at("campaign_change", campaign.pk)).content.decode()
    assert primary.format(at("campaign_move", campaign.pk, "start")) in page


@pytest.mark.parametrize("name", ["campaign_import", "campaign_preview"])
def test_the_pages_of_a_campaign_lead_back_to_it_and_to_the_list(admin_client, name):
    campaign = make_campaign(people=1)
    page = admin_client.get(at(name, campaign.pk)).content.decode()
    assert f'href="{at("campaign_change", campaign.pk)}"' in page
    assert f'href="{at("campaign_changelist")}" class="block' in page


def test_a_recipient_shows_the_columns_of_the_import_as_they_were_written(admin_client):
    campaign = make_campaign()
    person = campaign.recipients.create(contact=make_contact(), fields={"city": "Gdańsk <b>"})
    page = admin_client.get(at("recipient_change", person.pk)).content.decode()
    assert "Gdańsk &lt;b&gt;" in page


def test_times_are_relative_within_a_day_and_absolute_after():
    now = datetime(2026, 3, 4, 15, 30, tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        assert moment(now - timedelta(hours=2)).replace("\xa0", " ") == "2 hours ago"
        assert moment(now - timedelta(days=2)) == "2 Mar 2026, 15:30"
    assert moment(None) == "–"


def test_starting_says_how_many_people_it_touches_and_then_starts(
    admin_client, django_capture_on_commit_callbacks
):
    campaign = make_campaign(people=3)
    path = at("campaign_move", campaign.pk, "start")
    assert "3 people will be invited" in admin_client.get(path).content.decode()
    assert Campaign.objects.get().state == "draft"
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(path)
    assert Campaign.objects.get().state == "finished"


def test_a_campaign_is_paused_resumed_and_cancelled(admin_client):
    campaign = make_campaign(people=1)
    states.begin(campaign.pk)
    for move, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        assert admin_client.get(at("campaign_move", campaign.pk, move)).status_code == 200
        admin_client.post(at("campaign_move", campaign.pk, move))
        assert Campaign.objects.get().state == state
    assert admin_client.post(at("campaign_move", campaign.pk, "cancel")).status_code == 302
    assert admin_client.post(at("campaign_move", campaign.pk, "nonsense")).status_code == 302


def test_progress_is_asked_for_by_the_page(admin_client):
    campaign = sent_campaign()
    figures = admin_client.get(at("campaign_progress", campaign.pk)).json()
    assert (figures["sent"], figures["left"], figures["percent"]) == (2, 0, 100)


def test_saving_a_campaign_does_not_write_an_old_state_back(admin_client):
    campaign = make_campaign(people=1)
    data = {
        **no_parts(),
        "name": "Renamed",
        "guide": str(campaign.guide_id),
        "template": str(campaign.template_id),
        "smtp_server": "",
    }
    response = admin_client.post(at("campaign_change", campaign.pk), data)
    assert response.status_code == 302, response.context["errors"]
    assert Campaign.objects.get().name == "Renamed"


def test_people_are_imported_after_a_look(admin_client, django_capture_on_commit_callbacks):
    campaign = make_campaign()
    file = SimpleUploadedFile("p.csv", b"email,name\nada@example.com,Ada\nbad,=1+1\n")
    path = at("campaign_import", campaign.pk)
    assert admin_client.get(path).status_code == 200
    response = admin_client.post(path, {"file": file})
    kept = ContactImport.objects.get()
    look = at("campaign_import_look", campaign.pk, kept.pk)
    assert response["Location"] == look
    page = admin_client.get(look).content.decode()
    assert "Import 1 person" in page
    assert not campaign.recipients.exists()
    errors = admin_client.get(at("campaign_import_errors", campaign.pk, kept.pk))
    assert b"'=1+1" in errors.getvalue()
    with django_capture_on_commit_callbacks(execute=True):
        admin_client.post(look)
    assert campaign.recipients.count() == 1
    assert admin_client.get(look).status_code == 200
    progress = admin_client.get(at("campaign_import_progress", campaign.pk, kept.pk)).json()
    assert (progress["state"], progress["done"]) == ("done", 2)


def uploaded(admin_client, campaign, content):
    path = at("campaign_import", campaign.pk)
    return admin_client.post(path, {"file": SimpleUploadedFile("p.csv", content)}, follow=True)


def test_columns_that_are_not_clear_are_asked_for(admin_client):
    campaign = make_campaign()
    page = uploaded(admin_client, campaign, b"Wer;Adresse\nAda;ada@example.com\n").content.decode()
    assert "No column is called" in page
    kept = ContactImport.objects.get()
    choice = {"column-0": "name", "column-1": "email", "delimiter": ";"}
    page = admin_client.post(at("campaign_import_columns", campaign.pk, kept.pk), choice, follow=True)
    assert "Import 1 person" in page.content.decode()


def test_a_guessed_encoding_is_told_and_can_be_chosen_anew(admin_client):
    campaign = make_campaign()
    page = uploaded(admin_client, campaign, "email;name\na@example.com;Ñandú\n".encode("cp1252"))
    text = page.content.decode()
    assert "The encoding is a guess." in text
    assert "Central European (Windows-1250): Ńandú" in text
    kept = ContactImport.objects.get()
    choice = {"column-0": "email", "column-1": "name", "delimiter": ";", "encoding": "cp1250"}
    admin_client.post(at("campaign_import_columns", campaign.pk, kept.pk), choice)
    kept.refresh_from_db()
    assert (kept.encoding, kept.state) == ("cp1250", "checked")


def test_another_separator_divides_the_columns_anew(admin_client):
    campaign = make_campaign()
    uploaded(admin_client, campaign, b"email|a;b|name\nada@example.com|x;y|Ada\n")
    kept = ContactImport.objects.get()
    assert kept.delimiter == "|"
    choice = {f"column-{n}": "" for n in range(3)} | {"delimiter": ";"}
    page = admin_client.post(at("campaign_import_columns", campaign.pk, kept.pk), choice, follow=True)
    assert "No column is called" in page.content.decode()
    choice = {"column-0": "email", "column-1": "", "column-2": "name", "delimiter": "|"}
    admin_client.post(at("campaign_import_columns", campaign.pk, kept.pk), choice)
    kept.refresh_from_db()
    assert (kept.state, kept.counts["new"]) == ("checked", 1)


def test_a_hostile_file_is_refused_on_the_page(admin_client):
    path = at("campaign_import", make_campaign().pk)
    response = admin_client.post(path, {"file": SimpleUploadedFile("p.csv", b"email\nada\0@example.com\n")})
    assert response.status_code == 400
    assert "NUL" in response.content.decode()
    assert admin_client.post(path).status_code == 400


def test_an_email_of_the_outbox_is_read_with_its_links(admin_client):
    sent_campaign(people=1)
    delivery = Delivery.objects.get()
    page = admin_client.get(at("delivery_change", delivery.pk)).content.decode()
    assert "http://testserver/i/" in page
    assert 'sandbox="allow-popups' in page
    framed = admin_client.get(at("delivery_html", delivery.pk))
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    policy = framed["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "frame-ancestors 'self'" in policy
    assert b'<base target="_blank">' in framed.content


@pytest.mark.parametrize(("choice", "state"), [("sent", "sent"), ("again", "queued")])
def test_staff_settle_an_unknown_email(admin_client, choice, state):
    with SmtpSink(Script(after_dot=[DROP])) as sink:
        send(queued_campaign(sink, people=1))
    delivery = Delivery.objects.get()
    assert admin_client.get(at("delivery_settle", delivery.pk)).status_code == 403
    admin_client.post(at("delivery_settle", delivery.pk), {"as": choice})
    assert Delivery.objects.get().state == state


def test_unknown_emails_are_sent_again_from_the_list(admin_client):
    with SmtpSink(Script(after_dot=[DROP])) as sink:
        send(queued_campaign(sink, people=1))
    data = {"action": "send_again", "_selected_action": [str(Delivery.objects.get().pk)]}
    page = admin_client.post(at("delivery_changelist"), data).content.decode()
    assert "will get it twice" in page
    assert "Send 1 email again" in page
    assert Delivery.objects.get().state == "unknown"
    admin_client.post(at("delivery_changelist"), {**data, "confirmed": "yes"})
    assert Delivery.objects.get().state == "queued"
    assert AuditEntry.objects.get(action="sent unknown emails again").detail == {"emails": 1}


def test_a_template_is_checked_on_save(admin_client):
    account = make_account()
    data = {
        "account": account.pk,
        "name": "T",
        "subject": "Hi {{ nmae }}",
        "preheader": "",
        "text": "x",
        "html": "",
    }
    response = admin_client.post(at("emailtemplate_add"), data)
    assert "Did you mean" in response.content.decode()
    admin_client.post(at("emailtemplate_add"), {**data, "subject": "Hi {{ name }}"})
    assert EmailTemplate.objects.get().subject == "Hi {{ name }}"


def server_form(**changes):
    return {
        "account": make_account().pk,
        "name": "S",
        "host": "127.0.0.1",
        "port": 25,
        "security": "none",
        "username": "me",
        "new_password": "",
        "from_email": "a@example.com",
        "max_connections": 2,
        **dict.fromkeys(LIMITS, 0),
        "is_active": "on",
        **changes,
    }


def test_a_password_is_written_and_never_shown(admin_client):
    admin_client.post(at("smtpserver_add"), server_form(new_password="s3cret-word"))
    server = SmtpServer.objects.get()
    assert server.password == "s3cret-word"
    assert b"s3cret-word" not in admin_client.get(at("smtpserver_change", server.pk)).content
    admin_client.post(at("smtpserver_change", server.pk), server_form(name="Renamed"))
    server.refresh_from_db()
    assert (server.name, server.password) == ("Renamed", "s3cret-word")


@pytest.mark.parametrize(
    ("script", "changes", "said"),
    [
        (Script(), {}, "Connected"),
        (Script(), {"host": "no-such-host.invalid"}, "host name"),
        (Script(), {"security": "starttls"}, "encrypted"),
        (Script(offers_auth=True, at_auth=["535 no"] * 3), {"username": "me", "password": "x"}, "password"),
        (Script(greeting=["554 no"]), {}, "not reached"),
    ],
)
def test_a_connection_test_tells_faults_apart(admin_client, script, changes, said):
    with SmtpSink(script) as sink:
        server = make_smtp_server(port=sink.port, **changes)
        response = admin_client.post(at("smtpserver_try", server.pk), follow=True)
    assert said in response.content.decode()


def test_a_preview_reads_the_email_and_a_test_goes_out_marked(admin_client):
    with SmtpSink() as sink:
        campaign = make_campaign(people=1, smtp_server=make_smtp_server(port=sink.port))
        assert b"will get this email" in admin_client.get(at("campaign_preview", campaign.pk)).content
        admin_client.post(at("campaign_preview", campaign.pk), {"to": "me@example.com"})
    email = sink.received[0]
    assert email.recipient == "me@example.com"
    assert email.message["Subject"].startswith("[Test] ")
    assert email.message["To"] == "me@example.com"
    assert not Delivery.objects.exists()
    assert not campaign.guide.interviews.exists()


def test_a_test_without_a_server_says_so(admin_client):
    campaign = make_campaign(people=1)
    response = admin_client.post(at("campaign_preview", campaign.pk), {"to": "me@example.com"}, follow=True)
    assert "outbox" in response.content.decode()


def test_a_broken_template_is_told_on_the_preview(admin_client):
    template = make_template(text="{{ nonsense }}")
    campaign = make_campaign(people=1, template=template)
    page = admin_client.get(at("campaign_preview", campaign.pk)).content.decode()
    assert "Nothing is called" in page


def test_staff_without_the_permission_see_nothing(client, django_user_model):
    user = django_user_model.objects.create_user("clerk", password="x", is_staff=True)
    client.force_login(user)
    campaign = sent_campaign(people=1)
    kept = importing.keep(make_campaign(), b"email\na@example.com\n", filename="p")
    paths = [
        at("campaign_course", campaign.pk),
        at("campaign_unknown", campaign.pk),
        at("campaign_preview_live", campaign.pk),
        at("campaign_import_columns", kept.campaign_id, kept.pk),
        at("campaign_change", campaign.pk),
        at("campaign_move", campaign.pk, "cancel"),
        at("campaign_preview", campaign.pk),
        at("campaign_progress", campaign.pk),
        at("campaign_import_errors", kept.campaign_id, kept.pk),
        at("delivery_change", Delivery.objects.get().pk),
        at("delivery_html", Delivery.objects.get().pk),
    ]
    assert {client.get(path).status_code for path in paths} == {403}


def test_visitors_are_sent_to_the_login(client):
    campaign = make_campaign()
    assert client.get(at("campaign_move", campaign.pk, "start")).status_code == 302
    assert Campaign.objects.get().state == "draft"


def test_a_new_campaign_is_made(admin_client):
    account = make_account()
    guide, template = make_guide(account), make_template(account)
    data = {"account": account.pk, "name": "New", "guide": str(guide.pk), "template": str(template.pk)}
    data |= no_parts()
    response = admin_client.post(at("campaign_add"), data)
    assert response.status_code == 302
    assert Campaign.objects.get().name == "New"


def test_a_guide_of_another_account_is_not_taken(admin_client):
    account = make_account()
    foreign, template = make_guide(make_account("other")), make_template(account)
    data = {"account": account.pk, "name": "New", "guide": str(foreign.pk), "template": str(template.pk)}
    data |= no_parts()
    assert "another account" in admin_client.post(at("campaign_add"), data).content.decode()
    assert not Campaign.objects.exists()
