"""Paths of the recipient's pages. A conversation's id is only an identifier: the cookie is the credential."""

from django.urls import URLPattern, path, re_path

from interviews import pages, pages_without_script, phone_pages, withholding_pages

urlpatterns: list[URLPattern] = [
    path("i/fresh", pages.fresh_link, name="fresh-link"),
    path("i/deleted", pages.deleted, name="answers-deleted"),
    path("i/accent/<str:colour>.css", pages.accent_style, name="accent-style"),
    path("i/<str:token>", pages.open_invitation, name="invitation"),
    path("chat/<uuid:conversation_id>", pages.interview, name="interview-page"),
    path("chat/<uuid:conversation_id>/begin", pages.begin, name="interview-begin"),
    path("chat/<uuid:conversation_id>/decline", pages.decline, name="interview-decline"),
    path("chat/<uuid:conversation_id>/send", pages_without_script.send, name="interview-send"),
    path("chat/<uuid:conversation_id>/call", phone_pages.call_me, name="interview-call"),
    path("chat/<uuid:conversation_id>/reopen", pages.reopen, name="interview-reopen"),
    path("chat/<uuid:conversation_id>/answers", withholding_pages.answers, name="interview-answers"),
    path("chat/<uuid:conversation_id>/withhold", withholding_pages.withhold, name="interview-withhold"),
    path("chat/<uuid:conversation_id>/delete", pages.delete, name="interview-delete"),
    path("chat/<uuid:conversation_id>/messages", pages.messages, name="interview-messages"),
    path("chat/<uuid:conversation_id>/status", pages.status, name="interview-status"),
    path("chat/<uuid:conversation_id>/transcript.pdf", pages.transcript, name="interview-transcript"),
    # {user_id}+{email}: the label of a session in the API. It is never a credential.
    re_path(
        r"^chat/(?P<label>[A-Za-z0-9][A-Za-z0-9._-]*\+[^/]+@[^/]+)$", pages.labelled, name="interview-label"
    ),
]
