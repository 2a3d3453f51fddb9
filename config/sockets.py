"""Where the private Redis listens: a unix socket, whose path may not be long."""

import hashlib
import os
import tempfile
from pathlib import Path

# sun_path holds 108 bytes on Linux, 104 on macOS and the BSDs, with the closing zero.
LONGEST_SOCKET_PATH = 100  # bytes


def redis_socket(data_dir: Path) -> Path:
    """`redis.sock` in the data folder, or, where that path is too long, in a short folder of its own.

    The same data folder and user always give the same path, so that every process finds it.
    """
    plain = data_dir / "redis.sock"
    if len(os.fsencode(plain)) <= LONGEST_SOCKET_PATH:
        return plain
    name = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"rapport-{os.getuid()}-{name}" / "redis.sock"
