"""A cheap SMTP server in a process of its own, for benches of sending: it takes everything and counts.

    python -m bench.smtp_sink [--delay 0.02] [--pipelining]

Prints its port. Each command is answered after the delay, a round trip's worth. On a line of input it prints
what it has taken as JSON (on "all", each recipient too); on the end of input it goes.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import threading
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
END = b"\r\n.\r\n"


class Counts:
    def __init__(self):
        self.recipients = Counter()
        self.connections = self.open = self.most_at_once = self.bytes = 0

    def as_json(self, *, whole):
        return {
            "taken": self.recipients.total(),
            "recipients": sorted(self.recipients) if whole else [],
            "twice": sum(times > 1 for times in self.recipients.values()),
            "connections": self.connections,
            "most_at_once": self.most_at_once,
            "bytes": self.bytes,
        }


class Session(asyncio.Protocol):
    def __init__(self, counts, *, delay, pipelining):
        self.counts, self.delay = counts, delay
        self.hello = b"250-sink\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n" if pipelining else b"250 sink\r\n"
        self.buffer, self.is_data, self.recipient = b"", False, ""

    def connection_made(self, transport):
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.counts.connections += 1
        self.counts.open += 1
        self.counts.most_at_once = max(self.counts.most_at_once, self.counts.open)
        self.say(b"220 sink\r\n")

    def connection_lost(self, exc):
        self.counts.open -= 1

    def say(self, words):
        if self.delay:
            self.loop.call_later(self.delay, self.transport.write, words)
        else:
            self.transport.write(words)

    def data_received(self, data):
        self.buffer += data
        if self.is_data:
            if not self.buffer.endswith(END):
                return
            self.counts.recipients[self.recipient] += 1
            self.counts.bytes += len(self.buffer)
            self.buffer, self.is_data = b"", False
            self.say(b"250 2.0.0 taken\r\n")
            return
        *lines, self.buffer = self.buffer.split(b"\r\n")
        for line in lines:
            self.obey(line)

    def obey(self, line):
        verb = line[:4].upper()
        if verb == b"RCPT":
            self.recipient = line[9:-1].decode()
            self.say(b"250 2.1.5 ok\r\n")
        elif verb == b"DATA":
            self.is_data = True
            self.say(b"354 go on\r\n")
        elif verb == b"QUIT":
            self.transport.close()
        else:
            self.say(self.hello if verb == b"EHLO" else b"250 2.0.0 ok\r\n")


async def serve(delay, pipelining):
    counts, loop = Counts(), asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Session(counts, delay=delay, pipelining=pipelining), "127.0.0.1", 0, backlog=500
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    gone = asyncio.Event()

    def tell(whole):
        print(json.dumps(counts.as_json(whole=whole)), flush=True)

    def listen():
        for line in sys.stdin:
            loop.call_soon_threadsafe(tell, line.strip() == "all")
        loop.call_soon_threadsafe(gone.set)

    threading.Thread(target=listen, daemon=True).start()
    await gone.wait()


class Sink:
    """The sink as its starter sees it."""

    def __init__(self, process):
        self.process = process
        self.port = int(process.stdout.readline())

    def report(self, *, whole=False):
        self.process.stdin.write("all\n" if whole else "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def processor_seconds(self):
        import psutil

        used = psutil.Process(self.process.pid).cpu_times()
        return used.user + used.system


@contextmanager
def sink(delay=0.0, *, pipelining=False):
    words = ["--delay", str(delay), *(["--pipelining"] if pipelining else [])]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.smtp_sink", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Sink(process)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--pipelining", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.delay, arguments.pipelining))
