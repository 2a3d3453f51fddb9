"""Collections: what is searched together, and who may read it."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display

from knowledge.embedding import reindex
from knowledge.ingestion import remove_collection
from knowledge.models import Collection


@admin.register(Collection)
class CollectionAdmin(ModelAdmin):
    list_display = [
        "name",
        "slug",
        "account",
        "documents",
        "passages",
        "staff_may_read",
        "assistants_may_read",
        "created_at",
    ]
    list_filter = [("account", RelatedDropdownFilter), "staff_may_read", "assistants_may_read"]
    list_filter_submit = True
    list_select_related = ["account"]
    search_fields = ["name", "slug", "description"]
    show_full_result_count = False
    autocomplete_fields = ["account"]
    filter_horizontal = ["personas"]
    readonly_fields = ["version", "document_count", "chunk_count", "token_count", "changed_at", "created_at"]
    actions = ["make_vectors_again"]

    @display(description=_("Documents"), ordering="document_count")  # type: ignore[untyped-decorator]
    def documents(self, collection: Collection) -> int:
        return collection.document_count

    @display(description=_("Passages"), ordering="chunk_count")  # type: ignore[untyped-decorator]
    def passages(self, collection: Collection) -> int:
        return collection.chunk_count

    @admin.action(description=_("Make the vectors again (after a change of model)"), permissions=["change"])
    def make_vectors_again(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        count = sum(reindex(collection) for collection in queryset)
        text = ngettext("%d document gets its vectors anew.", "%d documents get their vectors anew.", count)
        self.message_user(request, text % count, messages.SUCCESS)

    def delete_model(self, request: HttpRequest, collection: Collection) -> None:
        remove_collection(collection)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Collection]) -> None:
        for collection in queryset:
            remove_collection(collection)
