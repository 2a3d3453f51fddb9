"""Nobody forgets to guard a URL: these walk all there are."""

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.test import Client

from campaigns import addresses
from config.tests.every_url import ours
from config.tests.public_paths import BOUNDED_LISTS, CAPABILITY_PREFIXES, PUBLIC
from tests.factories import (
    bearer,
    make_account,
    make_campaign,
    make_collection,
    make_contact,
    make_guide,
    make_key,
    make_persona,
)
from tests.user_tokens import ISSUER, SECRET, as_user

pytestmark = pytest.mark.django_db(transaction=True)

EMAIL = "ada@example.com"
METHODS = ("get", "post", "put", "patch", "delete")
# Answers that tell a stranger nothing.
REFUSALS = {401, 403}
NOT_HERE = {405, 404}


@pytest.fixture
def client():
    return Client(raise_request_exception=False)


def is_capability(pattern):
    return pattern not in PUBLIC and pattern.startswith(tuple(CAPABILITY_PREFIXES))


def refuses(response, pattern):
    to_login = response.status_code == 302 and "/login" in response.headers["Location"]
    # Where nothing in the address varies, a 404 is not about a made-up id: it hides the page from strangers.
    hidden = response.status_code == 404 and "<" not in pattern
    return response.status_code in REFUSALS or to_login or hidden


def test_every_url_is_listed_as_public_or_asks_for_a_credential(client):
    open_ones = []
    for address in ours():
        if address.pattern in PUBLIC or is_capability(address.pattern):
            continue
        answers = {method: getattr(client, method)(address.path) for method in METHODS}
        told = {method: answer for method, answer in answers.items() if answer.status_code != 405}
        if not told or not all(refuses(answer, address.pattern) for answer in told.values()):
            codes = {method: answer.status_code for method, answer in answers.items()}
            open_ones.append(f"{address.pattern} {codes}")
    assert not open_ones, "answer without a credential:\n" + "\n".join(open_ones)


def test_a_wrong_capability_opens_nothing(client):
    open_ones = []
    for address in ours():
        if not is_capability(address.pattern):
            continue
        for method in METHODS:
            answer = getattr(client, method)(address.path)
            if refuses(answer, address.pattern) or answer.status_code in NOT_HERE:
                continue
            if not leads_nowhere(client, answer, address.pattern):
                open_ones.append(f"{method} {address.pattern} {answer.status_code}")
    assert not open_ones, "answer to a wrong capability:\n" + "\n".join(open_ones)


def leads_nowhere(client, answer, pattern):
    """A redirect to a page that refuses tells as little as that page."""
    if answer.status_code != 302:
        return False
    page = client.get(answer.headers["Location"])
    return refuses(page, pattern) or page.status_code in NOT_HERE


def test_capability_pages_are_kept_by_nobody(client):
    kept = []
    for address in ours():
        if is_capability(address.pattern):
            answer = client.get(address.path)
            if answer.status_code != 405 and "no-store" not in answer.headers.get("Cache-Control", ""):
                kept.append(address.pattern)
    assert not kept, "without Cache-Control: no-store (config.api.security.capability_page):\n" + "\n".join(
        kept
    )


def test_the_list_of_public_paths_names_only_paths_there_are():
    patterns = {address.pattern for address in ours()}
    assert not set(PUBLIC) - patterns
    assert not [prefix for prefix in CAPABILITY_PREFIXES if not any(p.startswith(prefix) for p in patterns)]


JUNK = [
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"[]", "application/json"),
    (b"null", "application/json"),
    (b'"text"', "application/json"),
    (b"[" * 5000 + b"]" * 5000, "application/json"),
    (b'{"id": 99999999999999999999999999999999}', "application/json"),
    (b'{"text": "\\u0000", "name": "\\u0000", "email": "\\u0000"}', "application/json"),
    (
        b'{"text": {}, "message": [], "email": 1, "user_id": {}, "question": null, "limit": -1}',
        "application/json",
    ),
    (b"\xff\xfe\x00", "application/json"),
    (b"a=%00&b=%ff&email=x&text=", "application/x-www-form-urlencoded"),
    (b"--nothing", "multipart/form-data; boundary=x"),
    (b"--nothing", "multipart/form-data"),
    (b"<x/>", "text/xml"),
]
JUNK_QUERIES = (
    "limit=x&page=-1&cursor=%ff&offset=1e9&search=%ff%fe&before=x&after=-1&order=sideways&status=%27",
    "limit=999999999999999999999&page=999999999999999999999&offset=99999999999999999999&before=9999999999999999999999",
    "search=%00",
)
# Django's admin reads other names.
ADMIN_QUERIES = (
    "q=%00",
    "q=%ff%fe&o=99999999999999999999.sideways&_changelist_filters=%ff",
    "p=99999999999999999999&search=%00",
)
# Nobody can read the one, and the other has every kind of field: when neither is even looked at, none is.
UNREADABLE, FORM = JUNK[1], JUNK[10]


