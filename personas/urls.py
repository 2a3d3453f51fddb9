"""Paths of personas: its APIs and pages."""

from django.urls import URLPattern, URLResolver, path

from personas.api import PersonaDetail, PersonaList
from personas.avatars import avatar
from personas.cards_api import PersonaCardFile, PersonaImport
from personas.drafts_api import Draft, DraftList, Publish
from personas.influencers_api import InfluencerDetail, InfluencerList
from personas.usage_api import UsageList, UsageToday

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/personas", PersonaList.as_view(), name="personas"),
    path("api/v1/personas/drafts", DraftList.as_view(), name="persona-drafts"),
    path("api/v1/personas/import", PersonaImport.as_view(), name="persona-import"),
    path("api/v1/personas/<uuid:persona_id>", PersonaDetail.as_view(), name="persona"),
    path("api/v1/personas/<uuid:persona_id>/card", PersonaCardFile.as_view(), name="persona-card"),
    path("api/v1/personas/<uuid:persona_id>/draft", Draft.as_view(), name="persona-draft"),
    path("api/v1/personas/<uuid:persona_id>/publish", Publish.as_view(), name="persona-publish"),
    path("api/v1/influencers", InfluencerList.as_view(), name="influencers"),
    path("api/v1/influencers/<str:influencer_id>", InfluencerDetail.as_view(), name="influencer"),
    path("api/v1/influencers/<uuid:persona_id>/avatar", avatar, name="influencer-avatar"),
    path("api/v1/usage", UsageList.as_view(), name="usage"),
    path("api/v1/usage/today", UsageToday.as_view(), name="usage-today"),
]
