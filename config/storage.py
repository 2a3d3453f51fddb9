"""Where files are kept: the data folder, or an S3-compatible store; and the static files."""

from typing import Any

from botocore.config import Config
from django.conf import settings
from django.core.files.storage import FileSystemStorage
from storages.backends.s3 import S3Storage
from whitenoise.storage import CompressedManifestStaticFilesStorage


class PrivateFolderStorage(FileSystemStorage):
    """The data folder. Files are readable by the owner alone and have no URL: views serve them.

    A save under an existing name replaces the file: our names carry ids, so a step that is done
    again writes the same object.
    """

    def __init__(self, **options: Any) -> None:
        options.setdefault("location", settings.MEDIA_ROOT)
        options.setdefault("file_permissions_mode", 0o600)
        options.setdefault("directory_permissions_mode", 0o700)
        options.setdefault("allow_overwrite", True)
        super().__init__(**options)


class PatientS3Storage(S3Storage):
    """S3 or a compatible store, with time limits (boto3 alone waits 60 s, several times over)."""

    def __init__(self, **options: Any) -> None:
        limits = Config(
            connect_timeout=5,  # seconds
            read_timeout=20,  # seconds
            retries={"max_attempts": 2, "mode": "standard"},
            signature_version="s3v4",
        )
        options.setdefault("client_config", limits)
        super().__init__(**options)


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """Static files with a content hash in the name; a file that was not collected keeps its name."""

    manifest_strict = False
