"""What one lane of `make test` leaves to the other: tests that ask for no database."""

import pytest

# pytest-django lets nobody near the database who asks for none of these and has no `django_db`.
DATABASE = {"db", "transactional_db", "live_server", "web_process"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-of-the-database",
        action="store_true",
        help="Leave out what another lane proves just as well: tests that ask for no database.",
    )


def depends_on_the_database(item: pytest.Item) -> bool:
    marks = ("django_db", "both_lanes", "slow", "browser", "skipif")
    marked = any(item.get_closest_marker(name) for name in marks)
    return marked or not DATABASE.isdisjoint(getattr(item, "fixturenames", ()))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("only_of_the_database"):
        return
    kept = [item for item in items if depends_on_the_database(item)]
    left = [item for item in items if not depends_on_the_database(item)]
    config.hook.pytest_deselected(items=left)
    items[:] = kept
