"""Which database `DATABASE_URL` names."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.databases import database_from_url

HERE = Path("/srv/var/rapport.sqlite3")


def database(url):
    return database_from_url(url, sqlite_file=HERE, testing=False)


def test_without_a_url_it_is_the_file_in_the_data_folder():
    assert database("")["NAME"] == str(HERE)


def test_a_file_may_be_named():
    assert database("sqlite:///srv/other.sqlite3")["NAME"] == "/srv/other.sqlite3"


def test_a_password_is_read_with_its_escapes():
    found = database("postgresql://me:p%40ss%2Fword@db.example:6432/rapport")
    assert (found["PASSWORD"], found["HOST"], found["PORT"]) == ("p@ss/word", "db.example", 6432)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://me:geheim@db/rapport",
        "postgresql://me:ge/heim@db/rapport",
        "postgresql://me:geheim@db:port/rapport",
        "postgresql://me:geheim@db",
        "sqlite://",
        "sqlite:///",
    ],
)
def test_what_names_no_database_is_refused_without_showing_it(url):
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL") as refusal:
        database(url)
    assert "heim" not in str(refusal.value)
    assert refusal.value.__cause__ is None
