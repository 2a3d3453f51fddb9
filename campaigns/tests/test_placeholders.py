import pytest

from campaigns import placeholders
from campaigns.placeholders import PlaceholderError


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("Hello {{ name }}", {"name": "Ada"}, "Hello Ada"),
        ("Hello {{name|there}}", {}, "Hello there"),
        ("Hello {{ name | there }}", {"name": ""}, "Hello there"),
        ("{ not one } and {}", {}, "{ not one } and {}"),
        ("{{ name }}{{ name }}", {"name": "{{ email }}"}, "{{ email }}{{ email }}"),
    ],
)
def test_it_fills_what_it_knows(text, values, said):
    assert placeholders.fill(placeholders.parse(text), values) == said


@pytest.mark.parametrize(
    "text", ["{{ name", "name }}", "{{ }}", "{{ name.first }}", "{{ a b }}", "{% if x %}{{ x! }}"]
)
def test_it_refuses_what_is_not_a_placeholder(text):
    with pytest.raises(PlaceholderError):
        placeholders.parse(text)


def test_it_says_which_name_was_meant():
    with pytest.raises(PlaceholderError, match=r"Did you mean \{\{ first_name \}\}"):
        placeholders.check("Hello {{ frist_name }}")


def test_a_fallback_does_not_hide_a_typing_error():
    with pytest.raises(PlaceholderError, match="Did you mean"):
        placeholders.check("Hello {{ frist_name|there }}")


def test_a_column_needs_a_fallback_until_an_import_brought_it():
    with pytest.raises(PlaceholderError, match="needs a fallback"):
        placeholders.check("In {{ department }}")
    placeholders.check("In {{ department|your team }}")
    placeholders.check("In {{ department }}", columns=["department"])


def test_column_names_are_made_from_headings():
    assert placeholders.column_name(" Job Title (2024) ") == "job_title_2024"
    assert placeholders.column_name("Größe") == "größe"
