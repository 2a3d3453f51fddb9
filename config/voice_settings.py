"""Settings of voice, read as config/settings.py reads all others; it takes them over from here."""

from config.env import from_process

ENV = from_process()

# --- Voice: what other systems tell us of conversations ---------------------------------------
# The webhook API's own key and secret, which act for one account; keys of ours act for theirs.
API_SECRET_KEY = ENV.text("API_SECRET_KEY")
WEBHOOK_SECRET = ENV.text("WEBHOOK_SECRET")
WEBHOOK_SIGNATURE_REQUIRED = ENV.flag("RAPPORT_WEBHOOK_SIGNATURE_REQUIRED", default=False)
WEBHOOK_ACCOUNT = ENV.text("RAPPORT_WEBHOOK_ACCOUNT", "default")
# Calls of one key, and calls of one address that are refused.
WEBHOOK_PER_MINUTE = ENV.whole("RAPPORT_WEBHOOK_PER_MINUTE", 1000, least=1)
WEBHOOK_REFUSED_PER_MINUTE = ENV.whole("RAPPORT_WEBHOOK_REFUSED_PER_MINUTE", 100, least=1)
# Several secrets while one is being changed. The key is for asking which webhooks never came.
ELEVENLABS_WEBHOOK_SECRETS = ENV.words("ELEVENLABS_WEBHOOK_SECRET")
ELEVENLABS_API_KEY = ENV.text("ELEVENLABS_API_KEY")
ELEVENLABS_BASE_URL = ENV.url("ELEVENLABS_BASE_URL", "https://api.elevenlabs.io", schemes=("http", "https"))
VOICE_AUDIO_MAX_BYTES = ENV.whole("RAPPORT_VOICE_AUDIO_MB", 64, least=1, most=500) * 1024 * 1024
VOICE_KNOWLEDGE = ENV.flag("RAPPORT_VOICE_KNOWLEDGE", default=False)

# --- Voice: phone calls, off while one of the first three is empty (docs/phone-caller-api.md) --------------
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
CANDIDATE_TIME_ZONE = ENV.zone("CANDIDATE_TIME_ZONE")
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
# What a call that reached nobody is followed by: after so many minutes another, and so on. "none": nothing.
RETRY_MINUTES = {
    "no_answer": ENV.wholes("RAPPORT_RETRY_NO_ANSWER", (120, 1440), least=1, most=10_080),
    "busy": ENV.wholes("RAPPORT_RETRY_BUSY", (15, 120), least=1, most=10_080),
    "voicemail": ENV.wholes("RAPPORT_RETRY_VOICEMAIL", (1440,), least=1, most=10_080),
    "not_placed": ENV.wholes("RAPPORT_RETRY_FAILED", (60,), least=1, most=10_080),
}
# Hours before an appointment at which the person is reminded by email; 0 reminds nobody.
REMINDER_HOURS = ENV.whole("RAPPORT_REMINDER_HOURS", 24, most=336)

# --- Voice: talks over Twilio's websocket (docs/phone-relay.md) --------------------------------------------
# How calls are held: by webhooks ("gather"), or over a websocket that streams ("relay").
VOICE_TALK = ENV.choice("RAPPORT_VOICE_TALK", ("gather", "relay"), "gather")
# Whether calls that agree on a time are recorded, which is said first, and for how many days that is kept.
VOICE_RECORDING = ENV.flag("RAPPORT_VOICE_RECORDING", default=False)
VOICE_RECORDING_DAYS = ENV.whole("RAPPORT_VOICE_RECORDING_DAYS", 30, least=1, most=3650)
# Who is rung when a person on a relayed line asks for a human, in E.164. Empty: nobody.
VOICE_STAFF_NUMBER = ENV.text("RAPPORT_VOICE_STAFF_NUMBER")
# The longest interview by phone.
INTERVIEW_CALL_SECONDS = 60 * ENV.whole("RAPPORT_INTERVIEW_CALL_MINUTES", 60, least=5, most=240)
PHONE_TALKS = "voice.interview_calls.InterviewCalls"  # who rings people to go on with a written talk
# Of one batch of calls: the most that may be asked for at once, and the most people in it.
BATCH_CALLS_AT_ONCE = ENV.whole("RAPPORT_BATCH_CALLS_AT_ONCE", 20, least=1, most=500)
BATCH_PEOPLE = ENV.whole("RAPPORT_BATCH_PEOPLE", 10_000, least=1, most=100_000)
