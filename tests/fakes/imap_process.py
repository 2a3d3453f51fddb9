"""The process behind tests/fakes/imap_server.py: Twisted's IMAP server over a folder in memory.

Orders come as lines of JSON on standard input, and each is answered by one line.
"""

import json
import sys
from datetime import datetime
from io import BytesIO

from twisted.cred import checkers, portal
from twisted.internet import protocol, reactor, ssl, stdio
from twisted.mail import imap4
from twisted.protocols import basic
from zope.interface import implementer

from tests.fakes.imap_server import PASSWORD, USER


class State:
    validity = 77
    next_uid = 1
    fetched = 0
    flags = 0
    drop_after = 0
    open_logins = 0


STATE = State()
MESSAGES = []


def day(text):
    return datetime.strptime(text, "%d-%b-%Y")


@implementer(imap4.IMessage, imap4.IMessageFile)
class Stored:
    def __init__(self, raw, date):
        self.raw, self.date, self.uid = raw, date, STATE.next_uid
        STATE.next_uid += 1

    def open(self):
        STATE.fetched += 1
        return BytesIO(self.raw)

    def getBodyFile(self):
        return BytesIO(self.raw)

    def getUID(self):
        return self.uid

    def getFlags(self):
        return []

    def getInternalDate(self):
        return self.date

    def getSize(self):
        return len(self.raw)

    def getHeaders(self, negate, *names):
        return {}

    def isMultipart(self):
        return False

    def getSubPart(self, part):
        raise IndexError(part)


@implementer(imap4.IMailbox, imap4.ISearchableMailbox)
class Folder:
    def getUIDValidity(self):
        return STATE.validity

    def getUIDNext(self):
        return STATE.next_uid

    def getUID(self, number):
        return MESSAGES[number - 1].uid

    def getMessageCount(self):
        return len(MESSAGES)

    def getRecentCount(self):
        return 0

    def getUnseenCount(self):
        return len(MESSAGES)

    def isWriteable(self):
        return True

    def getFlags(self):
        return []

    def getHierarchicalDelimiter(self):
        return "/"

    def addListener(self, listener):
        pass

    def removeListener(self, listener):
        pass

    def fetch(self, wanted, uid):
        wanted.last = (MESSAGES[-1].uid if uid else len(MESSAGES)) if MESSAGES else 1
        numbered = list(enumerate(MESSAGES, start=1))
        return [(number, one) for number, one in numbered if (one.uid if uid else number) in wanted]

    def search(self, query, uid):
        """By UID, and by date, at which Twisted's own search fails. The numbers of messages."""
        kind, value = (word.decode() if isinstance(word, bytes) else word for word in query)
        if kind.upper() == "SINCE":
            since = day(value)
            return [n for n, one in enumerate(MESSAGES, start=1) if day(one.date[:11]) >= since]
        wanted = imap4.parseIdList(value.encode())
        return [number for number, _message in self.fetch(wanted, uid=True)]

    def store(self, wanted, flags, mode, uid):
        STATE.flags += 1
        return {}


class Realm:
    def requestAvatar(self, name, mind, *interfaces):
        account = imap4.MemoryAccount(name)
        account.addMailbox("INBOX", Folder())
        return imap4.IAccount, account, lambda: None


class Server(imap4.IMAP4Server):
    def lineReceived(self, line):
        if not self.startedTLS and line.upper().split()[1:2] in ([b"LOGIN"], [b"AUTHENTICATE"]):
            STATE.open_logins += 1
        super().lineReceived(line)

    def do_FETCH(self, tag, messages, query, uid=0):
        if STATE.drop_after and STATE.fetched + 1 >= STATE.drop_after:
            self.transport.abortConnection()
            return
        super().do_FETCH(tag, messages, query, uid)


# What it calls for each command is in tables made with the class.
Server.select_FETCH = (Server.do_FETCH, *imap4.IMAP4Server.select_FETCH[1:])


class Factory(protocol.ServerFactory):
    def __init__(self, *, hang, starttls=None):
        self.hang, self.starttls = hang, starttls
        checker = checkers.InMemoryUsernamePasswordDatabaseDontUse()
        checker.addUser(USER.encode(), PASSWORD.encode())
        self.portal = portal.Portal(Realm(), [checker])

    def buildProtocol(self, address):
        if self.hang:
            return protocol.Protocol()
        server = Server(contextFactory=self.starttls)
        server.portal, server.factory = self.portal, self
        return server


class Orders(basic.LineReceiver):
    delimiter = b"\n"
    MAX_LENGTH = 100_000_000

    def lineReceived(self, line):
        given = json.loads(line)
        self.sendLine(json.dumps(getattr(self, f"do_{given.pop('what')}")(**given)).encode())

    def do_deliver(self, raw, date):
        MESSAGES.append(Stored(raw.encode("latin-1"), date))
        return MESSAGES[-1].uid

    def do_renumber(self):
        STATE.validity += 1
        for uid, message in enumerate(MESSAGES, start=1):
            message.uid = uid
        STATE.next_uid = len(MESSAGES) + 1
        return STATE.validity

    def do_expunge(self, uid):
        MESSAGES[:] = [one for one in MESSAGES if one.uid != uid]
        return len(MESSAGES)

    def do_recover(self):
        STATE.drop_after = 0
        return True

    def do_seen(self):
        return {"flags": STATE.flags, "fetched": STATE.fetched}

    def do_open_logins(self):
        return STATE.open_logins


def serve(*, certificate, starttls, hang, drop_after):
    STATE.drop_after = drop_after
    context = ssl.DefaultOpenSSLContextFactory(certificate, certificate) if certificate else None
    factory = Factory(hang=hang, starttls=context if starttls else None)
    if context and not starttls:
        port = reactor.listenSSL(0, factory, context, interface="127.0.0.1")
    else:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
    stdio.StandardIO(Orders())
    print(json.dumps(port.getHost().port), flush=True)
    reactor.run()


if __name__ == "__main__":
    serve(**json.loads(sys.argv[1]))
