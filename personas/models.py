"""Who speaks: personas, their versions, vendors' keys, and what speaking cost."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models

from config.api.encryption import EncryptedTextField
from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from personas.chains import check_chain, check_known
from personas.character_books import check_book
from personas.shapes import (
    check_address,
    check_examples,
    check_greetings,
    check_suggestions,
    check_traits,
)
from personas.variables import WITH_VARIABLES, check_variables, refuse_unknown_variables

_OF_JSON = (
    "traits",
    "examples",
    "alternate_greetings",
    "character_book",
    "suggested_messages",
    "provider_chain",
    "variables",
)


class Persona(models.Model):
    """A voice with instructions. `provider_chain` empty means settings.DEFAULT_PROVIDER_CHAIN."""

    class Kind(models.TextChoices):
        INTERVIEWER = "interviewer", "Interviewer"
        ASSISTANT = "assistant", "Assistant"
        INFLUENCER = "influencer", "Influencer"
        CALLER = "caller", "Caller"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        COMING_SOON = "coming_soon", "Coming soon"
        DISCONTINUED = "discontinued", "Discontinued"
        # Made or imported and not shown to anybody yet: staff look at it, try it out and publish it.
        DRAFT = "draft", "Draft"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="personas")
    slug = models.SlugField(max_length=80)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind, default=Kind.ASSISTANT)
    status = models.CharField(max_length=12, choices=Status, default=Status.ACTIVE)
    tagline = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True, max_length=500, help_text="Of an influencer, for everybody.")
    category = models.CharField(max_length=60, blank=True)
    avatar_url = models.CharField(
        max_length=500, blank=True, validators=[check_address], help_text="Like https://example.com/nora.jpg."
    )
    # Of its own picture (PersonaAvatar), the beginning of the checksum; empty without one. Here, so that
    # lists know it without a join.
    avatar_version = models.CharField(max_length=16, blank=True, db_default="", default="", editable=False)
    suggested_messages = models.JSONField(
        default=list,
        blank=True,
        validators=[check_suggestions],
        help_text='Up to 10 things to begin with, like ["How do I start?"].',
    )
    # Text of any form: programs keep the ids that another system gave its personas.
    public_id = models.CharField(
        max_length=100,
        null=True,
        blank=True,
        help_text="The id in the persona API, where it is not ours.",
    )
    instructions = models.TextField(
        blank=True,
        max_length=20_000,
        help_text="The system prompt. Staff and keys with the scope “personas” see it.",
    )
    traits = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_traits],
        help_text='Like {"tone": "warm", "humour": "dry"}.',
    )
    greeting = models.TextField(blank=True, max_length=8_000)
    alternate_greetings = models.JSONField(
        default=list,
        blank=True,
        validators=[check_greetings],
        help_text='Other ways to begin, like ["You again."]: people may ask for another one.',
    )
    examples = models.JSONField(
        default=list,
        blank=True,
        validators=[check_examples],
        help_text='A list of {"person": …, "persona": …}.',
    )
    character_book = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_book],
        help_text='What it knows, told when the talk comes to it, like {"entries": [{"keys": ["lamp"], '
        '"content": "The lamp is old."}]}.',
    )
    language = models.CharField(max_length=12, default="en")
    voice = models.CharField(max_length=60, blank=True)
    provider_chain = models.JSONField(
        default=list,
        blank=True,
        validators=[check_chain],
        help_text='Providers as they are tried, like ["openai", "offline"]. Empty: the installation\'s.',
    )
    model = models.CharField(max_length=100, blank=True, help_text="Empty: the provider's own default.")
    temperature = models.FloatField(default=0.6, validators=[MinValueValidator(0.0), MaxValueValidator(2.0)])
    max_tokens = models.PositiveIntegerField(
        default=600,
        validators=[MinValueValidator(16), MaxValueValidator(8192)],
        help_text="Of one reply. A token is about three quarters of a word.",
    )
    adults_only = models.BooleanField(
        default=False, help_text="Only who is known or says to be an adult talks with it."
    )
    variables = models.JSONField(
        default=list,
        blank=True,
        validators=[check_variables],
        help_text='Facts in its texts, like [{"name": "city", "type": "text", "default": "your city"}], '
        "written as {{city}}. {{char}} and {{user}} are always there.",
    )
    # The number of its newest version, which replies are stored with; 0 before the first.
    version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["account", "slug"], name="persona_slug_once_per_account"),
            # An id leads to one persona.
            models.UniqueConstraint(fields=["account", "public_id"], name="persona_public_id_once"),
        ]
        indexes = [
            # the public list: an account's influencers by status, newest first
            models.Index(
                fields=["account", "kind", "status", "-created_at", "-id"], name="persona_public_list"
            ),
            # the API's list: an account's personas, newest first
            models.Index(fields=["account", "-id"], name="persona_newest"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_id(self) -> str:
        """Its id in the persona API."""
        return self.public_id or str(self.pk)

    def clean(self) -> None:
        # Two personas without an id of their own are not the same one.
        self.public_id = (self.public_id or "").strip() or None
        for name in _OF_JSON:
            if getattr(self, name) is None:  # an emptied field of a form
                setattr(self, name, self._meta.get_field(name).get_default())  # type: ignore[union-attr]
        refuse_unknown_variables({name: getattr(self, name) for name in WITH_VARIABLES}, self.variables)


class PersonaAvatar(models.Model):
    """The picture of a persona, drawn by us (personas/avatars.py)."""

    account_path = "persona__account"

    persona = models.OneToOneField(Persona, on_delete=models.CASCADE, related_name="avatar")
    data = models.BinaryField()
    mime = models.CharField(max_length=40)
    checksum = models.CharField(max_length=64)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Picture of {self.persona}"


class PersonaVersion(models.Model):
    """What a persona was at one moment, so that a change can be undone."""

    account_path = "persona__account"

    persona = models.ForeignKey(Persona, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField()
    # Which fields differ from the version before; empty for the first.
    changed = models.JSONField(default=list, blank=True, editable=False)
    author = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["persona", "number"], name="persona_version_once")]

    def __str__(self) -> str:
        return f"{self.persona} v{self.number}"


class PersonaDraft(models.Model):
    """What a persona is going to be: beside what it is, tried out by staff, then published or discarded.

    `based_on` is the version that it was begun from.
    """

    account_path = "persona__account"

    persona = models.OneToOneField(Persona, on_delete=models.CASCADE, related_name="draft")
    content = models.JSONField()
    based_on = models.PositiveIntegerField(default=0)
    author = models.CharField(max_length=150, blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Draft of {self.persona}"


class PersonaCard(models.Model):
    """The character card that a persona was imported from, as it came (personas/cards.py)."""

    account_path = "persona__account"

    persona = models.OneToOneField(Persona, on_delete=models.CASCADE, related_name="card")
    # Text, not JSON: a database may order keys anew and change numbers.
    text = models.TextField(editable=False)
    picture = models.BinaryField(null=True, editable=False)
    author = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Card of {self.persona}"


class ProviderCredential(models.Model):
    """A vendor key of one account; it wins over the installation's own."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="provider_credentials")
    provider = models.CharField(
        max_length=40, validators=[check_known], help_text="A name in settings.PROVIDERS."
    )
    secret = EncryptedTextField()
    # Not a URLField: inside a network hosts have names without dots.
    base_url = models.CharField(
        max_length=200,
        blank=True,
        validators=[
            RegexValidator(
                r"^https?://[^\s/?#]+[^\s]*\Z", "Give an address like https://models.example.com/v1."
            )
        ],
        help_text="Where the key is sent. Empty: the installation's address.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "provider"], name="one_credential_per_provider")
        ]

    def __str__(self) -> str:
        return f"{self.provider} key of {self.account}"


