"""The settings of phone calls (docs/phone-caller-api.md): off while one of the first three is empty."""

from config.env import from_process

ENV = from_process()

TWILIO_ACCOUNT_SID = ENV.text("TWILIO_ACCOUNT_SID")
TWILIO_AUTH_TOKEN = ENV.text("TWILIO_AUTH_TOKEN")
TWILIO_PHONE_NUMBER = ENV.text("TWILIO_PHONE_NUMBER")
# Another host than Twilio's own: one of its regions, or a stand-in.
TWILIO_API_URL = ENV.url("TWILIO_API_URL", schemes=("http", "https"))
# The candidate who is called when a request names none, and the account it belongs to.
CANDIDATE_ACCOUNT = ENV.text("CANDIDATE_ACCOUNT", "default")
CANDIDATE_NAME = ENV.text("CANDIDATE_NAME")
CANDIDATE_PHONE = ENV.text("CANDIDATE_PHONE")
CANDIDATE_EMAIL = ENV.text("CANDIDATE_EMAIL")
CANDIDATE_POSITION = ENV.text("CANDIDATE_POSITION")
CANDIDATE_COMPANY = ENV.text("CANDIDATE_COMPANY")
CANDIDATE_TIME_ZONE = ENV.text("CANDIDATE_TIME_ZONE")
# What that account offers on the phone, each at its next date, and how long one of them lasts.
CALL_SLOTS = ENV.words(
    "RAPPORT_TIME_SLOTS",
    ("Monday at 10 AM", "Tuesday at 2 PM", "Wednesday at 11 AM", "Thursday at 3 PM"),
)
CALL_SLOT_MINUTES = ENV.whole("RAPPORT_SLOT_MINUTES", 30, least=5, most=480)
CALL_TURNS = ENV.whole("RAPPORT_CALL_TURNS", 6, least=2, most=20)
CALL_REPROMPTS = ENV.whole("RAPPORT_CALL_REPROMPTS", 2, most=5)
CALLS_PER_WEEK = ENV.whole("RAPPORT_CALLS_PER_WEEK", 3, least=1, most=100)  # to one person
# Nobody's phone rings before or after these hours of their own day.
CALL_HOURS = (
    ENV.whole("RAPPORT_CALL_FROM_HOUR", 8, most=23),
    ENV.whole("RAPPORT_CALL_UNTIL_HOUR", 21, least=1, most=24),
)
