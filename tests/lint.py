"""`make lint`: everything that reads the code, in order, each under its heading.

    python -m tests.lint [name …]        all of them, or those whose name holds one of the words

Goes on after a failure, says at the end what failed, and exits with 1.
"""

import ast
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APPS = ("campaigns", "interviews", "voice", "crm", "knowledge", "personas", "config")
LONGEST = 25  # lines, of nine functions in ten
SHARE_SHORT = 0.9
LONGEST_FILE = 400  # lines


@dataclass(frozen=True)
class Step:
    name: str
    run: Callable[[], bool]


def command(*words: str, **environment: str) -> Callable[[], bool]:
    """A step that passes when the command does."""

    def run() -> bool:
        return subprocess.run(words, cwd=ROOT, env={**os.environ, **environment}).returncode == 0

    return run


def python(*words: str, **environment: str) -> Callable[[], bool]:
    return command(sys.executable, *words, **environment)


def tool(name: str) -> str:
    """A command of this virtual environment, also when it is not on PATH."""
    return str(Path(sys.executable).parent / name)


def django(*words: str, data: Path, **environment: str) -> Callable[[], bool]:
    given = {"RAPPORT_ENV": "test", "RAPPORT_DATA": str(data), "DATABASE_URL": "", **environment}
    return python("manage.py", *words, **given)


# As a real production would be set up; the values open nothing.
PRODUCTION = {
    "RAPPORT_ENV": "production",
    "SECRET_KEY": "lint-" + "a1b2c3d4e5" * 6,
    "RAPPORT_ENCRYPTION_KEYS": "lint-" + "f6g7h8i9j0" * 4,
    "PUBLIC_BASE_URL": "https://rapport.example",
    "ALLOWED_HOSTS": "rapport.example",
    "TRUSTED_PROXIES": "1",
}


def own_files() -> list[Path]:
    found = (file for app in APPS for file in (ROOT / app).rglob("*.py"))
    return sorted(file for file in found if not {"migrations", "tests"} & set(file.parts))


def lengths(file: Path) -> Iterator[tuple[int, str]]:
    """Lines of each function of a file, without decorators, and where it is."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            yield lines, f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"


def functions_are_short() -> bool:
    found = sorted((length for file in own_files() for length in lengths(file)), reverse=True)
    short = sum(lines <= LONGEST for lines, _ in found)
    share = short / len(found)
    median = found[len(found) // 2][0]
    print(f"{len(found)} functions, median {median} lines, {share:.1%} of them at most {LONGEST}.")
    if share < SHARE_SHORT:
        print(f"At least {SHARE_SHORT:.0%} should be. The longest:")
        print("\n".join(f"  {lines:4} {where}" for lines, where in found[:15]))
    return share >= SHARE_SHORT


def files_are_short() -> bool:
    long_ones = [
        (count, file.relative_to(ROOT))
        for file in own_files()
        if (count := len(file.read_text().splitlines())) > LONGEST_FILE
    ]
    for count, file in sorted(long_ones, reverse=True):
        print(f"{file} has {count} lines; past {LONGEST_FILE} it is two files.")
    return not long_ones


def steps(data: Path) -> list[Step]:
    return [
        Step("ruff check", command(tool("ruff"), "check", ".")),
        Step("ruff format", command(tool("ruff"), "format", "--check", ".")),
        Step("mypy", python("-m", "mypy", *APPS, RAPPORT_ENV="test", RAPPORT_DATA=str(data))),
        Step("import-linter", command(tool("lint-imports"), "--no-logo")),
        Step("migrations", django("makemigrations", "--check", "--dry-run", data=data)),
        Step(
            "deployment checks",
            django("check", "--deploy", "--fail-level", "WARNING", data=data, **PRODUCTION),
        ),
        Step(
            "OpenAPI schema",
            django("spectacular", "--validate", "--fail-on-warn", "--file", os.devnull, data=data),
        ),
        Step("short functions", functions_are_short),
        Step("short files", files_are_short),
    ]


def main(words: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="rapport-lint-") as folder:
        chosen = [
            step for step in steps(Path(folder)) if not words or any(word in step.name for word in words)
        ]
        failed = []
        for step in chosen:
            print(f"\n=== {step.name} ===", flush=True)
            if not step.run():
                failed.append(step.name)
    if not chosen:
        print("There is no such step.")
        return 1
    print(f"\nFailed: {', '.join(failed)}." if failed else "\nEverything is clean.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
