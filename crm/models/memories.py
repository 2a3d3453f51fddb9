"""What influencers remember of the people they talk with."""

from django.db import models
from django.utils import timezone

from config.api.models import AccountQuerySet
from crm.models.contacts import Contact
from crm.models.conversations import Message
from personas.models import Persona


class MemoryFact(models.Model):
    """One lasting thing that a person told an influencer. It goes with the message it came from."""

    account_path = "contact__account"

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="memories")
    persona = models.ForeignKey(Persona, on_delete=models.CASCADE, related_name="+")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="+")
    text = models.CharField(max_length=300)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # a person's own list; what one influencer knows of them
            models.Index(fields=["contact", "-id"], name="memory_of_contact"),
            models.Index(fields=["contact", "persona", "-id"], name="memory_of_persona"),
        ]

    def __str__(self) -> str:
        return self.text
