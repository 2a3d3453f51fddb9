"""`make bench`: every bench there is, one after another, each in a process of its own.

python -m bench [name …]
"""

import pkgutil
import subprocess
import sys

import bench

# Parts of benches, not benches.
PARTS = {
    "__main__",
    "report",
    "load",
    "probe",
    "asgi_baselines",
    "smtp_sink",
    "sending_parts",
    "sending_house",
    # Drills have commands of their own.
    "drills",
    "sender_kills",
    "backups",
}


def names():
    return sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.name not in PARTS)


def main(wanted):
    unknown = set(wanted) - set(names())
    if unknown:
        sys.exit(f"There is no bench called {', '.join(sorted(unknown))}. There are: {', '.join(names())}.")
    missed = [
        name
        for name in wanted or names()
        if subprocess.run([sys.executable, "-m", f"bench.{name}"]).returncode
    ]
    if missed:
        sys.exit(f"A target was missed, or it failed: {', '.join(missed)}.")


if __name__ == "__main__":
    main(sys.argv[1:])
