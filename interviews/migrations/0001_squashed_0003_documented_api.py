import config.api.ids
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('interviews', '0001_initial'), ('interviews', '0002_completed_and_failed'), ('interviews', '0003_documented_api')]

    initial = True

    dependencies = [
        ('api', '0001_squashed_0002_email_cap'),
        ('crm', '0001_squashed_0017_moderation_of_pictures'),
        ('knowledge', '0001_squashed_0006_copies_at_vendors'),
        ('personas', '0001_squashed_0010_books_and_greetings'),
    ]

    operations = [
        migrations.CreateModel(
            name='Guide',
            fields=[
                ('id', models.UUIDField(default=config.api.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=200)),
                ('goal', models.TextField(help_text='What we want to learn; said to the person on the first page.')),
                ('language', models.CharField(default='en', max_length=12)),
                ('minutes', models.PositiveSmallIntegerField(default=10, help_text='How long it takes, as told to the person.')),
                ('welcome', models.TextField(blank=True)),
                ('consent_text', models.TextField()),
                ('consent_version', models.CharField(default='1', max_length=40)),
                ('closing', models.TextField(blank=True, help_text='The last words of the interview.')),
                ('forbidden_topics', models.TextField(blank=True)),
                ('order', models.CharField(choices=[('fixed', 'As listed'), ('shuffled', 'Shuffled for each person')], default='fixed', max_length=8)),
                ('max_turns', models.PositiveSmallIntegerField(default=40, help_text='Answers, not questions.', validators=[django.core.validators.MinValueValidator(2), django.core.validators.MaxValueValidator(400)])),
                ('max_minutes', models.PositiveSmallIntegerField(default=60, help_text='Time since Begin after which the interview closes at the next message.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(600)])),
                ('link_days', models.PositiveSmallIntegerField(default=30, help_text='How long an invitation link lives.')),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
                ('is_active', models.BooleanField(default=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='guides', to='api.account')),
                ('collection', models.ForeignKey(blank=True, help_text='Where transcripts go. Empty: a collection named for the guide is made.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='guides', to='knowledge.collection')),
                ('persona', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='guides', to='personas.persona')),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['account', '-created_at'], name='guide_newest')],
            },
        ),
        migrations.CreateModel(
            name='Interview',
            fields=[
                ('id', models.UUIDField(default=config.api.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('invited', 'Invited'), ('opened', 'Opened'), ('started', 'Started'), ('completed', 'Completed'), ('processed', 'Processed'), ('declined', 'Declined'), ('abandoned', 'Abandoned'), ('expired', 'Expired'), ('failed', 'Failed')], default='invited', max_length=10)),
                ('frozen_guide', models.JSONField(blank=True, default=dict, help_text='The guide as it was at Begin.')),
                ('guide_version', models.PositiveIntegerField(default=0)),
                ('consent_version', models.CharField(blank=True, max_length=40)),
                ('pdf', models.FileField(blank=True, max_length=400, upload_to='')),
                ('pdf_pages', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('title', models.CharField(blank=True, max_length=200)),
                ('subheading', models.CharField(blank=True, max_length=300)),
                ('category', models.CharField(blank=True, max_length=80)),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('requested_at', models.DateTimeField(blank=True, null=True)),
                ('invited_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('completed_at', models.DateTimeField(blank=True, null=True)),
                ('processed_at', models.DateTimeField(blank=True, null=True)),
                ('declined_at', models.DateTimeField(blank=True, null=True)),
                ('abandoned_at', models.DateTimeField(blank=True, null=True)),
                ('expired_at', models.DateTimeField(blank=True, null=True)),
                ('failed_at', models.DateTimeField(blank=True, null=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='interviews', to='api.account')),
                ('collection', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='interviews', to='knowledge.collection')),
                ('contact', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='interviews', to='crm.contact')),
                ('conversation', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='interview', to='crm.conversation')),
                ('document', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='interviews', to='knowledge.document')),
                ('guide', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='interviews', to='interviews.guide')),
            ],
            options={
                'ordering': ['-invited_at'],
                'indexes': [models.Index(fields=['account', '-invited_at'], name='interview_newest'), models.Index(fields=['account', 'state', '-invited_at'], name='interview_by_state'), models.Index(fields=['guide', 'state'], name='interview_of_guide'), models.Index(condition=models.Q(('pdf', ''), _negated=True), fields=['account', '-completed_at'], name='interview_with_pdf'), models.Index(condition=models.Q(('state__in', ['invited', 'opened'])), fields=['expires_at'], name='interview_expiry'), models.Index(condition=models.Q(('state__in', ['started', 'abandoned'])), fields=['started_at'], name='interview_under_way'), models.Index(condition=models.Q(('completed_at__isnull', False)), fields=['completed_at'], name='interview_completed')],
            },
        ),
        migrations.CreateModel(
            name='Answer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('question_key', models.CharField(max_length=60)),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('kind', models.CharField(choices=[('answered', 'Answered'), ('skipped', 'Skipped'), ('refused', 'Would rather not say')], default='answered', max_length=8)),
                ('value', models.TextField(blank=True)),
                ('quote', models.TextField(blank=True)),
                ('is_corrected', models.BooleanField(default=False)),
                ('message', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='crm.message')),
                ('interview', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='interviews.interview')),
            ],
            options={
                'ordering': ['position'],
                'constraints': [models.UniqueConstraint(fields=('interview', 'question_key'), name='answer_once_per_question')],
            },
        ),
        migrations.CreateModel(
            name='ProcessingStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(choices=[('pdf', 'Make the PDF'), ('storage', 'Store it'), ('knowledge', 'Read it into the knowledge')], max_length=10)),
                ('position', models.PositiveSmallIntegerField()),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], default='waiting', max_length=8)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('not_before', models.DateTimeField(default=django.utils.timezone.now)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('error', models.TextField(blank=True)),
                ('result', models.JSONField(blank=True, default=dict)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('interview', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='interviews.interview')),
            ],
            options={
                'ordering': ['position'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'running'])), fields=['not_before'], name='processing_due'), models.Index(condition=models.Q(('state', 'failed')), fields=['id'], name='processing_failed')],
                'constraints': [models.UniqueConstraint(fields=('interview', 'name'), name='step_once_per_interview')],
            },
        ),
        migrations.CreateModel(
            name='Question',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(db_index=True, default=0)),
                ('key', models.CharField(max_length=60, validators=[django.core.validators.RegexValidator('^[a-z][a-z0-9_]*$', 'Use small letters, digits and underscores.')])),
                ('text', models.TextField()),
                ('topic', models.CharField(blank=True, help_text='Two or three words, for lists and the PDF.', max_length=80)),
                ('kind', models.CharField(choices=[('open', 'Open'), ('choice', 'One of these'), ('scale', 'Scale'), ('date', 'Date')], default='open', max_length=8)),
                ('choices', models.JSONField(blank=True, default=list, help_text='Like ["Yes", "No"], or ["1", …, "5"] for a scale.')),
                ('must_ask', models.BooleanField(default=True)),
                ('probe_depth', models.PositiveSmallIntegerField(default=1, help_text='Follow-up questions at most.', validators=[django.core.validators.MaxValueValidator(5)])),
                ('probes', models.JSONField(blank=True, default=list, help_text='Follow-ups in your own words, in order.')),
                ('guide', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='questions', to='interviews.guide')),
            ],
            options={
                'ordering': ['position', 'id'],
                'constraints': [models.UniqueConstraint(fields=('guide', 'key'), name='question_key_once_per_guide')],
            },
        ),
    ]
