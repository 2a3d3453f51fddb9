"""The PDF for someone whose right to it was checked: streamed, or by a short-lived presigned URL."""

from django.core.files.storage import default_storage
from django.http import FileResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.text import slugify
from storages.backends.s3 import S3Storage

from interviews.models import Interview


def filename_of(interview: Interview) -> str:
    return f"{slugify(interview.guide.name) or 'interview'}-{str(interview.pk)[-6:]}.pdf"


def pdf_response(interview: Interview) -> HttpResponseBase | None:
    """None when there is no PDF (yet). Never cached: the address alone is no right to read it."""
    if not interview.pdf.name:
        return None
    response = _redirect(interview) if isinstance(default_storage, S3Storage) else _stream(interview)
    if response is not None:
        response.headers["Cache-Control"] = "private, no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _redirect(interview: Interview) -> HttpResponseBase:
    named = {"ResponseContentDisposition": f'attachment; filename="{filename_of(interview)}"'}
    url = default_storage.url(interview.pdf.name, parameters=named)  # type: ignore[call-arg]
    return HttpResponseRedirect(url)


def _stream(interview: Interview) -> HttpResponseBase | None:
    try:
        content = default_storage.open(str(interview.pdf.name), "rb")
    except FileNotFoundError:
        return None
    return FileResponse(
        content, as_attachment=True, filename=filename_of(interview), content_type="application/pdf"
    )
