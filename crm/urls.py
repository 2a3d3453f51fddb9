"""Paths of crm: its APIs."""

from django.urls import URLPattern, URLResolver, path

from crm import (
    assistant_following,
    persona_care_pages,
    persona_following,
    persona_pages,
    persona_talking,
    try_out_page,
)
from crm.api.bans import BanDetail, BanLift, BanList
from crm.api.chat import chat
from crm.api.chat_described import ChatView
from crm.api.contact_exports import ContactsExport
from crm.api.contacts import ContactDetail, ContactErase, ContactExport, ContactList, ContactTimeline
from crm.api.media import media_file, upload
from crm.api.media_described import MediaUploadView
from crm.api.persona_chats import ChatDetail, ChatList, ChatRead, InboxList
from crm.api.persona_memories import Memories, Memory
from crm.api.persona_messages import messages
from crm.api.persona_messages_described import PersonaMessagesView
from crm.api.persona_reports import ReplyReport
from crm.api.persona_rewriting import edited, regenerated, stopped
from crm.api.persona_rewriting_described import (
    PersonaMessageView,
    PersonaRegenerateView,
    PersonaStopView,
)
from crm.api.persona_ticket import PageTicket
from crm.api.persona_tickets import InboxTicket
from crm.api.ratings import MessageRating
from crm.api.sessions import SessionCreate, SessionExtend, SessionRevoke, SessionValidate, UserSessions
from crm.api.talk_search import TalkSearch
from crm.api.talks import TalkDetail, TalkMessages
from crm.api.user_talks import Reset, TalkAnalytics, UserTalk, UserTalks
from crm.api.users import UserByEmail, UserCreate, UserDetail, UserList, UserStats, UserUpdate
from crm.assistant import ask, assistant, rate_reply

# Plain async views; the schema is drawn from these descriptions of them.
chat.__dict__.update(cls=ChatView, initkwargs={})
messages.__dict__.update(cls=PersonaMessagesView, initkwargs={})
upload.__dict__.update(cls=MediaUploadView, initkwargs={})
edited.__dict__.update(cls=PersonaMessageView, initkwargs={})
regenerated.__dict__.update(cls=PersonaRegenerateView, initkwargs={})
stopped.__dict__.update(cls=PersonaStopView, initkwargs={})

CHAT = "api/v1/chat/conversations/<str:conversation_id>"

