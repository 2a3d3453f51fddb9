"""Addresses of stored transcripts: the one that is recorded, and short-lived ones that can be opened."""

from datetime import datetime, timedelta
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.core import signing
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from storages.backends.s3 import S3Storage

from config.api.models import Account
from crm.contacts import uuid_of
from interviews.models import Interview

SALT = "interviews.pdf"
LISTED_FOR = timedelta(hours=2)  # what the documented lists give
LONGEST_URL = 2_000


def is_in_s3() -> bool:
    return isinstance(default_storage, S3Storage)


def _folder() -> str:
    """Of the recorded addresses, up to the object's key."""
    if not is_in_s3():
        return f"{settings.PUBLIC_BASE_URL}/s3/"
    bucket = settings.AWS_STORAGE_BUCKET_NAME
    if settings.AWS_S3_ENDPOINT_URL:
        return f"{settings.AWS_S3_ENDPOINT_URL}/{bucket}/"
    return f"https://{bucket}.s3.{settings.AWS_S3_REGION_NAME}.amazonaws.com/"


def recorded_url(interview: Interview) -> str | None:
    """It names the object and opens nothing: objects are private."""
    return _folder() + quote(str(interview.pdf.name)) if interview.pdf.name else None


def interview_at(url: str, accounts: QuerySet[Account]) -> Interview | None:
    """The interview whose transcript a recorded address names, when it is one of these accounts'."""
    folder = _folder()
    if not url.startswith(folder) or len(url) > LONGEST_URL or urlsplit(url).query:
        return None
    key = unquote(url.removeprefix(folder))
    interview_id = uuid_of(key.rpartition("/")[2].removesuffix(".pdf"))
    if interview_id is None:
        return None
    rows = Interview.objects.filter(pk=interview_id, account__in=accounts).select_related("account")
    found: Interview | None = rows.first()
    # Only what is recorded, byte by byte: the id in a key says nothing about the rest of it.
    return found if found is not None and found.pdf.name == key else None


def signed_url(interview: Interview, *, lasts: timedelta) -> tuple[str, datetime]:
    """An address that opens the PDF for anybody who has it, and when it stops to."""
    expires_at = timezone.now() + lasts
    if is_in_s3():
        seconds = int(lasts.total_seconds())
        return default_storage.url(str(interview.pdf.name), expire=seconds), expires_at  # type: ignore[call-arg]
    token = signing.dumps([str(interview.pk), int(expires_at.timestamp())], salt=SALT)
    return settings.PUBLIC_BASE_URL + reverse("signed-pdf", args=[token]), expires_at


def interview_signed_in(token: str) -> Interview | None:
    """The interview of an address that this installation signed, while it lasts."""
    try:
        key, until = signing.loads(token[:LONGEST_URL], salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if timezone.now().timestamp() >= until:
        return None
    found: Interview | None = Interview.objects.select_related("account", "guide").filter(pk=key).first()
    return found
