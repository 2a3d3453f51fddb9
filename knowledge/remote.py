"""Documents that also go to a knowledge base of a vendor: which of them, and where their copies stand.

Nothing here waits for it: a document is read, searched and cited whether or not its copy arrives. Each
copy is a row; its steps are carrying.py.
"""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from knowledge.models import Collection, Document, RemoteCopy

State = RemoteCopy.State
TO_DO = (State.WAITING, State.PARSED, State.LEAVING)


# --- Which documents go there ---------------------------------------------------------------


def queue(document: Document) -> RemoteCopy | None:
    """The copy of a document that is ready; None when its collection stays here. Safe to repeat."""
    collection = document.collection
    if not collection.remote:
        return None
    copy, made = RemoteCopy.objects.get_or_create(
        account_id=collection.account_id,
        remote=collection.remote,
        remote_id=collection.remote_id,
        checksum=document.checksum,
        defaults={"document": document},
    )
    if made:
        wake(copy.pk)
    return copy


def queue_missing(limit: int = 200) -> int:
    """Copies for documents that were ready before their collection went anywhere, or whose worker died."""
    copies = RemoteCopy.objects.filter(
        account_id=OuterRef("collection__account_id"),
        remote=OuterRef("collection__remote"),
        remote_id=OuterRef("collection__remote_id"),
        checksum=OuterRef("checksum"),
    )
    going = list(Collection.objects.exclude(remote="").values_list("pk", flat=True))
    if not going:
        return 0
    missing = Document.objects.filter(
        ~Exists(copies), collection__in=going, state=Document.State.READY, superseded_at=None
    )
    rows = list(missing.select_related("collection").defer("given_sections")[:limit])
    for document in rows:
        queue(document)
    return len(rows)


def let_go(document: Document) -> None:
    """Its copies are to be taken away. In the transaction that removes the document.

    What is being trained at this moment is taken away when that is over.
    """
    now = timezone.now()
    copies = RemoteCopy.objects.filter(document=document)
    copies.filter(train_begun_at=None).delete()
    going = list(copies.values_list("pk", flat=True))
    copies.filter(lease_until__gt=now).update(not_before=F("lease_until"))
    copies.filter(Q(lease_until=None) | Q(lease_until__lte=now)).update(not_before=now)
    copies.update(state=State.LEAVING, attempts=0, error="", lease_until=None, document=None, parts=None)
    for copy_id in going:
        wake(copy_id)


def wake(copy_id: int) -> None:
    from knowledge.tasks import carry_copy  # tasks.py imports this module

    carry_copy.delay_on_commit(copy_id)  # type: ignore[attr-defined]


# --- Work that is due


def due() -> Q:
    """Copies a worker may claim now."""
    now = timezone.now()
    return Q(state__in=TO_DO, not_before__lte=now) & (Q(lease_until=None) | Q(lease_until__lt=now))


# --- By a person ----------------------------------------------------------------------------


def repeat(copies: QuerySet[RemoteCopy]) -> int:
    """What failed goes on where it was; how many. With its parts made, they are not made again."""
    now = timezone.now()
    failed = copies.filter(state=State.FAILED)
    going = list(failed.values_list("pk", flat=True))
    again = {"attempts": 0, "error": "", "not_before": now}
    with transaction.atomic():
        moved = failed.filter(parts__isnull=False).update(state=State.PARSED, **again)
        moved += failed.filter(parts__isnull=True).update(state=State.WAITING, **again)
        for copy_id in going:
            wake(copy_id)
    return moved


def take_away(copies: Iterable[RemoteCopy]) -> int:
    """Copies whose collection no longer goes there are taken away; how many."""
    count = 0
    for copy in copies:
        document = copy.document
        if document is not None and _goes_there(document.collection, copy):
            continue
        with transaction.atomic():
            count += RemoteCopy.objects.filter(pk=copy.pk, state__in=[State.TRAINED, State.FAILED]).update(
                state=State.LEAVING, attempts=0, not_before=timezone.now(), document=None, parts=None
            )
            wake(copy.pk)
    return count


def _goes_there(collection: Collection, copy: RemoteCopy) -> bool:
    return (collection.remote, collection.remote_id) == (copy.remote, copy.remote_id)


def copy_of(document: Document) -> RemoteCopy | None:
    """Where a document's copy stands; None when it has none."""
    collection = document.collection
    return RemoteCopy.objects.filter(
        account_id=collection.account_id,
        remote=collection.remote,
        remote_id=collection.remote_id,
        checksum=document.checksum,
    ).first()
