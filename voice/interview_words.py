"""What is said around an interview that is held by phone, per language. Its own words are the guide's."""

# ruff: noqa: E501 a sentence that is broken over lines is harder to read

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

from voice.intents import read, read_digits
from voice.phrases import phrases_of
from voice.plain_words import plain
from voice.talk_values import Intent

Words = Mapping[str, str]

ENGLISH: Words = MappingProxyType(
    {
        "opening": "Hello. This is an automated AI interviewer calling for {organisation}. You asked on our page to go on with your interview by phone. What you say is written down, and no sound is kept. Shall we go on? Say yes, or press 1. If you do not want to be called, press 9.",
        "ask_again": "I am sorry, I did not understand. Shall we go on with the interview? Say yes, or press 1. To end the call, say no, or press 0.",
        "begin": "Good.",
        "back": "I am sorry, the line broke. Let us go on.",
        "moment": "One moment, please.",
        "still_there": "Are you still there? Take the time you need.",
        "say_again": "I am sorry, please say that again.",
        "interviewed": "",
        "left_open": "You can go on in writing at any time, with your link. Goodbye.",
        "trouble": "I am sorry, something is wrong on our side. What you said is kept, and you can go on in writing with your link. Goodbye.",
        "stop_calling": "I understand. You will not be called again. Goodbye.",
        "wrong_person": "I am sorry to have troubled you. Goodbye.",
        "connecting": "I will connect you with a colleague. Please hold the line.",
        "after_dial": "Thank you. Goodbye.",
        "machine": "Hello. This is an automated call from {organisation}. Goodbye.",
    }
)
GERMAN: Words = MappingProxyType(
    {
        "opening": "Guten Tag. Hier spricht ein automatischer KI-Interviewer für {organisation}. Sie haben auf unserer Seite darum gebeten, das Interview am Telefon fortzusetzen. Was Sie sagen, wird aufgeschrieben, der Ton wird nicht gespeichert. Wollen wir weitermachen? Sagen Sie Ja, oder drücken Sie die 1. Wenn Sie nicht angerufen werden möchten, drücken Sie die 9.",
        "ask_again": "Das habe ich leider nicht verstanden. Wollen wir das Interview fortsetzen? Sagen Sie Ja, oder drücken Sie die 1. Um aufzulegen, sagen Sie Nein, oder drücken Sie die 0.",
        "begin": "Gut.",
        "back": "Entschuldigung, die Verbindung war unterbrochen. Machen wir weiter.",
        "moment": "Einen Moment, bitte.",
        "still_there": "Sind Sie noch da? Nehmen Sie sich die Zeit, die Sie brauchen.",
        "say_again": "Entschuldigung, bitte sagen Sie das noch einmal.",
        "interviewed": "",
        "left_open": "Sie können mit Ihrem Link jederzeit schriftlich weitermachen. Auf Wiederhören.",
        "trouble": "Entschuldigung, bei uns ist etwas schiefgegangen. Was Sie gesagt haben, bleibt erhalten, und Sie können mit Ihrem Link schriftlich weitermachen. Auf Wiederhören.",
        "stop_calling": "Verstanden. Sie werden nicht mehr angerufen. Auf Wiederhören.",
        "wrong_person": "Entschuldigen Sie die Störung. Auf Wiederhören.",
        "connecting": "Ich verbinde Sie mit einem Menschen. Bitte bleiben Sie am Apparat.",
        "after_dial": "Vielen Dank. Auf Wiederhören.",
        "machine": "Guten Tag. Dies ist ein automatischer Anruf von {organisation}. Auf Wiederhören.",
    }
)
POLISH: Words = MappingProxyType(
    {
        "opening": "Dzień dobry. Mówi automatyczny rozmówca AI w imieniu {organisation}. Na naszej stronie poproszono o dokończenie wywiadu przez telefon. Odpowiedzi są zapisywane, dźwięk nie jest przechowywany. Czy możemy kontynuować? Proszę powiedzieć tak albo nacisnąć 1. Aby nie otrzymywać telefonów, proszę nacisnąć 9.",
        "ask_again": "Przepraszam, nie zrozumiałem. Czy możemy kontynuować wywiad? Proszę powiedzieć tak albo nacisnąć 1. Aby zakończyć rozmowę, proszę powiedzieć nie albo nacisnąć 0.",
        "begin": "Dobrze.",
        "back": "Przepraszam, połączenie zostało przerwane. Kontynuujmy.",
        "moment": "Chwileczkę.",
        "still_there": "Czy nadal jest Pani lub Pan na linii? Proszę się nie spieszyć.",
        "say_again": "Przepraszam, proszę powtórzyć.",
        "interviewed": "",
        "left_open": "W każdej chwili można kontynuować pisemnie, korzystając z linku. Do widzenia.",
        "trouble": "Przepraszam, po naszej stronie coś się nie udało. Odpowiedzi zostały zachowane i można kontynuować pisemnie, korzystając z linku. Do widzenia.",
        "stop_calling": "Rozumiem. Nie będziemy już dzwonić. Do widzenia.",
        "wrong_person": "Przepraszam za kłopot. Do widzenia.",
        "connecting": "Łączę z pracownikiem. Proszę pozostać na linii.",
        "after_dial": "Dziękuję. Do widzenia.",
        "machine": "Dzień dobry. To automatyczne połączenie od {organisation}. Do widzenia.",
    }
)
LANGUAGES: Mapping[str, Words] = MappingProxyType({"en": ENGLISH, "de": GERMAN, "pl": POLISH})
# Where no file of phrases knows a language: the words that answer "shall we go on?".
_YES = {
    "de": {"ja", "gern", "gerne", "klar", "okay", "ok", "natürlich", "jawohl", "einverstanden"},
    "pl": {"tak", "dobrze", "jasne", "oczywiście", "okej", "ok", "pewnie"},
}
_NO = {
    "de": {"nein", "nicht", "später", "kein", "keine"},
    "pl": {"nie", "później"},
}
SHORT = 10  # words; a longer sentence is an answer, whatever stands in it


def main_of(language: str) -> str:
    return language.strip().lower().replace("_", "-").partition("-")[0]


def is_spoken(language: str) -> bool:
    return main_of(language) in LANGUAGES


def words_of(language: str) -> Words:
    return LANGUAGES.get(main_of(language), ENGLISH)


def opening_intent(words: str, *, language: str, name: str, today: date) -> Intent:
    """What whoever took the call answers to the opening, by the rules of the talk on the phone."""
    main = main_of(language)
    if main in _YES:
        said = set(words.lower().replace(",", " ").replace(".", " ").replace("!", " ").split())
        return "reject" if said & _NO[main] else "confirm" if said & _YES[main] else "unclear"
    reading = read(words, 1.0, "greeting", phrases=phrases_of(language), today=today, name=name)
    return reading.intent


def opening_key(digit: str) -> Intent:
    return read_digits(digit, "greeting").intent


def wants_no_calls(words: str) -> bool:
    """A wish not to be called, in the middle of an interview: said of us, and hardly anything else."""
    return _short_saying("stop_calling_us", words)


def wants_a_human(words: str) -> bool:
    return _short_saying("human", words)


def _short_saying(group: str, words: str) -> bool:
    phrases = phrases_of("en")
    return len(words.split()) <= SHORT and bool(phrases.found(group, plain(words, phrases)))
