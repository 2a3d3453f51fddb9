"""A real IMAP server (Twisted's) in a process of its own, with a mailbox that tests fill and disturb.

    with ImapServer() as server:
        server.deliver(b"From: …")        # a message arrives; its UID is returned
        server.renumber()                 # another UIDVALIDITY, as after a restore
        server.port, server.seen()        # …

With a `certificate` it speaks TLS from the start; with `starttls=True` beside it, only when it is asked.
`hang=True` accepts connections and says nothing; `drop_after=n` breaks off in the nth FETCH.
"""

import json
import subprocess
import sys

USER, PASSWORD = "replies@rapport.example", "correct horse"


class ImapServer:
    def __init__(self, *, certificate="", starttls=False, hang=False, drop_after=0):
        self.options = {"certificate": str(certificate), "starttls": starttls}
        self.options |= {"hang": hang, "drop_after": drop_after}

    def __enter__(self):
        words = [sys.executable, "-W", "ignore", "-m", "tests.fakes.imap_process", json.dumps(self.options)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = json.loads(self.process.stdout.readline())
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()

    def ask(self, what, **given):
        self.process.stdin.write(json.dumps({"what": what, **given}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def deliver(self, raw, *, date="01-Jan-2099 10:00:00 +0000"):
        return self.ask("deliver", raw=raw.decode("latin-1"), date=date)

    def renumber(self):
        return self.ask("renumber")

    def expunge(self, uid):
        return self.ask("expunge", uid=uid)

    def recover(self):
        """No more dropped connections."""
        return self.ask("recover")

    def seen(self):
        """What clients did: flags set, and how many messages were fetched."""
        return self.ask("seen")

    def open_logins(self):
        """How many clients told their password without TLS by STARTTLS."""
        return self.ask("open_logins")
