"""Knowledge for staff: collections, documents, questions, the Ask page and the retrieval test."""

from knowledge.admin.collections import CollectionAdmin
from knowledge.admin.documents import DocumentAdmin
from knowledge.admin.questions import QuestionAdmin
from knowledge.admin.remote_copies import RemoteCopyAdmin

__all__ = ["CollectionAdmin", "DocumentAdmin", "QuestionAdmin", "RemoteCopyAdmin"]
