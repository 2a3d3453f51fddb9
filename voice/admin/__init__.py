"""What staff see of calls: who was called, what was said, which times are offered and taken."""

from voice.admin import calls

__all__ = ["calls"]
