"""`POST /emails/upload-csv`: a file of people for the account's list."""

import time
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import csv_reading, excel, importing
from campaigns.api.marketing.naming import SCOPE, account_in, noted
from campaigns.models import Campaign, ContactImport
from campaigns.standing import campaign_of
from config.api.documented_values import body_or_query, private
from config.api.errors import ApiError, UnavailableError

TAG = "Marketing: emails"
PATIENCE = 20.0  # seconds that a call works on its file; a longer one goes on in the background
LOOK_EVERY = 0.1  # seconds
SHOWN_ERRORS = 100


class AddressFileSerializer(serializers.Serializer):
    file = serializers.FileField()


class UploadErrorSerializer(serializers.Serializer):
    line = serializers.IntegerField()
    reason = serializers.CharField()


class UploadedSerializer(serializers.Serializer):
    message = serializers.CharField()
    skipped = serializers.IntegerField(help_text="Rows of people who were on the list, or stand there twice.")
    added = serializers.IntegerField()
    invalid = serializers.IntegerField()
    errors = UploadErrorSerializer(many=True)  # type: ignore[assignment]  # a field, not the property
    is_complete = serializers.BooleanField(help_text="False: the rest goes on in the background.")


@extend_schema(tags=[TAG])
class EmailUpload(APIView):
    required_scope = SCOPE
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="emails_upload",
        summary="Put the people of a CSV file on the account's list; good rows count, bad ones are reported",
        request={"multipart/form-data": AddressFileSerializer},
        parameters=[OpenApiParameter("user_id", OpenApiTypes.STR, required=True)],
        responses=UploadedSerializer,
    )
    def post(self, request: Request) -> Response:
        query = UploadUserSerializer(data=body_or_query(request, ("user_id",)))
        query.is_valid(raise_exception=True)
        account = account_in(request, query.validated_data["user_id"])
        form = AddressFileSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        upload = form.validated_data["file"]
        if upload.size > csv_reading.MAX_BYTES:
            raise ApiError("PAYLOAD_TOO_LARGE", "The file is larger than 20 MB.", status_code=413)
        campaign = campaign_of(account)
        try:
            kept = importing.keep(campaign, upload.read(), filename=upload.name or "")
        except importing.ImportRefusedError as error:
            # As documented: a file without an email column is a 400, not a 422.
            raise ApiError("BAD_FILE", str(error), status_code=400) from None
        except excel.ExcelBusyError as busy:
            raise UnavailableError(str(busy), retry_after_seconds=excel.COME_AGAIN_SECONDS) from None
        answer = _imported(campaign, kept)
        noted(request, account, "uploaded addresses", **kept.counts)
        return private(answer)


class UploadUserSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)


def _imported(campaign: Campaign, kept: ContactImport) -> dict[str, Any]:
    before = campaign.recipients.count()
    importing.start(kept)
    _work_on(kept)
    added = campaign.recipients.count() - before
    is_complete = kept.state == ContactImport.State.DONE
    invalid = kept.counts.get("invalid", 0)
    return {
        "message": f"{added} emails added" + ("." if is_complete else " so far; the rest follows."),
        "skipped": max(0, kept.row_count - invalid - added) if is_complete else 0,
        "added": added,
        "invalid": invalid,
        "errors": [{"line": one["line"], "reason": one["reason"]} for one in kept.errors[:SHOWN_ERRORS]],
        "is_complete": is_complete,
    }


def _work_on(kept: ContactImport) -> None:
    """In this call, so that the answer can tell how many there are; unless a worker was faster."""
    ends_at = time.monotonic() + PATIENCE
    kept.refresh_from_db()
    while kept.state == ContactImport.State.RUNNING and (left := ends_at - time.monotonic()) > 0:
        if not importing.go_on(kept.pk, seconds=left):
            time.sleep(LOOK_EVERY)
        kept.refresh_from_db()
