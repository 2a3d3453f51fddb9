"""Every list of the admin: fifty rows a page, and never a count of a whole table."""

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

ROWS = 50
DEEPEST = 10_000  # rows; who looks for more narrows the list by its filters or the search


class BoundedPaginator(Paginator):
    """Counts so far and no further: a longer list has as many pages as hold that many rows."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        return rows.order_by()[:DEEPEST].count() if isinstance(rows, QuerySet) else len(rows)


def set_defaults() -> None:
    """Of all lists, in whichever app: one that names its own keeps it."""
    admin.ModelAdmin.paginator = BoundedPaginator
    admin.ModelAdmin.list_per_page = ROWS
