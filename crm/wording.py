"""The interviewer's own small words, per language of the guide.

A model may vary them; offline says them as they are.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

Words = Mapping[str, str | tuple[str, ...]]

ENGLISH: Words = MappingProxyType(
    {
        "welcome": "Hello, and thank you for taking the time.",
        "thanks": (
            "Thank you.",
            "Thanks, that helps.",
            "I see, thank you.",
            "Good to know, thank you.",
            "Understood.",
            "Thanks for telling me.",
        ),
        "fine": (
            "That is fine, we can leave that one.",
            "No problem, let us move on.",
            "Of course, we can skip it.",
        ),
        "refused": (
            "That is perfectly all right.",
            "Of course, you do not have to say.",
            "I understand, we will leave it there.",
        ),
        "probes": (
            "Could you give me an example?",
            "What makes you say that?",
            "How does that usually look in practice?",
            "Can you tell me a little more about that?",
            "What happened the last time that came up?",
            "How does that affect you?",
        ),
        "probe_choice": "What makes you choose that?",
        "unclear": "I am not sure I understood that.",
        "choose": "You can answer with one of these: {choices}.",
        "date": "A date, or roughly when, is enough.",
        "again": "Of course. The question was:",
        "back": "Let us go back to this one; your new answer replaces the old one.",
        "no_back": "This is the first question, so there is nothing to go back to.",
        "corrected": "I have changed that answer.",
        "which": "Which answer would you like to change?",
        "confirm_stop": "Would you like to stop here? What you told me so far is kept.",
        "yes_no": ("Yes, stop here", "No, go on"),
        "go_on": "Good, let us go on.",
        "stopped": "Of course, we stop here. What you told me so far is kept.",
        "limit": "We have reached the end of our time, so I will stop asking here.",
        "closing": "That was all I wanted to ask. Thank you for your time and your answers.",
        "goodbye": "Thank you for your time.",
        "why": "We ask because of what we want to learn: {goal}",
        "why_plain": "We ask to understand how things are for you, in your own words.",
        "who_reads": "Your answers are read by {organisation}. {privacy}",
        "us": "the team that invited you",
        "how_long": "There are {left} of {total} questions left. It takes about {minutes} minutes in all.",
        "who_are_you": "I am an AI interviewer for {organisation}; no human types these messages.",
        "who_is_automatic": (
            "I am an automatic interviewer for {organisation}; no human types these messages."
        ),
        "pause": "You can leave at any moment and come back later by your link; all you told me is kept.",
        "only": "I can only talk about the questions of this interview.",
        "so": "So, back to the question:",
    }
)

GERMAN: Words = MappingProxyType(
    {
        "welcome": "Guten Tag, und danke, dass Sie sich Zeit nehmen.",
        "thanks": (
            "Danke.",
            "Danke, das hilft mir.",
            "Verstehe, danke.",
            "Gut zu wissen, danke.",
            "Alles klar.",
            "Danke für die Antwort.",
        ),
        "fine": (
            "Kein Problem, das lassen wir aus.",
            "In Ordnung, dann weiter.",
            "Gerne, wir überspringen das.",
        ),
        "refused": ("Das ist völlig in Ordnung.", "Natürlich, das müssen Sie nicht sagen.", "Verstanden."),
        "probes": (
            "Können Sie mir ein Beispiel geben?",
            "Wie kommen Sie darauf?",
            "Wie sieht das normalerweise aus?",
            "Können Sie etwas mehr dazu sagen?",
            "Was geschah, als das zuletzt vorkam?",
            "Wie wirkt sich das auf Sie aus?",
        ),
        "probe_choice": "Warum haben Sie das gewählt?",
        "unclear": "Ich bin nicht sicher, ob ich das verstanden habe.",
        "choose": "Sie können mit einer dieser Möglichkeiten antworten: {choices}.",
        "date": "Ein Datum oder ein ungefährer Zeitpunkt genügt.",
        "again": "Gerne. Die Frage war:",
        "back": "Gehen wir noch einmal zurück; Ihre neue Antwort ersetzt die alte.",
        "no_back": "Das ist die erste Frage, davor kommt keine.",
        "corrected": "Ich habe die Antwort geändert.",
        "which": "Welche Antwort möchten Sie ändern?",
        "confirm_stop": "Möchten Sie hier aufhören? Was Sie bisher gesagt haben, bleibt erhalten.",
        "yes_no": ("Ja, hier aufhören", "Nein, weiter"),
        "go_on": "Gut, machen wir weiter.",
        "stopped": "Natürlich, wir hören hier auf. Was Sie bisher gesagt haben, bleibt erhalten.",
        "limit": "Unsere Zeit ist um, deshalb höre ich hier auf zu fragen.",
        "closing": "Das war alles, was ich fragen wollte. Vielen Dank für Ihre Zeit und Ihre Antworten.",
        "goodbye": "Danke für Ihre Zeit.",
        "why": "Wir fragen, weil wir Folgendes lernen möchten: {goal}",
        "why_plain": "Wir möchten verstehen, wie es bei Ihnen ist, in Ihren eigenen Worten.",
        "who_reads": "Ihre Antworten liest {organisation}. {privacy}",
        "us": "das Team, das Sie eingeladen hat",
        "how_long": "Es sind noch {left} von {total} Fragen. Insgesamt dauert es etwa {minutes} Minuten.",
        "who_are_you": "Ich bin ein KI-Interviewer für {organisation}; hier schreibt kein Mensch.",
        "who_is_automatic": (
            "Ich bin ein automatischer Interviewer für {organisation}; hier schreibt kein Mensch."
        ),
        "pause": (
            "Sie können jederzeit gehen und später mit Ihrem Link wiederkommen; alles bleibt erhalten."
        ),
        "only": "Ich kann nur über die Fragen dieses Interviews sprechen.",
        "so": "Zurück zur Frage:",
    }
)

POLISH: Words = MappingProxyType(
    {
        "welcome": "Dzień dobry i dziękuję za poświęcony czas.",
        "thanks": (
            "Dziękuję.",
            "Dziękuję, to pomaga.",
            "Rozumiem, dziękuję.",
            "Dobrze wiedzieć, dziękuję.",
            "Jasne.",
            "Dziękuję za odpowiedź.",
        ),
        "fine": (
            "W porządku, pominiemy to.",
            "Nie ma problemu, idźmy dalej.",
            "Oczywiście, możemy to pominąć.",
        ),
        "refused": (
            "To zupełnie w porządku.",
            "Oczywiście, nie trzeba odpowiadać.",
            "Rozumiem, zostawmy to.",
        ),
        "probes": (
            "Czy można prosić o przykład?",
            "Skąd taka opinia?",
            "Jak to zwykle wygląda w praktyce?",
            "Czy można powiedzieć o tym coś więcej?",
            "Co się stało, gdy ostatnio to się zdarzyło?",
            "Jaki to ma wpływ?",
        ),
        "probe_choice": "Skąd taki wybór?",
        "unclear": "Nie jestem pewien, czy dobrze rozumiem.",
        "choose": "Można odpowiedzieć jedną z tych możliwości: {choices}.",
        "date": "Wystarczy data albo przybliżony czas.",
        "again": "Oczywiście. Pytanie brzmiało:",
        "back": "Wróćmy do tego pytania; nowa odpowiedź zastąpi poprzednią.",
        "no_back": "To jest pierwsze pytanie, nie ma do czego wracać.",
        "corrected": "Odpowiedź została zmieniona.",
        "which": "Którą odpowiedź zmienić?",
        "confirm_stop": "Czy chcesz zakończyć w tym miejscu? Dotychczasowe odpowiedzi zostaną zachowane.",
        "yes_no": ("Tak, kończymy", "Nie, dalej"),
        "go_on": "Dobrze, idźmy dalej.",
        "stopped": "Oczywiście, kończymy tutaj. Dotychczasowe odpowiedzi zostaną zachowane.",
        "limit": "Nasz czas się skończył, więc na tym zakończę pytania.",
        "closing": "To wszystko, o co chciałem zapytać. Dziękuję za czas i odpowiedzi.",
        "goodbye": "Dziękuję za poświęcony czas.",
        "why": "Pytamy, ponieważ chcemy dowiedzieć się: {goal}",
        "why_plain": "Chcemy zrozumieć, jak to wygląda, własnymi słowami.",
        "who_reads": "Odpowiedzi czyta {organisation}. {privacy}",
        "us": "zespół, który wysłał zaproszenie",
        "how_long": "Zostało {left} z {total} pytań. Całość trwa około {minutes} minut.",
        "who_are_you": "Jestem rozmówcą AI w imieniu {organisation}; po tej stronie nie pisze człowiek.",
        "who_is_automatic": (
            "Jestem automatycznym rozmówcą w imieniu {organisation}; po tej stronie nie pisze człowiek."
        ),
        "pause": "W każdej chwili można wyjść i wrócić później tym samym linkiem; wszystko jest zachowane.",
        "only": "Mogę rozmawiać tylko o pytaniach tego wywiadu.",
        "so": "Wróćmy do pytania:",
    }
)

LANGUAGES: Mapping[str, Words] = MappingProxyType({"en": ENGLISH, "de": GERMAN, "pl": POLISH})
NAMES: Mapping[str, str] = MappingProxyType({"en": "English", "de": "German", "pl": "Polish"})


# A closing that begins like this needs no thanks before it.
_THANKS = re.compile(
    r"\W*(?:(?:many|vielen|herzlichen|besten|schönen|bardzo|serdecznie|muchas) )?"
    r"(?:thank|dank|dzięk|dziek|merci|gracias|grazie|obrigad)",
    re.IGNORECASE,
)
_ACKNOWLEDGEMENTS = ("thanks", "fine", "refused")


def begins_with_thanks(text: str) -> bool:
    return _THANKS.match(text) is not None


def is_acknowledgement(words: Words, text: str) -> bool:
    return any(text in several(words, name) for name in _ACKNOWLEDGEMENTS)


def words_of(language: str) -> Words:
    """English where we have no words of a language: a model translates, offline says English."""
    return LANGUAGES.get(language.lower().partition("-")[0], ENGLISH)


def one(words: Words, name: str) -> str:
    value = words[name]
    return value if isinstance(value, str) else value[0]


def varied(words: Words, name: str, *, turn: int) -> str:
    """A phrase that differs from the one of the turn before."""
    value = words[name]
    return value if isinstance(value, str) else value[turn % len(value)]


def several(words: Words, name: str) -> Sequence[str]:
    value = words[name]
    return (value,) if isinstance(value, str) else value
