"""Paths of crm: its APIs."""

from django.urls import URLPattern, URLResolver, path

from crm.api.contacts import ContactDetail, ContactErase, ContactExport, ContactList, ContactTimeline
from crm.api.talks import TalkDetail, TalkMessages

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/contacts", ContactList.as_view(), name="contacts"),
    path("api/v1/contacts/<uuid:contact_id>", ContactDetail.as_view(), name="contact"),
    path("api/v1/contacts/<uuid:contact_id>/timeline", ContactTimeline.as_view(), name="contact-timeline"),
    path("api/v1/contacts/<uuid:contact_id>/export", ContactExport.as_view(), name="contact-export"),
    path("api/v1/contacts/<uuid:contact_id>/erase", ContactErase.as_view(), name="contact-erase"),
    path("api/v1/talks/<uuid:talk_id>", TalkDetail.as_view(), name="talk"),
    path("api/v1/talks/<uuid:talk_id>/messages", TalkMessages.as_view(), name="talk-messages"),
]
