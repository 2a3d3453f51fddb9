"""Words and patterns are found as people see them, by steps that no pattern can multiply."""

import pytest

from crm.moderation_rules import InvalidPattern, Rule, fits, found_in, masked, phrases_in


def rule(lines, action="mask"):
    return Rule.of("rule", action, phrases_in(lines))


def hits(text, lines):
    return [text[one.start : one.end] for one in found_in(text, [rule(lines)])]


@pytest.mark.parametrize(
    ("text", "lines", "found"),
    [
        ("You IDIOT!", "idiot", ["IDIOT"]),
        ("idiotic", "idiot", []),
        ("idiotic idiots", "idiot*", ["idiotic", "idiots"]),
        ("f00l and fool", "f??l", ["f00l", "fool"]),
        ("kill\nyour  self, kill", "kill your self", ["kill\nyour  self"]),
        ("id\u200biot ｉｄｉｏｔ id\u00adiot", "idiot", ["id\u200biot", "ｉｄｉｏｔ", "id\u00adiot"]),
        ("straße", "STRASSE", ["straße"]),
        ("a b", "c\nb\na", ["a", "b"]),
        ("", "a", []),
    ],
)
def test_phrases_are_found_as_people_see_them(text, lines, found):
    assert hits(text, lines) == found


@pytest.mark.parametrize(
    "lines", ["", "*", "?? bad", "a*b*c*d*", "x" * 101, "!!!", "\n".join(["a*"] * 21), "a\n" * 501]
)
def test_what_matches_everything_or_is_too_much_is_refused(lines):
    with pytest.raises(InvalidPattern):
        phrases_in(lines)


@pytest.mark.parametrize(
    ("word", "pattern", "is_fit"),
    [
        ("abc", "abc", True),
        ("abc", "a*", True),
        ("abc", "*c", True),
        ("abc", "a*b*c", True),
        ("abc", "?b?", True),
        ("abc", "*d*", False),
        ("ab", "abc", False),
        ("abab", "*ab", True),
    ],
)
def test_stars_and_marks(word, pattern, is_fit):
    assert fits(word, pattern) is is_fit


def test_a_pattern_made_to_be_slow_takes_few_steps():
    class Counting(str):
        compared = 0

        def __getitem__(self, index):
            Counting.compared += 1
            return super().__getitem__(index)

    assert not fits(Counting("a" * 100), "*a*a*b")
    assert Counting.compared <= 100 * 6


def test_letters_are_masked_and_their_number_stays():
    text = "You idiot, really."
    assert masked(text, found_in(text, [rule("idiot")])) == "You •••••, really."
    assert masked(text, found_in(text, [rule("idiot", "flag")])) == text
