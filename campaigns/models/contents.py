"""An email's text that an account wrote for one person."""

from django.db import models
from django.utils import timezone

from config.api.models import Account, AccountQuerySet
from crm.models import Contact


class EmailContent(models.Model):
    """Takes the place of the template's text in emails of the standing campaign to this person.

    Its placeholders are those of the documented API: {interview_link}, {follow_up_num}, {email}.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    content = models.TextField(max_length=20_000)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            # Written twice, the later one counts; also the look-up when an email is made.
            models.UniqueConstraint(fields=["contact"], name="one_email_content_per_contact")
        ]
        # the list of an account
        indexes = [models.Index(fields=["account", "id"], name="email_content_of_account")]

    def __str__(self) -> str:
        return f"Email text for {self.contact}"