@pytest.fixture
def known():
    """Ids of real rows of account `acme`, by the names that paths use."""
    from interviews.starting import invite

    account = make_account("acme")
    guide, contact = make_guide(account), make_contact(account, email=EMAIL)
    make_campaign(account, people=1)
    make_collection(account)
    invite(guide, contact)
    addresses.add(account, EMAIL)
    ids = {}
    for model in apps.get_models():
        if (row := model._default_manager.first()) is not None:
            ids[f"{model._meta.model_name}_id"] = str(row.pk)
            ids[f"admin/{model._meta.app_label}/{model._meta.model_name}/object_id"] = str(row.pk)
    ids["template_id"] = ids["emailtemplate_id"]
    return ids


LABELS = {
    "user_id": "acme",
    "email": EMAIL,
    "session_id": f"acme+{EMAIL}",
    "token": f"acme-{EMAIL}",
    "label": f"acme+{EMAIL}",
}


def test_what_an_account_calls_its_people_is_not_there_for_another(known):
    """The labels of the marketing API: names, guessed by anybody, that open nothing."""
    stranger = Client(raise_request_exception=False, headers=bearer(make_key(make_account("other"))))
    # A session of the CRM API is asked for by its token, which nobody can guess: "no" is an answer there.
    named = [
        address
        for address in ours(LABELS)
        if any(value in address.path for value in LABELS.values())
        and not address.pattern.startswith("/sessions/")
    ]
    assert len(named) > 25
    told = []
    for address in named:
        for method in METHODS:
            answer = stranger.generic(method.upper(), address.path, b"{}", content_type="application/json")
            # A path of its own form is refused before anybody looks, as is a credential in its place.
            if answer.status_code not in {404, 405, 400, 401, 410, 415, 422}:
                told.append(f"{method} {address.pattern} {answer.status_code}")
    assert not told, "answer about another account's people:\n" + "\n".join(told)


# Of users who prove themselves by a signed token; a key opens nothing there (test_persona_chats.py).
OF_USERS = (
    "/api/v1/chat/conversations",
    "/api/v1/chat/memories",
    "/api/v1/chat/ws/",
    "/api/v2/chat/",
    "/api/v1/media/upload",
)


def test_the_ids_of_another_account_are_not_there(known):
    stranger = Client(raise_request_exception=False, headers=bearer(make_key(make_account("other"))))
    seen, ids = [], ids_of(known)
    theirs = [
        address
        for address in ours(known)
        if address.path.startswith("/api/") and any(value in address.path for value in ids)
        if not address.path.startswith(OF_USERS)
    ]
    assert len(theirs) > 5
    for address in theirs:
        for method in METHODS:
            answer = stranger.generic(method.upper(), address.path, b"{}", content_type="application/json")
            # What cannot be read is refused before anybody looks for the row.
            if answer.status_code not in {404, 405, 400, 415, 422}:
                seen.append(f"{method} {address.pattern} {answer.status_code}")
    assert not seen, "answer about another account's rows:\n" + "\n".join(seen)


def ids_of(known):
    return {value for value in known.values() if len(value) == 36}


@pytest.fixture
def callers(client):
    """A stranger, a key of `acme` that may do everything, and an operator."""
    with_key = Client(raise_request_exception=False, headers=bearer(make_key(make_account("acme"))))
    operator = Client(raise_request_exception=False)
    operator.force_login(User.objects.create_superuser("operator"))
    user = Client(raise_request_exception=False, headers=as_user())
    return {"stranger": client, "key": with_key, "operator": operator, "user": user}


