"""What benches and drills of sending do inside an installation: python -m bench.sending_parts WORD …

prepare PEOPLE PORT CONNECTIONS   a campaign that runs, its server at the port; prints both ids
invite CAMPAIGN                   makes every email; prints the seconds
send SERVER                       sends until nothing is due; prints the seconds and the processor's
loop PORT NUMBER                  the baseline: smtplib, a connection for each email, built by email.message
figures CAMPAIGN                  what the rows say, as JSON
addresses CAMPAIGN                those that are said to be sent to
sender SERVER                     a sender like the mail worker's, until it is told to stop; for drills
"""

import json
import os
import sys
import time

TEXT = """Hello {{ first_name|there }},

we would like to hear how people at {{ company|your company }} work, and what slows them down.
It takes ten minutes, whenever it suits you:

{{ link }}

Thank you.
"""


def prepare(people, port, connections):
    from django.utils import timezone

    from campaigns.models import Campaign, Recipient
    from crm.models import Contact, ContactAddress
    from tests.factories import make_account, make_campaign, make_smtp_server, make_template

    account = make_account(f"bench-{port}")
    server = make_smtp_server(account, port=int(port), max_connections=int(connections))
    campaign = make_campaign(account, smtp_server=server, template=make_template(account, text=TEXT))
    for start in range(0, int(people), 1000):
        numbers = range(start, min(start + 1000, int(people)))
        contacts = Contact.objects.bulk_create(
            Contact(account=account, name=f"Ada Łovelace {n}", company=f"Engines {n % 97}") for n in numbers
        )
        ContactAddress.objects.bulk_create(
            ContactAddress(
                account=account,
                contact=contact,
                kind="email",
                value=f"person{n}@d{n % 50}.example",
                as_given=f"person{n}@d{n % 50}.example",
                is_primary=True,
            )
            for n, contact in zip(numbers, contacts, strict=True)
        )
        Recipient.objects.bulk_create(Recipient(campaign=campaign, contact=one) for one in contacts)
    # Without a wake-up: who measures decides when what begins.
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.RUNNING, started_at=timezone.now())
    return {"campaign": str(campaign.pk), "server": server.pk}


def invite(campaign):
    from campaigns import inviting, queueing

    queueing.AHEAD = 10**9  # all of them first, so that sending is measured alone
    began, used = time.perf_counter(), time.process_time()
    while inviting.invite_people(campaign).is_more:
        pass
    return {"seconds": time.perf_counter() - began, "processor": time.process_time() - used}


def send(server):
    from campaigns import sending, states

    began, used, sent = time.perf_counter(), time.process_time(), 0
    while (report := sending.send_due(int(server))).sent:
        sent += report.sent
    states.finish_done()
    seconds = time.perf_counter() - began
    return {"seconds": seconds, "processor": time.process_time() - used, "sent": sent}


def loop(port, number):
    """What one writes first, and what the documented system did: a connection for each email."""
    import smtplib
    from email.message import EmailMessage
    from email.utils import formataddr, make_msgid

    began = time.perf_counter()
    for n in range(int(number)):
        message = EmailMessage()
        message["From"] = "invitations@rapport.example"
        message["To"] = formataddr((f"Ada Łovelace {n}", f"person{n}@example.com"))
        message["Subject"] = f"Ada {n}, may we ask you something?"
        message["Message-ID"] = make_msgid(domain="rapport.example")
        message.set_content(TEXT * 4)
        message.add_alternative(f"<html><body><p>{TEXT}</p></body></html>" * 8, subtype="html")
        with smtplib.SMTP("127.0.0.1", int(port)) as client:
            client.send_message(message)
    return {"seconds": time.perf_counter() - began}


def figures(campaign):
    from collections import Counter

    from campaigns.models import Campaign, Delivery, EmailEvent, SendingFigure
    from crm.models import TimelineEntry

    rows = Delivery.objects.filter(campaign=campaign)
    events = EmailEvent.objects.filter(delivery__campaign=campaign)
    return {
        "state": Campaign.objects.get(pk=campaign).state,
        "emails": dict(Counter(rows.values_list("state", flat=True))),
        "events": dict(Counter(events.values_list("kind", flat=True))),
        "timeline": TimelineEntry.objects.filter(kind="email_sent").count(),
        "counted": sum(SendingFigure.objects.filter(campaign=campaign).values_list("sent", flat=True)),
    }


def addresses(campaign):
    """Of those that are said to be sent."""
    from campaigns.models import Delivery

    sent = Delivery.objects.filter(campaign=campaign, state=Delivery.State.SENT)
    return list(sent.values_list("to_email", flat=True))


def sender(server):
    import signal

    from campaigns import sending, states, stopping

    signal.signal(signal.SIGTERM, lambda *_words: stopping.stop())
    print("ready", flush=True)
    sys.stdin.readline()
    while not stopping.is_stopping():
        report = sending.send_due(int(server))
        states.finish_done()
        if not report.sent:
            time.sleep(0.2)
    return {"stopped": True}


PARTS = {one.__name__: one for one in (prepare, invite, send, loop, figures, addresses, sender)}


def main(word, *arguments):
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if word != "loop":
        import django

        django.setup()
    print(json.dumps(PARTS[word](*arguments)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
