"""What would keep emails out of inboxes is found before they leave, over a real DNS server."""

import base64
import time as clock
from datetime import datetime, time

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth import get_user_model
from django.urls import reverse

from campaigns import preflight
from campaigns.dns_lookups import Dns
from campaigns.models import Schedule
from campaigns.sender_records import Level, dkim, dmarc, spf
from crm.consent import suppress
from crm.contacts import email_of
from tests.factories import make_campaign, make_smtp_server
from tests.fakes.dns_server import BROKEN, NONSENSE, SILENT, DnsServer

pytestmark = pytest.mark.django_db
DOMAIN = "mail.acme.example"


@pytest.fixture
def dns(settings):
    with DnsServer() as running:
        settings.DNS_SERVERS = [running.address]
        yield running


@pytest.fixture
def whole(dns, settings):
    """A domain that is set up well, and a site that people reach."""
    settings.PUBLIC_BASE_URL = "https://talk.acme.example"
    dns.text(DOMAIN, "google-site-verification=x", "v=spf1 include:spf.mta.example -all")
    dns.text("spf.mta.example", "v=spf1 ip4:192.0.2.0/24 -all")
    dns.text(f"s1._domainkey.{DOMAIN}", key_record(2048))
    dns.text(f"_dmarc.{DOMAIN}", "v=DMARC1; p=quarantine")
    dns.records["talk.acme.example", "A"] = ["192.0.2.1"]
    return dns


def key_record(bits):
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; k=rsa; p={base64.b64encode(der).decode()}"


def server(**fields):
    fields = {"from_email": f"hello@{DOMAIN}", "dkim_selector": "s1", **fields}
    return make_smtp_server(**fields)


def levels(report):
    return {finding.name: finding.level for finding in report.findings}


def test_a_domain_that_is_set_up_well(whole):
    report = preflight.of_server(server())
    assert levels(report) == dict.fromkeys(["SPF", "DKIM", "DMARC", "From address", "Links"], Level.OK)
    assert report.worst == Level.OK


SPF = [
    ([], Level.PROBLEM, "no SPF record"),
    (["v=spf10 -all"], Level.PROBLEM, "no SPF record"),
    (["v=spf1 -all", "v=spf1 ~all"], Level.PROBLEM, "2 SPF records"),
    (["v=spf1 ip4:192.0.2.1 +all"], Level.PROBLEM, "anybody"),
    (["v=spf1 ip4:192.0.2.1 all"], Level.PROBLEM, "anybody"),
    (["v=spf1 ip4:192.0.2.1"], Level.WARNING, "End it"),
    (["v=spf1 ip4:192.0.2.1 ?all"], Level.WARNING, "End it"),
    (["v=spf1 a mx -all"], Level.OK, "One SPF record"),
    (["V=SPF1 redirect=spf.mta.example"], Level.OK, "One SPF record"),
    (["v=spf1 " + "a:x.example " * 11 + "-all"], Level.PROBLEM, "11 lookups"),
]


@pytest.mark.parametrize(("records", "level", "words"), SPF)
def test_spf(dns, records, level, words):
    dns.text(DOMAIN, *records)
    dns.text("spf.mta.example", "v=spf1 -all")
    found = spf(Dns(), DOMAIN)
    assert found.level == level
    assert words in found.words


def test_lookups_of_included_records_count_too_and_a_loop_ends(dns):
    dns.text(DOMAIN, "v=spf1 include:a.example include:b.example -all")
    dns.text("a.example", "v=spf1 mx a exists:x include:b.example -all")
    dns.text("b.example", f"v=spf1 mx a ptr include:a.example include:{DOMAIN} include:%{{i}}.x.example -all")
    assert "12 lookups" in spf(Dns(), DOMAIN).words


DKIM = [
    ("v=DKIM1; p=", Level.PROBLEM, "revoked"),
    ("v=DKIM1; k=rsa; p=MIIBIjANBgkq", Level.PROBLEM, "cannot be read"),
    ("v=DKIM1; k=rsa; p=*****", Level.PROBLEM, "cannot be read"),
    ("something else", Level.PROBLEM, "no DKIM key"),
]


@pytest.mark.parametrize(("record", "level", "words"), DKIM)
def test_dkim(dns, record, level, words):
    dns.text(f"s1._domainkey.{DOMAIN}", record)
    found = dkim(Dns(), DOMAIN, "s1")
    assert found.level == level
    assert words in found.words