class LyzrLink(models.Model):
    """What an account has at Lyzr, and the ids that the marketing API keeps of it.

    Each id is stored the moment the vendor gives it, so that a creation that broke off goes on where it
    was. `busy_until` is the lease of whoever creates now: two at once would make two agents.
    """

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="lyzr_link")
    agent_id = models.CharField(max_length=100, blank=True, help_text="Who interviews.")
    chat_agent_id = models.CharField(
        max_length=100, blank=True, help_text="Who answers from the knowledge base."
    )
    rag_id = models.CharField(max_length=100, blank=True, help_text="The knowledge base.")
    rag_name = models.CharField(max_length=100, blank=True, editable=False)
    agent_prompt = models.TextField(blank=True, max_length=20_000)
    # We made the chat agent and have still to tell it to read the knowledge base. An agent that was made
    # elsewhere is never changed: telling replaces all that it is.
    has_unlinked_chat_agent = models.BooleanField(default=False, editable=False)
    busy_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "Lyzr link"
        indexes = [
            # whose an agent is, when a caller names only the agent
            models.Index(fields=["agent_id"], name="lyzr_link_by_agent"),
            models.Index(fields=["chat_agent_id"], name="lyzr_link_by_chat_agent"),
        ]

    def __str__(self) -> str:
        return f"Lyzr of {self.account}"


class Usage(models.Model):
    """Tokens and money of one account, persona, provider and model on one UTC day."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="usage")
    persona = models.ForeignKey(Persona, null=True, on_delete=models.SET_NULL)
    # The persona's id as text, so that the day's row stays unique where there is no persona.
    persona_key = models.CharField(max_length=36, blank=True)
    day = models.DateField()
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=100, blank=True)
    calls = models.PositiveIntegerField(default=0)
    prompt_tokens = models.PositiveBigIntegerField(default=0)
    completion_tokens = models.PositiveBigIntegerField(default=0)
    estimated_tokens = models.PositiveBigIntegerField(
        default=0, help_text="Of both, those of calls that no vendor counted: replies that were cut off."
    )
    cost_micro_usd = models.PositiveBigIntegerField(default=0)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "usage"
        ordering = ["-day", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "persona_key", "day", "provider", "model"], name="one_usage_row_per_day"
            )
        ]
        indexes = [
            # the list of all accounts, newest day first
            models.Index(fields=["-day", "-id"], name="usage_newest"),
            # an account's own list, and what it has used today
            models.Index(fields=["account", "-day", "-id"], name="usage_of_account"),
        ]

    def __str__(self) -> str:
        return f"{self.provider} on {self.day}"


class Budget(models.Model):
    """What one account may use of models in a UTC day, in place of the installation's own limits."""

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="budget")
    daily_tokens = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Prompt and reply together. Empty: no limit."
    )
    daily_micro_usd = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Millionths of a US dollar. Empty: no limit."
    )
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "daily budget"

    def __str__(self) -> str:
        return f"Daily budget of {self.account}"
