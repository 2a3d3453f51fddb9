"""Paths of knowledge: its APIs, and the stream behind the admin's Ask page."""

from django.urls import URLPattern, URLResolver, path

from knowledge import api, asking, asking_described, rag, rag_described, uploading

API = "api/v1/knowledge"
# Plain async views; the schema is drawn from these descriptions of them.
asking.ask.__dict__.update(cls=asking_described.AskView, initkwargs={})
uploading.upload_docs.__dict__.update(cls=rag_described.UploadView, initkwargs={})

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{API}/ask", asking.ask, name="knowledge_ask"),  # type: ignore[arg-type]
    path(f"{API}/questions/<uuid:question_id>/rating", api.RatingView.as_view(), name="knowledge_rating"),
    path(f"{API}/collections", api.CollectionsView.as_view(), name="knowledge_collections"),
    path(f"{API}/documents", api.DocumentsView.as_view(), name="knowledge_documents"),
    path(f"{API}/documents/<uuid:document_id>", api.DocumentView.as_view(), name="knowledge_document"),
    path(f"{API}/documents/<uuid:document_id>/file", api.DocumentFileView.as_view(), name="knowledge_file"),
    path("upload_docs", uploading.upload_docs, name="upload_docs"),  # type: ignore[arg-type]
    path("rag/stats", rag.RagStatsView.as_view(), name="rag_stats"),
    path("rag/documents", rag.RagDocumentsView.as_view(), name="rag_documents"),
    path("rag/documents/<path:filename>", rag.RagDocumentView.as_view(), name="rag_document"),
    path("knowledge/ask/stream", asking.ask_as_staff, name="knowledge_ask_stream"),
]
