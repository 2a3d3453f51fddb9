"""What is checked and made before anything starts."""

import socket
import stat

import pytest
from django.contrib.auth import authenticate, get_user_model

from config.system import preparing, supervisor, watching
from config.system.preparing import StartRefusedError


def test_files_that_did_not_change_have_the_same_fingerprint(tmp_path):
    file = tmp_path / "a"
    file.write_text("one")
    before = preparing.fingerprint([file])
    assert preparing.fingerprint([file]) == before
    file.write_text("other")
    assert preparing.fingerprint([file]) != before
    assert preparing.fingerprint([file], "database") != preparing.fingerprint([file])


@pytest.mark.django_db
def test_the_first_account_gets_a_password_that_works(monkeypatch):
    monkeypatch.delenv("RAPPORT_ADMIN_PASSWORD", raising=False)
    password = preparing.first_account()
    assert authenticate(username="admin", password=password).is_superuser
    assert len(password) >= 16


@pytest.mark.django_db
def test_a_password_that_was_given_is_not_told(monkeypatch):
    monkeypatch.setenv("RAPPORT_ADMIN_PASSWORD", "given-by-somebody")
    assert preparing.first_account() == ""
    assert authenticate(username="admin", password="given-by-somebody")


@pytest.mark.django_db
def test_where_somebody_may_log_in_already_no_account_is_made():
    get_user_model().objects.create_superuser("chief", "", "secret-enough")
    assert preparing.first_account() == ""
    assert get_user_model().objects.count() == 1


@pytest.mark.django_db
def test_a_database_that_was_migrated_is_left_alone(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert preparing.migrate()
    assert not preparing.migrate()
    (tmp_path / "migrated").write_text("another database")
    assert preparing.migrate()


def test_static_files_are_collected_when_they_changed(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATICFILES_DIRS = [tmp_path / "mine"]
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": "config.storage.HashedStaticFiles"}}
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.css").write_text("a{}")
    assert preparing.collect_static()
    assert not preparing.collect_static()
    (tmp_path / "mine" / "b.css").write_text("b{}")
    assert preparing.collect_static()
    assert (settings.STATIC_ROOT / "staticfiles.json").exists()


def test_the_folder_is_made_for_the_owner_alone(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "a" / "data"
    settings.MEDIA_ROOT = settings.DATA_DIR / "files"
    settings.REDIS_SOCKET = settings.DATA_DIR / "redis.sock"
    preparing.make_folder()
    assert stat.S_IMODE(settings.DATA_DIR.stat().st_mode) == 0o700


def test_a_folder_for_the_socket_that_others_may_enter_is_refused(tmp_path):
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(StartRefusedError):
        preparing.make_socket_folder(folder)


def test_the_lock_is_held_by_one(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    preparing.lock_folder()
    with pytest.raises(StartRefusedError, match="already runs"):
        preparing.lock_folder()


def test_demo_mode_refuses_an_open_address(settings):
    settings.RAPPORT_ENV, settings.HOST = "demo", "0.0.0.0"
    with pytest.raises(StartRefusedError, match="loopback"):
        preparing.check_address()


def test_a_free_address_is_fine_and_a_busy_one_is_not(settings):
    settings.HOST = "127.0.0.1"
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        settings.PORT = other.getsockname()[1]
        other.listen()
        with pytest.raises(StartRefusedError, match="cannot be used"):
            preparing.check_address()
    preparing.check_address()


def test_a_redis_that_does_not_answer_is_told_at_once_and_without_its_password(settings):
    preparing.check_redis()
    settings.REDIS_URL = "redis://:geheim@127.0.0.1:1"
    with pytest.raises(StartRefusedError, match="REDIS_URL does not answer") as refusal:
        preparing.check_redis()
    assert "geheim" not in str(refusal.value)


def test_an_address_that_is_not_ours_is_told_so(settings):
    settings.HOST, settings.PORT = "192.0.2.1", 8000
    with pytest.raises(StartRefusedError, match="HOST"):
        preparing.check_address()


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DEFAULT_PROVIDER_CHAIN", ["ofline"], "RAPPORT_PROVIDERS names 'ofline'"),
        ("EMBEDDING_PROVIDER", "opanai", "RAPPORT_EMBEDDINGS names 'opanai'"),
        ("CALL_SLOTS", ["Someday"], "RAPPORT_TIME_SLOTS"),
        ("CALL_HOURS", (21, 8), "RAPPORT_CALL_FROM_HOUR must be before"),
    ],
)
def test_settings_that_make_no_sense_together_are_refused(settings, name, value, told):
    preparing.check_settings()
    setattr(settings, name, value)
    with pytest.raises(StartRefusedError, match=told):
        preparing.check_settings()


def test_a_folder_of_files_that_cannot_be_written_is_named(settings, tmp_path):
    settings.DATA_DIR = tmp_path / "data"
    (tmp_path / "file").write_text("")
    settings.MEDIA_ROOT = tmp_path / "file"
    with pytest.raises(StartRefusedError, match=r"tmp.*file cannot be written"):
        preparing.make_folder()


def test_a_log_is_read_from_where_it_ended(tmp_path):
    log = tmp_path / "web.log"
    log.write_text("an old ERROR\n")
    watch = watching.LogWatch("web", log)
    assert watch.new_trouble() == []
    with log.open("a") as file:
        file.write("all is well\n2026-03-01 WARNING x: slow\n")
    assert watch.new_trouble() == ["web: 2026-03-01 WARNING x: slow"]
    assert watch.new_trouble() == []


def test_a_flood_of_errors_is_a_few_lines(tmp_path):
    log = tmp_path / "web.log"
    watch = watching.LogWatch("web", log)
    log.write_text("x ERROR y\n" * 500)
    lines = watch.new_trouble()
    assert len(lines) == 4
    assert "497 more" in lines[-1]


def test_a_log_that_began_anew_is_read_from_its_start(tmp_path):
    log = tmp_path / "web.log"
    log.write_text("x" * 100)
    watch = watching.LogWatch("web", log)
    log.write_text("an ERROR\n")
    assert watch.new_trouble() == ["web: an ERROR"]


def test_a_child_that_keeps_dying_waits_longer_each_time(monkeypatch, tmp_path):
    monkeypatch.setattr(supervisor.processes, "bury", lambda pid: 1)
    child = supervisor.Child("web", lambda: 1, tmp_path / "web.log")
    delays = []
    for _ in range(10):
        child.launch()
        delays.append(child.note_death()[1])
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6]
    assert delays[-1] == supervisor.LONGEST_DELAY


def test_an_installation_that_never_comes_up_is_given_up(tmp_path):
    child = supervisor.Child("web", lambda: 1, tmp_path / "web.log", deaths=5)
    kept = supervisor.Supervisor([child], tell=print)
    with pytest.raises(supervisor.GaveUpError, match=r"web keeps dying; the reason is in .*web\.log"):
        kept.give_up_on_hopeless(deaths=5)
