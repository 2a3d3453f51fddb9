import pytest


@pytest.fixture(autouse=True)
def _only_our_paths(settings):
    settings.ROOT_URLCONF = "knowledge.tests.site"