@pytest.mark.parametrize(("bits", "level"), [(1024, Level.WARNING), (2048, Level.OK)])
def test_how_long_the_key_is(dns, bits, level):
    dns.text(f"s1._domainkey.{DOMAIN}", key_record(bits))
    assert dkim(Dns(), DOMAIN, "s1").level == level


def test_a_key_of_the_newer_kind_is_one(dns):
    raw = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    dns.text(f"s1._domainkey.{DOMAIN}", f"v=DKIM1; k=ed25519; p={base64.b64encode(raw).decode()}")
    assert dkim(Dns(), DOMAIN, "s1").level == Level.OK


def test_a_key_that_is_only_a_test(dns):
    dns.text(f"s1._domainkey.{DOMAIN}", f"{key_record(2048)}; t=y:s")
    assert dkim(Dns(), DOMAIN, "s1").level == Level.WARNING


def test_without_a_selector_nothing_is_asked(dns):
    assert dkim(Dns(), DOMAIN, "").level == Level.WARNING
    assert dns.asked == []


DMARC = [
    (f"_dmarc.{DOMAIN}", ["v=DMARC1; p=none"], Level.OK),
    (f"_dmarc.{DOMAIN}", ["v=DMARC1; p=reject; rua=mailto:x@acme.example"], Level.OK),
    (f"_dmarc.{DOMAIN}", ["v=DMARC1; rua=mailto:x@acme.example"], Level.PROBLEM),
    (f"_dmarc.{DOMAIN}", ["v=DMARC1; p=nothing"], Level.PROBLEM),
    (f"_dmarc.{DOMAIN}", ["p=none; v=DMARC1"], Level.PROBLEM),
    (f"_dmarc.{DOMAIN}", ["v=DMARC1; p=none", "v=DMARC1; p=reject"], Level.PROBLEM),
    ("_dmarc.acme.example", ["v=DMARC1; p=reject"], Level.OK),
    ("_dmarc.example", ["v=DMARC1; p=reject"], Level.PROBLEM),
    ("_dmarc.other.example", ["v=DMARC1; p=reject"], Level.PROBLEM),
]


@pytest.mark.parametrize(("name", "records", "level"), DMARC)
def test_dmarc(dns, name, records, level):
    dns.text(name, *records)
    assert dmarc(Dns(), DOMAIN).level == level


def test_the_policy_for_what_is_under_a_domain_is_its_own(dns):
    dns.text("_dmarc.acme.example", "v=DMARC1; p=none; sp=reject")
    assert "p=reject" in dmarc(Dns(), DOMAIN).words


@pytest.mark.parametrize("fault", [SILENT, BROKEN, NONSENSE])
def test_a_dns_that_does_not_answer_is_no_verdict(whole, fault):
    for name in (DOMAIN, f"s1._domainkey.{DOMAIN}", f"_dmarc.{DOMAIN}", "talk.acme.example"):
        whole.faults[name] = fault
    begun = clock.monotonic()
    report = preflight.of_server(server(), dns=Dns(seconds=2, one_lookup_seconds=0.4))
    found = levels(report)
    assert [found[name] for name in ("SPF", "DKIM", "DMARC", "Links")] == [Level.UNKNOWN] * 4
    assert clock.monotonic() - begun < 5


def test_all_lookups_of_a_page_share_one_limit(whole):
    whole.faults[DOMAIN] = SILENT
    report = preflight.of_server(server(), dns=Dns(seconds=0.5, one_lookup_seconds=3))
    assert levels(report)["DMARC"] == Level.UNKNOWN


FROM = [
    (f"login@{DOMAIN}", Level.OK),
    ("login@acme.example", Level.OK),
    ("apikey", Level.OK),
    ("", Level.OK),
    ("somebody@gmail.example", Level.WARNING),
]


@pytest.mark.parametrize(("username", "level"), FROM)
def test_whether_the_login_may_write_in_that_name(username, level):
    assert preflight.alignment(server(username=username)).level == level


LINKS = [
    ("http://127.0.0.1:8000", Level.PROBLEM),
    ("https://10.0.0.7", Level.PROBLEM),
    ("https://localhost", Level.PROBLEM),
    ("https://rapport", Level.PROBLEM),
    ("http://talk.acme.example", Level.PROBLEM),
    ("https://nowhere.acme.example", Level.PROBLEM),
    ("https://talk.acme.example", Level.OK),
    ("https://six.acme.example", Level.OK),
]


@pytest.mark.parametrize(("url", "level"), LINKS)
def test_where_links_lead(whole, settings, url, level):
    whole.records["six.acme.example", "AAAA"] = ["2001:db8::1"]
    settings.PUBLIC_BASE_URL = url
    assert preflight.link_host(Dns()).level == level


