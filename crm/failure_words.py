"""What a page says of a reply that failed."""

from django.utils.translation import gettext as _


def words_for(code: str) -> str:
    """What the page says of a failure. A vendor's own words are for staff, in the log."""
    if code in ("rate_limited", "unavailable", "refused_connection", "timeout"):
        return _("The interviewer is busy right now. Your message is kept; please try again.")
    if code == "budget_exhausted":
        return _("The assistant has answered as much as it may today. Your message is kept; try tomorrow.")
    if code == "content_filter":
        return _("No answer could be written to this message. Please put it in other words.")
    if code == "stopped":
        return _("Stopped before the first word. Your message is kept.")
    return _("The answer could not be written. Your message is kept; please try again.")
