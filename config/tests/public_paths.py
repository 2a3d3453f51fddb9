"""Every path that answers without a credential, and why. A path that is not here must ask for one.

Paths are as Django writes them in its patterns, with a leading slash.
"""

PUBLIC = {
    "/": "the start page, and the caller API's index with contact data masked",
    "/live": "a probe: the process answers",
    "/ready": "a probe: every part answers",
    "/health": "a terse health report",
    "/api/v1/health": "the webhook API's health, documented as open",
    "/admin/health/detailed": "without a credential only whether all is well",
    "/api/v1/influencers": "the personas to talk with, documented as open",
    "/api/v1/influencers/<str:influencer_id>": "one of them, without its instructions",
    "/api/v1/influencers/<uuid:persona_id>/avatar": "the picture of one that is public",
    "/docs": "documentation of the API",
    "/redoc": "documentation of the API",
    "/openapi.json": "the schema of the API",
    "/i/fresh": "offers to email a fresh link to the address on file, and says the same to everybody",
    "/i/deleted": "says that answers were deleted; holds nothing about anyone",
    "/i/accent/<str:colour>.css": "a style sheet with one colour",
    "/admin/login/": "where staff log in",
    "/admin/jsi18n/": "the admin's words for its scripts",
    "/admin/logout/": "where staff log out: without a session there is nothing to end",
}

# The address itself is the credential, or a cookie that one set. A wrong one is 404, or a page that
# offers to email a fresh link to the address on file; never more.
CAPABILITY_PREFIXES = {
    "/i/": "a recipient's interview",
    "/u/": "unsubscribing",
    "/a/": "moving or cancelling one appointment",
    "/t/": "an email's rewritten links and its picture: the signature in the address decides",
    "/s3/signed/": "one transcript for some hours: the signature in the address",
    "/api/v1/media/files/": "one uploaded file for some minutes: the signature in the address",
    "/chat/<": "the chat of a recipient: the cookie of the link decides",
    "/chat/(": "the documented address of a chat, by its label: the cookie of the link decides",
}

# Parts of emails. Mail programs know only inline styles, and these are never served as pages.
EMAIL_TEMPLATES = {
    "templates/campaigns/email.html",
    "templates/campaigns/_button.html",
}

# Lists that are short by nature, or read page by page as they are sent, and need no pages.
BOUNDED_LISTS: dict[str, str] = {"/api/v1/contacts/export": "a file, streamed from pages by keyset"}
