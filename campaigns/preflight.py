"""Before emails leave: what would keep them out of inboxes, and who would not get one. Sends nothing."""

import ipaddress
from dataclasses import dataclass
from email import message_from_string
from email.policy import SMTP
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import previewing, rendering, scheduling, wording
from campaigns.dns_lookups import Dns, LookupFailed
from campaigns.models import Campaign, SmtpServer
from campaigns.sender_records import Finding, Level, dkim, dmarc, spf
from crm.contacts import with_ascii_domain


@dataclass(frozen=True, slots=True)
class Report:
    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Level:
        order = (Level.PROBLEM, Level.UNKNOWN, Level.WARNING)
        found = {finding.level for finding in self.findings}
        return next((level for level in order if level in found), Level.OK)


def of_server(server: SmtpServer, *, dns: Dns | None = None) -> Report:
    """What the DNS says of the server's From domain, and where its links lead."""
    dns = dns or Dns()
    domain = rendering.sender_for(server.account, server).domain.lower()
    return Report(
        (
            spf(dns, domain),
            dkim(dns, domain, server.dkim_selector),
            dmarc(dns, domain),
            alignment(server),
            link_host(dns),
        )
    )


def of_campaign(campaign: Campaign, *, dns: Dns | None = None) -> Report:
    """The same for its server, and what is the campaign's own: window, unsubscribe, people."""
    dns = dns or Dns()
    server = campaign.smtp_server
    sending = of_server(server, dns=dns).findings if server else (_outbox(), link_host(dns))
    return Report((*sending, unsubscribe(campaign), window(campaign), people(campaign)))


def _outbox() -> Finding:
    words = _("No SMTP server: the emails stay in the outbox, and none leaves this machine.")
    return Finding(_("Server"), Level.WARNING, words)


def alignment(server: SmtpServer) -> Finding:
    """DMARC wants the envelope's domain, or the signature's, to be that of the From line."""
    name, domain = _("From address"), with_ascii_domain(server.from_email).rpartition("@")[2].lower()
    user = with_ascii_domain(server.username)
    login = user.rpartition("@")[2].lower() if "@" in user else domain
    if login != domain and not _is_under(login, domain) and not _is_under(domain, login):
        words = _("You sign in as %(login)s and write as %(domain)s: the server may put its own name there.")
        return Finding(name, Level.WARNING, words % {"login": login, "domain": domain})
    words = _("From and the envelope are both at %(domain)s, as DMARC wants.")
    return Finding(name, Level.OK, words % {"domain": domain})


def _is_under(domain: str, above: str) -> bool:
    return domain.endswith(f".{above}")


def link_host(dns: Dns) -> Finding:
    """Where links in emails lead: to an address that people can reach, over HTTPS."""
    name, url = _("Links"), urlsplit(settings.PUBLIC_BASE_URL)
    host = (url.hostname or "").lower()
    if _is_at_home(host):
        words = _("Links lead to %(host)s, which only this network reaches. Set PUBLIC_BASE_URL.")
        return Finding(name, Level.PROBLEM, words % {"host": host or "–"})
    if url.scheme != "https":
        words = _("Links lead to http://%(host)s. One-click unsubscribing and privacy want https.")
        return Finding(name, Level.PROBLEM, words % {"host": host})
    try:
        if not dns.has_address(host):
            words = _("The DNS knows no address of %(host)s, where links lead.")
            return Finding(name, Level.PROBLEM, words % {"host": host})
    except LookupFailed:
        words = _("The DNS did not answer for %(name)s. Look again later.") % {"name": host}
        return Finding(name, Level.UNKNOWN, words)
    return Finding(name, Level.OK, _("Links lead to https://%(host)s.") % {"host": host})


def _is_at_home(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".invalid", ".localhost"))


def unsubscribe(campaign: Campaign) -> Finding:
    """Both headers of RFC 8058 and a link that people see, in the email as it would leave."""
    name = _("Unsubscribe")
    try:
        email = previewing.sample(campaign)
    except wording.TemplateError as error:
        words = _("The email cannot be made: %(why)s") % {"why": error}
        return Finding(name, Level.PROBLEM, words)
    headers = message_from_string(email.wire, policy=SMTP)
    target = str(headers.get("List-Unsubscribe", "")).strip("<>")
    one_click = str(headers.get("List-Unsubscribe-Post", "")) == "List-Unsubscribe=One-Click"
    if not (one_click and target.startswith("https://")):
        words = _("One-click unsubscribing (RFC 8058) needs both headers and an https address.")
        return Finding(name, Level.PROBLEM, words, target)
    if target not in email.text or target not in email.html:
        words = _("The email does not show the link to unsubscribe in both its parts.")
        return Finding(name, Level.PROBLEM, words)
    return Finding(name, Level.OK, _("The link is shown, and mail programs can use it with one click."))


def window(campaign: Campaign) -> Finding:
    """When emails may leave, for somebody whose own time zone is not known."""
    name, now = _("Sending times"), timezone.now()
    rules = scheduling.rules_of(campaign)
    zone = rules.zone_of()
    opens = scheduling.next_open(rules, now, zone)
    if opens <= now:
        return Finding(name, Level.OK, _("Emails may leave now (in %(zone)s).") % {"zone": zone.key})
    at = opens.astimezone(zone).strftime("%Y-%m-%d %H:%M")
    words = _("Emails wait until %(at)s (%(zone)s): the schedule is closed now.")
    return Finding(name, Level.WARNING, words % {"at": at, "zone": zone.key})


def people(campaign: Campaign) -> Finding:
    """Who waits for an invitation, and why some of them get none."""
    name, audience = _("People"), previewing.audience_of(campaign)
    skipped = "; ".join(f"{reason}: {n:,}" for reason, n in sorted(audience.skipped.items()))
    values = {"n": f"{audience.will_get:,}", "skipped": skipped}
    if not audience.will_get:
        words = (
            _("Nobody would be invited. Skipped: %(skipped)s.")
            if skipped
            else _("Nobody waits to be invited.")
        )
        return Finding(name, Level.WARNING, words % values)
    if skipped:
        return Finding(name, Level.WARNING, _("%(n)s people get it. Skipped: %(skipped)s.") % values)
    return Finding(name, Level.OK, _("%(n)s people get it, and nobody is skipped.") % values)