# Django's own admin is its makers' to try, except for the pages that we added to it.
def ours_to_try(known):
    modules = ("django.", "unfold.", "drf_spectacular.", "django_celery_beat.")
    return [
        address
        for address in ours(known)
        if not getattr(address.callback, "__module__", "").startswith(modules)
        and not type(getattr(address.callback, "__self__", None)).__module__.startswith(modules)
    ]


@pytest.mark.no_cover  # that nothing fails is no sign that it does what it should
@pytest.mark.parametrize("caller", ["stranger", "key", "operator"])
def test_no_view_answers_500_to_junk(callers, caller, known):
    tried = {*ours_to_try({}), *ours_to_try(known), *ours_to_try({**known, **LABELS})}
    broken = [
        failed
        for address in sorted(tried, key=lambda address: address.path)
        if (failed := first_failure(callers[caller], address))
    ]
    assert not broken, "\n".join(broken)


def test_no_view_of_users_answers_500_to_junk(callers, known, settings):
    settings.JWT_SECRET_KEY, settings.JWT_ISSUERS = SECRET, {ISSUER: "acme"}
    settings.PERSONA_PER_MINUTE = settings.PERSONA_PER_HOUR = 10_000
    tried = {*ours_to_try({}), *ours_to_try({**known, **chat_of_alice(callers["user"])})}
    of_users = sorted((one for one in tried if one.path.startswith(OF_USERS)), key=lambda one: one.path)
    assert len(of_users) > 5
    broken = [failed for one in of_users if (failed := first_failure(callers["user"], one))]
    assert not broken, "\n".join(broken)


def chat_of_alice(user):
    influencer = make_persona(make_account("acme"), kind="influencer")
    body = {"influencer_id": str(influencer.pk)}
    begun = user.post("/api/v1/chat/conversations", body, content_type="application/json")
    return {"conversation_id": begun.json()["id"]}


def first_failure(client, address):
    """What the view could not take, in words; empty when it took everything."""
    in_admin = address.path.startswith("/admin/")
    for query in ADMIN_QUERIES if in_admin else JUNK_QUERIES:
        answer = client.get(f"{address.path}?{query}")
        if answer.status_code == 500:
            return f"get {address.pattern} {query}"
        if is_shut(answer):
            break
    # The admin reads forms alone, and these only when they are posted.
    junk = JUNK[-4:] if in_admin else [UNREADABLE, FORM, *JUNK]
    for method in ("post", "put", "patch", "delete"):
        if in_admin and method != "post":
            junk = [FORM]
        if failed := failure_of(method, client, address, junk):
            return failed
    return ""


def failure_of(method, client, address, junk):
    seen = []
    for body, kind in junk:
        answer = getattr(client, method)(address.path, body, content_type=kind)
        # 502 and 503 are answers: of a provider or a part that the test does not have.
        if answer.status_code == 500:
            return f"{method} {address.pattern} {body[:60]!r}"
        seen.append(answer.status_code)
        if is_shut(answer) or (len(seen) == 2 and set(seen) <= {403, 404}):
            break
    return ""


def is_shut(answer):
    """Whether the answer is the same for every query and body."""
    to_login = answer.status_code == 302 and "/login" in answer.headers["Location"]
    return to_login or answer.status_code in {401, 405}


@pytest.mark.parametrize(
    "path", ["/no/such/thing", "/%ff%fe", "/x" * 2000, "/..%2f..%2fetc/passwd", "/api/v1/"]
)
def test_paths_that_are_not_are_404(client, path):
    assert client.get(path).status_code == 404


def lists_of(schema):
    """(path, operation) of each GET that answers with rows."""
    for path, operations in schema["paths"].items():
        operation = operations.get("get")
        if operation and has_rows(schema, operation["responses"].get("200", {})):
            yield path, operation


def has_rows(schema, response):
    content = response.get("content", {}).get("application/json", {}).get("schema", {})
    resolved = resolve(schema, content)
    data = resolve(schema, resolved.get("properties", {}).get("data", {}))
    return "array" in (resolved.get("type"), data.get("type"))


def resolve(schema, part):
    while "$ref" in part:
        part = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    return part


def test_every_list_endpoint_is_paginated():
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(public=True)
    endless = [
        path
        for path, operation in lists_of(schema)
        if not {"limit", "per_page", "page"}
        & {parameter["name"] for parameter in operation.get("parameters", [])}
        and path not in BOUNDED_LISTS
    ]
    assert not endless
    assert not set(BOUNDED_LISTS) - set(schema["paths"])
