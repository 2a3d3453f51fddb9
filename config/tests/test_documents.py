"""What the documents name is there: settings, links, files, commands."""

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
NAMES = [str(file.relative_to(ROOT)) for file in DOCUMENTS]
READ = re.compile(r'(?:ENV\.\w+|_temperature)\(\s*"([A-Z0-9_]+)"')
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)+/?)`")
# What looks like a path and is none of the repository's.
ELSEWHERE = re.compile(
    r"(?:text|multipart|message|application|image|logs|\.ci|bounce|var|Europe)/.*|.*Brief\..*"
)
DUMP = """
import json
from django.conf import settings
settings.DEBUG
names = [name for name in dir(settings) if name.isupper() and name != "ENV"]
settings.DATABASES["default"].pop("TEST")  # its name is the process's own
print(json.dumps({name: repr(getattr(settings, name)) for name in names}))
"""
PLAIN = '"$PYTHON" -c "$CODE"'
FROM_EXAMPLE = f"folder=$RAPPORT_DATA; set -a; . ./.env.example; RAPPORT_DATA=$folder; {PLAIN}"


def settings_read():
    """Names of the environment that the settings read, and the one that is read at a first start."""
    texts = [file.read_text() for file in (ROOT / "config").glob("*.py")]
    return {name for text in texts for name in READ.findall(text)} | {"RAPPORT_ADMIN_PASSWORD"}


def test_every_setting_is_in_the_example_and_no_other():
    example = (ROOT / ".env.example").read_text()
    assert set(re.findall(r"^([A-Z0-9_]+)=", example, re.M)) == settings_read()


def test_every_setting_is_explained_and_no_other():
    rows = re.findall(r"^\| (`[A-Z].*)", (ROOT / "docs" / "configuration.md").read_text(), re.M)
    explained = {name for row in rows for name in re.findall(r"`([A-Z][A-Z0-9_]+)`", row.split(" | ")[0])}
    assert explained == settings_read()


def settings_with(command, folder):
    """All settings of a process that a shell command starts."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "RAPPORT_DATA": str(folder),
        "PYTHON": sys.executable,
        "CODE": DUMP,
        "PYTHONHASHSEED": "0",  # sets are told in one order
    }
    done = subprocess.run(
        ["bash", "-ec", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.mark.slow
def test_the_example_holds_the_defaults_and_a_shell_can_read_it(tmp_path):
    assert settings_with(FROM_EXAMPLE, tmp_path) == settings_with(PLAIN, tmp_path)


def heading_ids(file):
    """The anchors that GitHub gives the headings of a document."""
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.S)
    words = [re.sub(r"[^\w\- ]", "", found.lower()) for found in re.findall(r"^#+ (.*)$", text, re.M)]
    return {found.strip().replace(" ", "-") for found in words}


@pytest.mark.parametrize("file", DOCUMENTS, ids=NAMES)
def test_links_lead_somewhere(file):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        path, _, anchor = link.partition("#")
        if link.startswith(("http://", "https://")):
            continue
        target = (file.parent / path).resolve() if path else file
        if not target.exists() or (anchor and anchor not in heading_ids(target)):
            broken.append(link)
    assert broken == []


@pytest.fixture(scope="module")
def paths():
    """All that is in the repository's folders, each under its whole path."""
    found = [
        Path(folder, name).relative_to(ROOT)
        for top in ROOT.iterdir()
        if top.is_dir() and not top.name.startswith(".")
        for folder, folders, files in os.walk(top)
        for name in (*folders, *files)
    ]
    return "".join(f"/{path}\n" for path in found)


@pytest.mark.parametrize("file", DOCUMENTS, ids=NAMES)
def test_files_that_are_named_are_there(file, paths):
    named = [path for path in PATH.findall(file.read_text()) if not ELSEWHERE.fullmatch(path)]
    assert [path for path in named if f"/{path.rstrip('/')}\n" not in paths] == []


@pytest.mark.parametrize("file", DOCUMENTS, ids=NAMES)
def test_commands_that_are_named_are_there(file):
    text = file.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    modules = re.findall(r"python -m ((?:bench|tests)(?:\.\w+)*)", text)
    assert set(re.findall(r"manage\.py ([a-z_]+)", text)) <= set(get_commands())
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M)) <= targets
    assert [name for name in modules if find_spec(name) is None] == []
