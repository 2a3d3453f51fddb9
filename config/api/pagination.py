"""Pages of lists: by keyset for ours, by page and total where a documented API has them."""

from rest_framework.pagination import CursorPagination


class KeysetPagination(CursorPagination):
    ordering = "-id"
