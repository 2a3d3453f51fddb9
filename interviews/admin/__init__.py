"""Guides and interviews in the admin."""

from interviews.admin.guides import GuideAdmin
from interviews.admin.interviews import InterviewAdmin

__all__ = ["GuideAdmin", "InterviewAdmin"]
