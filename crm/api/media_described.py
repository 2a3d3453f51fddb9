"""What an upload takes and gives, for the OpenAPI schema. The view is media.py."""

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.media import MediaUploadSerializer, UploadedMediaSerializer
from crm.api.persona_chats import PersonaView


class MediaUploadView(PersonaView):
    """Describes the operation; requests never reach it."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        tags=["Persona chat"],
        operation_id="uploadMedia",
        summary="Upload a picture or a recording",
        request={"multipart/form-data": MediaUploadSerializer},
        responses=UploadedMediaSerializer,
    )
    def post(self, request: Request) -> Response:
        raise MethodNotAllowed("POST")
