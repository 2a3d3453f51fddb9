"""What redaction must know of words, countries and accounts."""

import re

_PARTICLES = """
von van der den de del della di da do dos das du la le les el al bin ibn ben und and y e zu zur zum dr
prof mr mrs ms miss herr frau pan pani sir med dipl ing jr sr phd
"""
_WORDS = """
amber angel april art august autumn baker bill bishop black blue bond booker brook brown buck carpenter
chance chase church cliff cook cooper crystal daisy dawn day dean dot drew earl faith field fisher
forest foster fox frank gene ginger glen gold grace grant gray green grey guy hall harmony hazel heather
hill holly home hope house hunt hunter ivy jack jade jasmine jewel joy june king knight lake lance lane
lily little long love major mark marsh mason may melody mercy miles miller moore mount nick noble north
olive page park parker pat patience pearl penny person piper poppy porter price prince ray read reed
rich river rob robin rock rose rosemary ruby rusty sage sandy savage serenity short silver singer skip
small smith snow south spencer spring star sterling stone story strong sue summer teller tucker turner
victory violet walker ward waters way weaver west white wild will winter wise wood woods worth work
young alt braun dick ernst frei gross groß grün gut hart heiter hoch jung klein krank kurz lang lange
laut lieb mai neu reich rot schwarz sauer stark voll weich weiß biały czarny długi góra kot kowal król
lis maja mróz sowa wilk zając
"""

# Parts of names that name nobody: particles and titles. The whole name has them in it.
NO_NAMES = frozenset(_PARTICLES.split())

# Names that are words too, in English, German and Polish: in small letters they are taken for the word.
ORDINARY_WORDS = frozenset(_WORDS.split())

# Countries whose numbers are written without a country code in a language; elsewhere the language's own code.
REGIONS = {
    "en": ("US", "GB"),
    "de": ("DE", "AT", "CH"),
    "ar": (),
    "cs": ("CZ",),
    "da": ("DK",),
    "el": ("GR",),
    "et": ("EE",),
    "he": ("IL",),
    "ja": ("JP",),
    "ko": ("KR",),
    "nb": ("NO",),
    "sl": ("SI",),
    "sv": ("SE",),
    "uk": ("UA",),
    "zh": ("CN",),
}

# Characters of an IBAN by country: SWIFT, IBAN Registry.
IBAN_LENGTHS = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18"
        "FK18FO18FR27GB22GE22GI23GL18GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20"
        "LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31"
        "SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30",
    )
}