urlpatterns: list[URLPattern | URLResolver] = [
    path("chat", chat, name="agents-chat"),  # type: ignore[arg-type]
    path("api/v1/chat/messages/<int:message_id>/rating", MessageRating.as_view(), name="chat-rating"),
    path("api/v1/chat/conversations", ChatList.as_view(), name="persona-chats"),
    path("api/v2/chat/conversations", InboxList.as_view(), name="persona-inbox"),
    path("api/v1/chat/memories", Memories.as_view(), name="persona-memories"),
    path("api/v1/chat/memories/<int:memory_id>", Memory.as_view(), name="persona-memory"),
    path("api/v1/chat/ws/ticket", InboxTicket.as_view(), name="persona-inbox-ticket"),
    path(CHAT, ChatDetail.as_view(), name="persona-chat"),
    path(f"{CHAT}/read", ChatRead.as_view(), name="persona-chat-read"),
    path(f"{CHAT}/messages", messages, name="persona-messages"),  # type: ignore[arg-type]
    path(f"{CHAT}/messages/<str:message_id>", edited, name="persona-message"),  # type: ignore[arg-type]
    path(f"{CHAT}/messages/<str:message_id>/report", ReplyReport.as_view(), name="persona-message-report"),
    path(
        f"{CHAT}/messages/<str:message_id>/regenerate",
        regenerated,  # type: ignore[arg-type]
        name="persona-regenerate",
    ),
    path(f"{CHAT}/stop", stopped, name="persona-stop-reply"),  # type: ignore[arg-type]
    path("api/v1/media/upload", upload, name="media-upload"),  # type: ignore[arg-type]
    path("api/v1/media/files/<str:token>", media_file, name="media-file"),
    path("api/v1/chat/ticket", PageTicket.as_view(), name="persona-ticket"),
    path("personas/", persona_pages.catalogue, name="persona-catalogue"),
    path("personas/enter", persona_pages.enter, name="persona-enter"),
    path("personas/memory", persona_pages.memory, name="persona-memory-page"),
    path("personas/memory/forget", persona_pages.forget, name="persona-forget"),
    path("personas/memory/switch", persona_pages.switch_memory, name="persona-memory-switch"),
    path("personas/try-out/<uuid:persona_id>/say", try_out_page.say_to_draft, name="persona-try-out-say"),  # type: ignore[arg-type]
    path("personas/<str:slug>/", persona_pages.chat, name="persona-page"),
    path("personas/<str:slug>/adult", persona_care_pages.confirm_adult, name="persona-adult"),
    path("personas/<str:slug>/report", persona_care_pages.report_reply, name="persona-report"),
    path("personas/<str:slug>/greeting", persona_pages.greet, name="persona-greeting"),
    path("personas/<str:slug>/edit", persona_pages.edit, name="persona-edit"),
    path("personas/<str:slug>/delete", persona_pages.delete, name="persona-delete"),
    path("personas/<str:slug>/say", persona_talking.say, name="persona-say"),  # type: ignore[arg-type]
    path("personas/<str:slug>/again", persona_talking.again, name="persona-again"),  # type: ignore[arg-type]
    path("personas/<str:slug>/reword", persona_talking.reword, name="persona-reword"),  # type: ignore[arg-type]
    path("personas/<str:slug>/reply", persona_following.follow, name="persona-reply"),  # type: ignore[arg-type]
    path("personas/<str:slug>/stop", persona_talking.stop, name="persona-stop"),  # type: ignore[arg-type]
    path("assistant/", assistant, name="assistant"),
    path("assistant/ask", ask, name="assistant-ask"),
    path("assistant/<uuid:conversation_id>", assistant, name="assistant-talk"),
    path("assistant/<uuid:conversation_id>/reply", assistant_following.follow, name="assistant-reply"),  # type: ignore[arg-type]
    path("assistant/<uuid:conversation_id>/stop", assistant_following.stop, name="assistant-stop"),  # type: ignore[arg-type]
    path("assistant/messages/<int:message_id>/rating", rate_reply, name="assistant-rate"),
    path("api/v1/bans", BanList.as_view(), name="bans"),
    path("api/v1/bans/<int:ban_id>", BanDetail.as_view(), name="ban"),
    path("api/v1/bans/<int:ban_id>/lift", BanLift.as_view(), name="ban-lift"),
    path("api/v1/contacts", ContactList.as_view(), name="contacts"),
    path("api/v1/contacts/export", ContactsExport.as_view(), name="contacts-export"),
    path("api/v1/contacts/<uuid:contact_id>", ContactDetail.as_view(), name="contact"),
    path("api/v1/contacts/<uuid:contact_id>/timeline", ContactTimeline.as_view(), name="contact-timeline"),
    path("api/v1/contacts/<uuid:contact_id>/export", ContactExport.as_view(), name="contact-export"),
    path("api/v1/contacts/<uuid:contact_id>/erase", ContactErase.as_view(), name="contact-erase"),
    path("api/v1/talks/<uuid:talk_id>", TalkDetail.as_view(), name="talk"),
    path("api/v1/talks/<uuid:talk_id>/messages", TalkMessages.as_view(), name="talk-messages"),
    path("sessions/create", SessionCreate.as_view(), name="session-create"),
    path("sessions/validate/<str:token>", SessionValidate.as_view(), name="session-validate"),
    path("sessions/extend/<str:token>", SessionExtend.as_view(), name="session-extend"),
    path("sessions/revoke/<str:token>", SessionRevoke.as_view(), name="session-revoke"),
    path("sessions/user/<str:user_id>", UserSessions.as_view(), name="user-sessions"),
    path("crm/create_user", UserCreate.as_view(), name="user-create"),
    path("crm/users", UserList.as_view(), name="users"),
    path("crm/users/find/<str:email>", UserByEmail.as_view(), name="user-by-email"),
    path("crm/users/<str:user_id>", UserDetail.as_view(), name="user"),
    path("crm/users/<str:user_id>/stats", UserStats.as_view(), name="user-stats"),
    path("crm/update_user/<str:user_id>", UserUpdate.as_view(), name="user-update"),
    path("crm/conversations/<str:user_id>", UserTalks.as_view(), name="user-talks"),
    path("crm/conversations/<str:user_id>/<str:conversation_id>", UserTalk.as_view(), name="user-talk"),
    path("crm/analytics", TalkAnalytics.as_view(), name="user-analytics"),
    path("crm/search", TalkSearch.as_view(), name="user-search"),
    path("reset", Reset.as_view(), name="user-reset"),
]
