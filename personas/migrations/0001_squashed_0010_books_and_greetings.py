import config.api.encryption
import config.api.ids
import django.core.validators
import django.db.models.deletion
import personas.chains
import personas.character_books
import personas.shapes
import personas.variables
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('personas', '0001_initial'), ('personas', '0002_daily_budget'), ('personas', '0003_lyzr_link'), ('personas', '0004_estimated_tokens'), ('personas', '0005_lyzr_unlinked_chat_agent'), ('personas', '0006_influencers'), ('personas', '0007_cards_drafts_versions'), ('personas', '0008_adults_and_variables'), ('personas', '0009_avatars'), ('personas', '0010_books_and_greetings')]

    initial = True

    dependencies = [
        ('api', '0001_squashed_0002_email_cap'),
    ]

    operations = [
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('daily_tokens', models.PositiveBigIntegerField(blank=True, help_text='Prompt and reply together. Empty: no limit.', null=True)),
                ('daily_micro_usd', models.PositiveBigIntegerField(blank=True, help_text='Millionths of a US dollar. Empty: no limit.', null=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='budget', to='api.account')),
            ],
            options={
                'verbose_name': 'daily budget',
            },
        ),
        migrations.CreateModel(
            name='Persona',
            fields=[
                ('id', models.UUIDField(default=config.api.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(max_length=80)),
                ('name', models.CharField(max_length=120)),
                ('kind', models.CharField(choices=[('interviewer', 'Interviewer'), ('assistant', 'Assistant'), ('influencer', 'Influencer'), ('caller', 'Caller')], default='assistant', max_length=12)),
                ('status', models.CharField(choices=[('active', 'Active'), ('coming_soon', 'Coming soon'), ('discontinued', 'Discontinued'), ('draft', 'Draft')], default='active', max_length=12)),
                ('tagline', models.CharField(blank=True, max_length=200)),
                ('description', models.TextField(blank=True, help_text='Of an influencer, for everybody.', max_length=500)),
                ('category', models.CharField(blank=True, max_length=60)),
                ('avatar_url', models.CharField(blank=True, help_text='Like https://example.com/nora.jpg.', max_length=500, validators=[personas.shapes.check_address])),
                ('avatar_version', models.CharField(blank=True, db_default='', default='', editable=False, max_length=16)),
                ('suggested_messages', models.JSONField(blank=True, default=list, help_text='Up to 10 things to begin with, like ["How do I start?"].', validators=[personas.shapes.check_suggestions])),
                ('public_id', models.CharField(blank=True, help_text='The id in the persona API, where it is not ours.', max_length=100, null=True)),
                ('instructions', models.TextField(blank=True, help_text='The system prompt. Staff and keys with the scope “personas” see it.', max_length=20000)),
                ('traits', models.JSONField(blank=True, default=dict, help_text='Like {"tone": "warm", "humour": "dry"}.', validators=[personas.shapes.check_traits])),
                ('greeting', models.TextField(blank=True, max_length=8000)),
                ('alternate_greetings', models.JSONField(blank=True, default=list, help_text='Other ways to begin, like ["You again."]: people may ask for another one.', validators=[personas.shapes.check_greetings])),
                ('examples', models.JSONField(blank=True, default=list, help_text='A list of {"person": …, "persona": …}.', validators=[personas.shapes.check_examples])),
                ('character_book', models.JSONField(blank=True, default=dict, help_text='What it knows, told when the talk comes to it, like {"entries": [{"keys": ["lamp"], "content": "The lamp is old."}]}.', validators=[personas.character_books.check_book])),
                ('language', models.CharField(default='en', max_length=12)),
                ('voice', models.CharField(blank=True, max_length=60)),
                ('provider_chain', models.JSONField(blank=True, default=list, help_text='Providers as they are tried, like ["openai", "offline"]. Empty: the installation\'s.', validators=[personas.chains.check_chain])),
                ('model', models.CharField(blank=True, help_text="Empty: the provider's own default.", max_length=100)),
                ('temperature', models.FloatField(default=0.6, validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(2.0)])),
                ('max_tokens', models.PositiveIntegerField(default=600, help_text='Of one reply. A token is about three quarters of a word.', validators=[django.core.validators.MinValueValidator(16), django.core.validators.MaxValueValidator(8192)])),
                ('adults_only', models.BooleanField(default=False, help_text='Only who is known or says to be an adult talks with it.')),
                ('variables', models.JSONField(blank=True, default=list, help_text='Facts in its texts, like [{"name": "city", "type": "text", "default": "your city"}], written as {{city}}. {{char}} and {{user}} are always there.', validators=[personas.variables.check_variables])),
                ('version', models.PositiveIntegerField(default=0, editable=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='personas', to='api.account')),
            ],
            options={
                'ordering': ['name'],
                'indexes': [models.Index(fields=['account', 'kind', 'status', '-created_at', '-id'], name='persona_public_list'), models.Index(fields=['account', '-id'], name='persona_newest')],
                'constraints': [models.UniqueConstraint(fields=('account', 'slug'), name='persona_slug_once_per_account'), models.UniqueConstraint(fields=('account', 'public_id'), name='persona_public_id_once')],
            },
        ),
        migrations.CreateModel(
            name='PersonaAvatar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('data', models.BinaryField()),
                ('mime', models.CharField(max_length=40)),
                ('checksum', models.CharField(max_length=64)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('persona', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='avatar', to='personas.persona')),
            ],
        ),
        migrations.CreateModel(
            name='PersonaCard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField(editable=False)),
                ('picture', models.BinaryField(null=True)),
                ('author', models.CharField(blank=True, max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('persona', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='card', to='personas.persona')),
            ],
        ),
        migrations.CreateModel(
            name='PersonaDraft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('content', models.JSONField()),
                ('based_on', models.PositiveIntegerField(default=0)),
                ('author', models.CharField(blank=True, max_length=150)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('persona', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='draft', to='personas.persona')),
            ],
        ),
        migrations.CreateModel(
            name='PersonaVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('content', models.JSONField()),
                ('changed', models.JSONField(blank=True, default=list, editable=False)),
                ('author', models.CharField(blank=True, max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('persona', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='personas.persona')),
            ],
            options={
                'ordering': ['-number'],
                'constraints': [models.UniqueConstraint(fields=('persona', 'number'), name='persona_version_once')],
            },
        ),
        migrations.CreateModel(
            name='ProviderCredential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(help_text='A name in settings.PROVIDERS.', max_length=40, validators=[personas.chains.check_known])),
                ('secret', config.api.encryption.EncryptedTextField()),
                ('base_url', models.CharField(blank=True, help_text="Where the key is sent. Empty: the installation's address.", max_length=200, validators=[django.core.validators.RegexValidator('^https?://[^\\s/?#]+[^\\s]*\\Z', 'Give an address like https://models.example.com/v1.')])),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='provider_credentials', to='api.account')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('account', 'provider'), name='one_credential_per_provider')],
            },
        ),
        migrations.CreateModel(
            name='Usage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('persona_key', models.CharField(blank=True, max_length=36)),
                ('day', models.DateField()),
                ('provider', models.CharField(max_length=40)),
                ('model', models.CharField(blank=True, max_length=100)),
                ('calls', models.PositiveIntegerField(default=0)),
                ('prompt_tokens', models.PositiveBigIntegerField(default=0)),
                ('completion_tokens', models.PositiveBigIntegerField(default=0)),
                ('estimated_tokens', models.PositiveBigIntegerField(default=0, help_text='Of both, those of calls that no vendor counted: replies that were cut off.')),
                ('cost_micro_usd', models.PositiveBigIntegerField(default=0)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='usage', to='api.account')),
                ('persona', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='personas.persona')),
            ],
            options={
                'verbose_name_plural': 'usage',
                'ordering': ['-day', '-id'],
                'indexes': [models.Index(fields=['-day', '-id'], name='usage_newest'), models.Index(fields=['account', '-day', '-id'], name='usage_of_account')],
                'constraints': [models.UniqueConstraint(fields=('account', 'persona_key', 'day', 'provider', 'model'), name='one_usage_row_per_day')],
            },
        ),
        migrations.CreateModel(
            name='LyzrLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('agent_id', models.CharField(blank=True, help_text='Who interviews.', max_length=100)),
                ('chat_agent_id', models.CharField(blank=True, help_text='Who answers from the knowledge base.', max_length=100)),
                ('rag_id', models.CharField(blank=True, help_text='The knowledge base.', max_length=100)),
                ('rag_name', models.CharField(blank=True, editable=False, max_length=100)),
                ('agent_prompt', models.TextField(blank=True, max_length=20000)),
                ('has_unlinked_chat_agent', models.BooleanField(default=False, editable=False)),
                ('busy_until', models.DateTimeField(blank=True, editable=False, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('account', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='lyzr_link', to='api.account')),
            ],
            options={
                'verbose_name': 'Lyzr link',
                'indexes': [models.Index(fields=['agent_id'], name='lyzr_link_by_agent'), models.Index(fields=['chat_agent_id'], name='lyzr_link_by_chat_agent')],
            },
        ),
    ]
