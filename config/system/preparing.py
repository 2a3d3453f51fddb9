"""What must be true before anything starts: folder, lock, port, schema, static files, first account."""

import errno
import fcntl
import hashlib
import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

import redis
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import run_checks
from django.core.management import call_command
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from config.api.checks import SETTINGS
from config.system import children
from crm.reporting import views as reporting_views

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
ADMIN = "admin"
OTHER_PORT = "Choose another port with PORT=…"
OTHER_HOST = "Set HOST to an address of this machine."
ADDRESS_HINTS = {errno.EADDRINUSE: OTHER_PORT, errno.EACCES: OTHER_PORT}


class StartRefusedError(Exception):
    """Why the installation cannot start, in one line for the person at the terminal."""


def check_address() -> None:
    """Raises StartRefusedError when the address is taken, or open to others in demo mode."""
    host, port = settings.HOST, settings.PORT
    if settings.RAPPORT_ENV == "demo" and host not in LOOPBACK:
        raise StartRefusedError(
            f"RAPPORT_ENV=demo asks nobody for a password, so it listens on loopback only, not on {host}."
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            hint = ADDRESS_HINTS.get(error.errno or 0, OTHER_HOST)
            raise StartRefusedError(f"{host}:{port} cannot be used ({error.strerror}). {hint}") from None


def check_settings() -> None:
    """What is set makes sense together. Raises StartRefusedError with the first complaint."""
    for message in run_checks(tags=[SETTINGS]):
        if message.is_serious():
            raise StartRefusedError(" ".join(part for part in (message.msg, message.hint) if part))


def make_folder() -> None:
    """The data folder and those in it, for the owner alone. Raises StartRefusedError."""
    folder = Path(settings.DATA_DIR)
    for path in (folder, Path(settings.MEDIA_ROOT), children.logs_folder()):
        make_writable(path)
    for log in children.logs_folder().glob("*.log"):
        if not os.access(log, os.W_OK):  # as of a start by another user
            raise StartRefusedError(f"The log {log} cannot be written: it belongs to another user.")
    os.chmod(folder, 0o700)
    make_socket_folder(Path(settings.REDIS_SOCKET).parent)


def make_writable(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise StartRefusedError(f"The folder {folder} cannot be written ({error.strerror}).") from None


def make_socket_folder(folder: Path) -> None:
    """It may lie in the shared temporary folder, so it must be ours and closed to others."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = folder.lstat()
    if state.st_uid != os.getuid() or state.st_mode & 0o077 or folder.is_symlink():
        raise StartRefusedError(f"The folder {folder} for Redis's socket belongs to somebody else.")


def lock_folder(folder: Path | None = None) -> int:
    """A descriptor that holds the data folder. Raises StartRefusedError when another `serve` holds it."""
    folder = folder or Path(settings.DATA_DIR)
    path = folder / "serve.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = path.read_text().strip() or "unknown"
        os.close(handle)
        raise StartRefusedError(
            f"Rapport already runs on the data folder {folder} (process {holder})."
        ) from None
    os.ftruncate(handle, 0)
    os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def check_redis() -> None:
    if not settings.EMBEDDED_REDIS:
        check_other_redis()
    elif not children.redis_program():
        raise StartRefusedError("There is no Redis: install redis-server or valkey-server, or set REDIS_URL.")


def check_other_redis() -> None:
    """The one that REDIS_URL names. Its errors tell the host, and never the password."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise StartRefusedError(f"The Redis of REDIS_URL does not answer: {error}") from None


def fingerprint(paths: Iterable[Path], *extra: str) -> str:
    """Changes when a file comes, goes or changes. It reads no file: names, sizes and times are enough."""
    lines = list(extra)
    for path in sorted(paths):
        state = path.stat()
        lines.append(f"{path}:{state.st_size}:{state.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def migration_files() -> Iterator[Path]:
    for app in apps.get_app_configs():
        yield from Path(app.path).glob("migrations/*.py")
    # They are made after migrations, anew when they are worded otherwise.
    yield Path(reporting_views.__file__)


def applied_migrations() -> int:
    """How many the database has; a fresh or replaced database has none."""
    try:
        recorder = MigrationRecorder(connection)
        return recorder.migration_qs.count() if recorder.has_table() else 0
    except DatabaseError as error:
        raise StartRefusedError(f"The database does not answer: {str(error).splitlines()[0]}") from None


def migrate() -> bool:
    """Bring the schema up to date; whether there was anything to do.

    Looking at every migration takes a second, so a marker says which files this database has seen.
    """
    marker = Path(settings.DATA_DIR) / "migrated"
    files = fingerprint(migration_files(), str(settings.DATABASES["default"]["NAME"]))
    count = applied_migrations()
    if marker.exists() and marker.read_text() == f"{files} {count}":
        return False
    call_command("migrate", interactive=False, verbosity=0)
    marker.write_text(f"{files} {applied_migrations()}")
    return True


def static_sources() -> Iterator[Path]:
    for finder in get_finders():
        for path, storage in finder.list([]):
            yield Path(storage.path(path))


def collect_static() -> bool:
    """Collect static files when one changed; whether any did. Two installations may share the folder."""
    root = Path(settings.STATIC_ROOT)
    try:
        root.mkdir(parents=True, exist_ok=True)
        handle = os.open(root / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StartRefusedError(
            f"The folder {root} for static files cannot be written ({error.strerror})."
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return _collect_when_changed(root)
    finally:
        os.close(handle)


def _collect_when_changed(root: Path) -> bool:
    marker = root / ".collected"
    now = fingerprint(static_sources())
    if (root / "staticfiles.json").exists() and marker.exists() and marker.read_text() == now:
        return False
    call_command("collectstatic", interactive=False, verbosity=0)
    marker.write_text(now)
    return True


def first_account() -> str:
    """Make the account `admin` when nobody may log in yet; the password that was made up, else empty."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return ""
    given = os.environ.get("RAPPORT_ADMIN_PASSWORD", "")
    password = given or secrets.token_urlsafe(12)
    users.create_superuser(username=ADMIN, email="", password=password)
    return "" if given else password
