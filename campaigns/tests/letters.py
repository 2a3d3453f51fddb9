"""Emails as they arrive, for tests: each function gives the bytes of one."""


def letter(
    text="Yes, gladly.",
    *,
    sender="Ada <ada@example.com>",
    to="replies@rapport.example",
    subject="Re: May we ask you something?",
    message_id="<one@example.com>",
    in_reply_to="",
    **headers,
):
    lines = {"From": sender, "To": to, "Subject": subject, "Message-ID": message_id}
    lines |= {"In-Reply-To": in_reply_to, "Content-Type": "text/plain; charset=utf-8"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value)
    return (head + "\r\n" + text.replace("\n", "\r\n") + "\r\n").encode()


def bounce(
    message_id,
    *,
    status="5.1.1",
    action="failed",
    recipient="ada@example.com",
    reply="smtp; 550 5.1.1 User unknown",
    number=1,
):
    """RFC 3464, as Postfix writes it."""
    return f"""From: MAILER-DAEMON@mx.example (Mail Delivery System)
To: invitations@rapport.example
Subject: Undelivered Mail Returned to Sender
Message-ID: <bounce{number}@mx.example>
Auto-Submitted: auto-replied
Return-Path: <>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example
Arrival-Date: Thu, 26 Nov 2026 10:00:00 +0000

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: {action}
Status: {status}
Diagnostic-Code: {reply}

--B
Content-Type: text/rfc822-headers

From: invitations@rapport.example
To: {recipient}
Message-ID: {message_id}
Subject: May we ask you something?

--B--
""".replace("\n", "\r\n").encode()


def complaint(message_id, *, kind="abuse", recipient="ada@example.com"):
    """RFC 5965."""
    return f"""From: <abusedesk@isp.example>
To: <abuse@rapport.example>
Subject: FW: May we ask you something?
Message-ID: <complaint@isp.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="A"

--A
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for an email message received from IP 192.0.2.1.

--A
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Rcpt-To: {recipient}

--A
Content-Type: message/rfc822
Content-Disposition: inline

From: invitations@rapport.example
To: {recipient}
Message-ID: {message_id}
Subject: May we ask you something?

Hello.

--A--
""".replace("\n", "\r\n").encode()


def qmail_bounce(message_id, *, recipient="ada@example.com"):
    return f"""Return-Path: <>
From: MAILER-DAEMON@mx.example
To: invitations@rapport.example
Subject: failure notice
Message-ID: <qmail@mx.example>

Hi. This is the qmail-send program at mx.example.
I'm afraid I wasn't able to deliver your message to the following addresses.

<{recipient}>:
Sorry, no mailbox here by that name. user unknown (#5.1.1)

--- Below this line is a copy of the message.

From: invitations@rapport.example
To: {recipient}
Message-ID: {message_id}
Subject: May we ask you something?

Hello.
""".replace("\n", "\r\n").encode()
