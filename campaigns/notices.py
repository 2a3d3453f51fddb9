"""What staff must hear of: something stopped by itself. The start page shows it, the audit trail keeps it."""

import logging

from campaigns.models import Campaign, SmtpServer
from config.api import audit
from config.api.models import AuditEntry

log = logging.getLogger(__name__)
SYSTEM = AuditEntry.ActorKind.SYSTEM


def campaign_paused(campaign: Campaign, *, code: int) -> None:
    log.error("Campaign %s paused itself after too many errors (last code %s).", campaign.pk, code)
    detail = {"code": code}
    audit.record(campaign.account, SYSTEM, "sender", "pause campaign", target=campaign, detail=detail)


def server_paused(server: SmtpServer, *, code: int) -> None:
    log.error("SMTP server %s is paused: it refused our login (code %s).", server.pk, code)
    audit.record(server.account, SYSTEM, "sender", "pause server", target=server, detail={"code": code})
