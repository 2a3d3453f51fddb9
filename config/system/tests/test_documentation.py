"""The API's description, for programs and for people."""

import re

import pytest

from config.system import documentation

pytestmark = pytest.mark.django_db


def test_the_schema_is_openapi(client):
    response = client.get("/openapi.json")
    assert response.json()["openapi"].startswith("3.")
    assert response.json()["info"]["title"] == "Rapport"


def test_the_schema_is_not_sent_twice_to_the_same_reader(client):
    etag = client.get("/openapi.json").headers["ETag"]
    assert client.get("/openapi.json", headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/"])
def test_no_page_asks_another_host_or_has_anything_inline(client, path):
    page = client.get(path, headers={"Accept": "text/html"}).content.decode()
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert not [source for source in sources if "//" in source]
    assert " style=" not in page
    assert "<style" not in page
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json"])
def test_reading_needs_no_key_and_minds_no_bad_one(client, path):
    assert client.get(path, headers={"Authorization": "Bearer nonsense"}).status_code == 200


SCHEMA = {
    "info": {"title": "Rapport", "version": "1", "description": ""},
    "components": {
        "schemas": {
            "Guide": {
                "required": ["name"],
                "properties": {
                    "name": {"type": "string", "description": "<b>Its name</b>"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
            }
        }
    },
    "paths": {
        "/api/v1/guides": {
            "post": {
                "tags": ["guides"],
                "description": "Make a guide.\n\nIt is a draft.",
                "parameters": [{"name": "dry", "in": "query", "schema": {"type": "boolean"}}],
                "requestBody": {
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Guide"}}}
                },
                "responses": {"201": {"description": "Made."}},
            }
        }
    },
}


@pytest.fixture
def small_schema(monkeypatch):
    monkeypatch.setattr(documentation, "schema", lambda: SCHEMA)
    documentation.groups.cache_clear()
    yield
    documentation.groups.cache_clear()


def test_an_operation_shows_its_parameters_and_the_fields_of_its_body(small_schema):
    ((name, operations),) = documentation.groups()
    assert name == "guides"
    assert [(field.name, field.where, field.kind, field.required) for field in operations[0].fields] == [
        ("dry", "query", "boolean", False),
        ("name", "body", "string", True),
        ("tags", "body", "array of string", False),
    ]
    assert (operations[0].summary, operations[0].description) == ("Make a guide.", "It is a draft.")


def test_the_reference_escapes_what_it_shows(client, small_schema):
    page = client.get("/redoc").content.decode()
    assert "&lt;b&gt;Its name&lt;/b&gt;" in page
    assert "/api/v1/guides" in page
