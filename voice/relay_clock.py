"""How long it has been silent on a relayed line. Pure: it is told what time it is.

Twilio says when speech begins and ends where it was asked to (`events`); where it does not, the length
of what is spoken tells about when it ends.
"""

from dataclasses import dataclass

CHARACTERS_A_SECOND = 14.0  # of speech


@dataclass(slots=True)
class SilenceClock:
    seconds: float  # of silence that count
    deadline: float | None = None
    is_held: bool = True  # we are still wording something, or the person speaks

    def spoken(self, characters: int, *, now: float) -> None:
        """All that we say was sent; the person is listened to from about its end on."""
        self.is_held = False
        self.deadline = now + characters / CHARACTERS_A_SECOND + self.seconds

    def hold(self) -> None:
        self.is_held, self.deadline = True, None

    def ended(self, *, now: float) -> None:
        """Somebody stopped speaking."""
        if not self.is_held:
            self.deadline = now + self.seconds

    def paused(self, *, now: float) -> None:
        """The person stopped speaking: their words follow, unless it was a noise."""
        self.wait(self.seconds, now=now)

    def last_words(self, *, now: float, seconds: float) -> None:
        """Nothing more follows: `seconds` after the end of what is being spoken, it is over."""
        self.deadline = (self.deadline or now + self.seconds) - self.seconds + seconds

    def wait(self, seconds: float, *, now: float) -> None:
        self.is_held, self.deadline = False, now + seconds

    def left(self, *, now: float) -> float | None:
        """Seconds until silence is to be spoken to; None: as long as it takes."""
        return None if self.deadline is None else max(0.0, self.deadline - now)
