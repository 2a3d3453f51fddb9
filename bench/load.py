"""Asks one path again and again over kept-alive connections, and prints what it saw as JSON.

    python -m bench.load HOST PORT PATH CONNECTIONS SECONDS [HEADER …]

A process of its own, so that it does not share an interpreter with what it measures.
"""

import asyncio
import json
import math
import sys
import time

WARM_UP = 0.5  # seconds that are not counted


async def one_answer(reader: asyncio.StreamReader) -> int:
    """Reads one answer; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


async def connection(host, port, request, until, times, statuses, started):
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while (before := time.perf_counter()) < until:
            writer.write(request)
            status = await asyncio.wait_for(one_answer(reader), 30)
            if before >= started:
                times.append(time.perf_counter() - before)
                statuses[status] = statuses.get(status, 0) + 1
    finally:
        writer.close()


def percentile(times, share):
    return sorted(times)[min(len(times) - 1, math.ceil(share * len(times)) - 1)] * 1000


async def load(host, port, path, connections, seconds, headers):
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: keep-alive", *headers, "", ""]
    request = "\r\n".join(lines).encode()
    times, statuses = [], {}
    started = time.perf_counter() + WARM_UP
    until = started + seconds
    work = [connection(host, port, request, until, times, statuses, started) for _ in range(connections)]
    await asyncio.gather(*work)
    return {
        "per_second": len(times) / seconds,
        "p50_ms": percentile(times, 0.50),
        "p99_ms": percentile(times, 0.99),
        "statuses": statuses,
    }


if __name__ == "__main__":
    host, port, path, connections, seconds, *headers = sys.argv[1:]
    print(json.dumps(asyncio.run(load(host, int(port), path, int(connections), float(seconds), headers))))
