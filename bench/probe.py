"""A health probe in a process of its own, so that it measures the server and not its own neighbours.

    python -m bench.probe URL SECONDS

Asks URL twenty times a second over one connection and prints the seconds each answer took, as JSON.
"""

import asyncio
import http.client
import json
import sys
import time
from urllib.parse import urlsplit

PAUSE = 0.05  # seconds


def probe(url: str, seconds: float) -> list[float]:
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "127.0.0.1", place.port, timeout=30)
    until, took = time.monotonic() + seconds, []
    while time.monotonic() < until:
        asked = time.monotonic()
        connection.request("GET", place.path)
        connection.getresponse().read()
        took.append(time.monotonic() - asked)
        time.sleep(PAUSE)
    return took


async def probed(url: str, seconds: float) -> list[float]:
    """The same from another process, without waiting in this one's event loop."""
    words = [sys.executable, "-m", "bench.probe", url, str(seconds)]
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    said, _nothing = await process.communicate()
    took: list[float] = json.loads(said)
    return took


if __name__ == "__main__":
    print(json.dumps(probe(sys.argv[1], float(sys.argv[2]))))
