import pytest
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.validation import validate_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.models import AuditEntry
from config.api.openapi import enveloped


class EntrySerializer(serializers.ModelSerializer):
    class Meta:
        model = AuditEntry
        fields = ["id", "action"]


class Entries(ListAPIView):
    queryset = AuditEntry.objects.all()
    serializer_class = EntrySerializer
    required_scope = "things"


class Entry(APIView):
    required_scope = "things"

    @extend_schema(responses=enveloped("EntryEnvelope", EntrySerializer()))
    def get(self, request):
        return Response()


class Mail(Entry):
    @extend_schema(responses=enveloped("MailEnvelope", EntrySerializer(many=True)))
    def get(self, request):
        return Response()


def schema_of(**views):
    from django.urls import path

    patterns = [path(route.replace("__", "/"), view.as_view()) for route, view in views.items()]
    GENERATOR_STATS.reset()
    schema = SchemaGenerator(patterns=patterns).get_schema(public=True)
    validate_schema(schema)
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache
    return schema


@pytest.fixture
def schema():
    return schema_of(api__v1__entries=Entries, api__v1__entry=Entry, emails=Mail)


def test_either_way_to_send_a_key_is_documented(schema):
    assert schema["paths"]["/api/v1/entry"]["get"]["security"] == [{"BearerKey": []}, {"ApiKeyHeader": []}]
    assert schema["components"]["securitySchemes"]["BearerKey"]["scheme"] == "bearer"


def test_every_operation_names_its_familys_error(schema):
    for path, name in (("/api/v1/entry", "Error"), ("/emails", "MarketingError")):
        answer = schema["paths"][path]["get"]["responses"]["default"]
        assert answer["content"]["application/json"]["schema"]["$ref"].endswith(f"/{name}")
    assert "detail" in schema["components"]["schemas"]["Error"]["required"]


def test_a_list_documents_its_cursor_and_its_envelope(schema):
    operation = schema["paths"]["/api/v1/entries"]["get"]
    assert {parameter["name"] for parameter in operation["parameters"]} == {"limit", "cursor"}
    content = operation["responses"]["200"]["content"]["application/json"]["schema"]
    name = content["$ref"].rpartition("/")[2]
    assert set(schema["components"]["schemas"][name]["properties"]) == {
        "success",
        "data",
        "pagination",
        "metadata",
    }


def test_an_envelope_has_data_of_the_named_kind(schema):
    properties = schema["components"]["schemas"]["EntryEnvelope"]["properties"]
    assert properties["data"] == {"$ref": "#/components/schemas/Entry"}
    assert properties["metadata"] == {"$ref": "#/components/schemas/Metadata"}