# --- A campaign -------------------------------------------------------------------------------


def campaign(people=2, **fields):
    return make_campaign(people=people, smtp_server=server(), **fields)


def test_a_campaign_that_may_start(whole):
    report = preflight.of_campaign(campaign())
    assert {name for name, level in levels(report).items() if level != Level.OK} == set()


def test_a_campaign_of_the_outbox_says_that_nothing_leaves(whole):
    report = preflight.of_campaign(make_campaign(people=1))
    assert report.findings[0].level == Level.WARNING
    assert whole.asked == [("talk.acme.example", "A")]


def test_unsubscribing_wants_https(settings):
    settings.PUBLIC_BASE_URL = "http://talk.acme.example"
    assert preflight.unsubscribe(campaign()).level == Level.PROBLEM


def test_an_email_that_cannot_be_made(whole):
    one = campaign()
    one.template.subject = "{{ nobody.knows }}"
    one.template.save()
    found = preflight.unsubscribe(one)
    assert found.level == Level.PROBLEM
    assert "cannot be made" in found.words


def test_a_closed_window_says_when_it_opens(whole, monkeypatch):
    one = campaign()
    assert preflight.window(one).level == Level.OK
    Schedule.objects.create(campaign=one, send_from=time(9), send_until=time(17), time_zone="Asia/Tokyo")
    one.refresh_from_db()
    at_night = "2026-11-26T20:00:00+00:00"  # 05:00 in Tokyo
    monkeypatch.setattr(preflight.timezone, "now", lambda: datetime.fromisoformat(at_night))
    found = preflight.window(one)
    assert found.level == Level.WARNING
    assert "2026-11-27 09:00 (Asia/Tokyo)" in found.words


def test_who_is_skipped_and_why(whole):
    one = campaign(people=3)
    person = one.recipients.first().contact
    suppress(one.account, "email", email_of(person), "unsubscribed")
    found = preflight.people(one)
    assert found.level == Level.WARNING
    assert found.words.startswith("2 people get it. Skipped: ")
    assert ": 1" in found.words


def test_nobody_to_invite():
    assert preflight.people(campaign(people=0)).level == Level.WARNING


# --- The pages --------------------------------------------------------------------------------


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("operator", "", "secret-enough"))
    return client


def test_the_page_of_a_server(staff, whole):
    one = server()
    page = staff.get(reverse("admin:campaigns_smtpserver_preflight", args=[one.pk])).content.decode()
    assert "v=spf1 include:spf.mta.example -all" in page
    assert "Connection" not in page
    assert (
        reverse("admin:campaigns_smtpserver_preflight", args=[one.pk])
        in staff.get(reverse("admin:campaigns_smtpserver_change", args=[one.pk])).content.decode()
    )


def test_the_connection_is_tried_only_when_staff_ask_for_it(staff, whole):
    one = server()  # nothing listens at its port
    page = staff.post(reverse("admin:campaigns_smtpserver_preflight", args=[one.pk])).content.decode()
    assert "Connection" in page
    assert "Problem" in page


def test_the_page_of_a_campaign(staff, whole):
    one = campaign()
    page = staff.get(reverse("admin:campaigns_campaign_preflight", args=[one.pk])).content.decode()
    for word in ("SPF", "DKIM", "DMARC", "Links", "Unsubscribe", "Sending times", "People"):
        assert word in page
    assert (
        reverse("admin:campaigns_campaign_preflight", args=[one.pk])
        in staff.get(reverse("admin:campaigns_campaign_change", args=[one.pk])).content.decode()
    )


def test_what_the_dns_says_is_text_and_no_markup(staff, whole):
    whole.text(DOMAIN, "v=spf1 <script>alert(1)</script> -all")
    page = staff.get(reverse("admin:campaigns_smtpserver_preflight", args=[server().pk])).content.decode()
    assert "<script>alert" not in page


@pytest.mark.parametrize("is_staff", [False, True])
def test_a_stranger_sees_none_of_it(client, whole, is_staff):
    client.force_login(get_user_model().objects.create_user("other", "", "secret-enough", is_staff=is_staff))
    for name, row in (("smtpserver", server()), ("campaign", campaign())):
        address = reverse(f"admin:campaigns_{name}_preflight", args=[row.pk])
        assert client.get(address).status_code == (403 if is_staff else 302)
        assert client.post(address).status_code == (403 if is_staff else 302)
    assert whole.asked == []
