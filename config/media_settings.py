"""Settings of uploads, read as config/settings.py reads all others; it takes them over from here."""

from config.env import from_process

ENV = from_process()

MEGABYTE = 1024 * 1024

# --- Uploads of persona chat (docs/media.md) --------------------------------------------------
MEDIA_IMAGE_MAX_BYTES = ENV.whole("MAX_IMAGE_SIZE_MB", 10, least=1, most=100) * MEGABYTE
MEDIA_AUDIO_MAX_BYTES = ENV.whole("MAX_AUDIO_SIZE_MB", 20, least=1, most=100) * MEGABYTE
MEDIA_AUDIO_MAX_SECONDS = ENV.whole("MAX_AUDIO_DURATION_SECONDS", 300, least=1, most=3600)
# Pixels that are decoded at most, and the longest side that is kept: a larger picture is made smaller.
MEDIA_IMAGE_MAX_PIXELS = ENV.whole("MAX_IMAGE_MEGAPIXELS", 25, least=1, most=100) * 1_000_000
MEDIA_IMAGE_MAX_SIDE = ENV.whole("MAX_IMAGE_SIDE_PIXELS", 4096, least=256, most=16_384)
# How long an address that was handed out opens its file.
MEDIA_URL_SECONDS = ENV.whole("S3_URL_EXPIRES_SECONDS", 900, least=60, most=86_400)
# What stands before the signed part of such an address, where files are in the data folder.
MEDIA_BASE_URL = ENV.url("MEDIA_BASE_URL", schemes=("http", "https"))
# An upload that no message has taken by then is removed.
MEDIA_UNUSED_HOURS = ENV.whole("RAPPORT_MEDIA_UNUSED_HOURS", 24, least=1, most=720)
# Whether a message may name pictures and recordings that lie elsewhere on the web. They are fetched once.
MEDIA_FETCH = ENV.flag("RAPPORT_MEDIA_FETCH", default=False)
MEDIA_FETCH_SECONDS = ENV.whole("RAPPORT_MEDIA_FETCH_SECONDS", 15, least=1, most=60)
# Threads of one process that read, check and store uploads.
MEDIA_THREADS = ENV.whole("RAPPORT_MEDIA_THREADS", 8, least=1, most=64)
