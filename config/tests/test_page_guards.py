"""No page brings inline code or asks another host: read from the files, so that no page is forgotten."""

import re
from pathlib import Path

import pytest
from django.conf import settings

from config.tests.public_paths import EMAIL_TEMPLATES

TEMPLATES = sorted((settings.BASE_DIR / "templates").rglob("*.html"))
STATIC = sorted(
    file
    for kind in ("*.css", "*.js", "*.mjs", "*.svg")
    for file in (settings.BASE_DIR / "static").rglob(kind)
)

INLINE_SCRIPT = re.compile(
    r"<script\b(?![^>]*\bsrc=)(?![^>]*\btype=[\"']application/(?:ld\+)?json[\"'])", re.I
)
INLINE_STYLE = re.compile(r"<style\b|\sstyle\s*=", re.I)
HANDLER = re.compile(r"<[^>{%]*\son[a-z]+\s*=\s*[\"']", re.I)
SCRIPT_URL = re.compile(r"[\"'\s]javascript:", re.I)
OTHER_HOST = re.compile(r"\b(?:src|srcset|action|poster|data)\s*=\s*[\"'](?:https?:)?//", re.I)
OTHER_SHEET = re.compile(r"<link\b[^>]*href\s*=\s*[\"'](?:https?:)?//", re.I)
CSS_OTHER_HOST = re.compile(r"(?:url\(\s*[\"']?|@import\s+[\"']?)(?:https?:)?//", re.I)
JS_OTHER_HOST = re.compile(r"""["'`](?:https?|wss?)://(?!\$\{)[a-z0-9]""", re.I)
JS_EVALUATION = re.compile(
    r"\beval\s*\(|\bnew Function\b|\.innerHTML\s*=|\.outerHTML\s*=|insertAdjacentHTML|document\.write"
)
COMMENTS = re.compile(r"\{#.*?#\}|\{% comment.*?endcomment %\}|<!--.*?-->", re.S)
# Names of XML formats look like addresses, and are never fetched.
NAMESPACES = re.compile(r"https?://www\.w3\.org/[\w/#-]+")


def is_admin(file):
    return "admin" in file.relative_to(settings.BASE_DIR).parts


def named(file):
    return str(file.relative_to(settings.BASE_DIR))


@pytest.mark.parametrize("file", TEMPLATES, ids=named)
def test_a_template_holds_no_inline_code_and_asks_no_other_host(file):
    text = COMMENTS.sub("", file.read_text())
    rules = [OTHER_HOST, OTHER_SHEET, INLINE_SCRIPT, HANDLER, SCRIPT_URL]
    if not (named(file) in EMAIL_TEMPLATES or is_admin(file)):  # /admin/ alone may style inline
        rules.append(INLINE_STYLE)
    found = [match.group(0) for rule in rules for match in rule.finditer(text)]
    assert not found


@pytest.mark.parametrize("file", STATIC, ids=named)
def test_a_static_file_asks_no_other_host_and_evaluates_nothing(file):
    text = NAMESPACES.sub("", file.read_text())
    rules = [CSS_OTHER_HOST] if file.suffix == ".css" else [JS_OTHER_HOST, JS_EVALUATION]
    assert not [match.group(0) for rule in rules for match in rule.finditer(text)]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (INLINE_SCRIPT, "<script>alert(1)</script>"),
        (INLINE_SCRIPT, '<script type="module">x</script>'),
        (INLINE_STYLE, '<p style="color: red">'),
        (HANDLER, '<button type="button" onclick="go()">'),
        (SCRIPT_URL, '<a href="javascript:go()">'),
        (OTHER_HOST, '<img src="//cdn.example/x.png">'),
        (OTHER_SHEET, '<link rel="stylesheet" href="https://fonts.example/css">'),
        (CSS_OTHER_HOST, "src: url(https://fonts.example/x.woff2)"),
        (JS_OTHER_HOST, 'fetch("https://api.example/x")'),
        (JS_EVALUATION, "node.innerHTML = text"),
    ],
)
def test_the_rules_see_what_they_are_for(rule, text):
    assert rule.search(text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (INLINE_SCRIPT, '<script type="module" src="/static/x.js"></script>'),
        (INLINE_SCRIPT, '<script type="application/json" id="state">{}</script>'),
        (HANDLER, '<p data-on="x">'),
        (OTHER_HOST, '<img src="/static/x.png">'),
        (JS_OTHER_HOST, "new WebSocket(`wss://${location.host}/x`)"),
    ],
)
def test_the_rules_let_pass_what_is_allowed(rule, text):
    assert not rule.search(text)


def test_there_are_pages_to_look_at():
    assert Path(settings.BASE_DIR / "templates" / "errors" / "error.html") in TEMPLATES
    assert STATIC
    assert {named(file) for file in TEMPLATES} >= EMAIL_TEMPLATES
