import config.api.ids
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from knowledge.migrations._word_index import create_index, drop_index


class Migration(migrations.Migration):

    replaces = [('knowledge', '0001_initial'), ('knowledge', '0002_word_index'), ('knowledge', '0003_replaced_and_counted'), ('knowledge', '0004_words_again'), ('knowledge', '0005_other_names'), ('knowledge', '0006_copies_at_vendors')]

    initial = True

    dependencies = [
        ('api', '0001_squashed_0002_email_cap'),
        ('auth', '__first__'),
        ('personas', '0001_squashed_0010_books_and_greetings'),
    ]

    operations = [
        migrations.CreateModel(
            name='Collection',
            fields=[
                ('id', models.UUIDField(default=config.api.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('slug', models.CharField(max_length=100)),
                ('name', models.CharField(max_length=200)),
                ('description', models.TextField(blank=True)),
                ('staff_may_read', models.BooleanField(default=True)),
                ('assistants_may_read', models.BooleanField(default=False, help_text='Every assistant of the account answers from it.')),
                ('version', models.PositiveBigIntegerField(default=0, editable=False)),
                ('chunk_count', models.PositiveIntegerField(default=0, editable=False)),
                ('token_count', models.PositiveBigIntegerField(default=0, editable=False)),
                ('character_count', models.PositiveBigIntegerField(default=0, editable=False, help_text='Of its chunks.')),
                ('document_count', models.PositiveIntegerField(default=0, editable=False)),
                ('size_bytes', models.PositiveBigIntegerField(default=0, editable=False, help_text='Of its files.')),
                ('changed_at', models.DateTimeField(editable=False, help_text='When its chunks last changed.', null=True)),
                ('embedding_provider', models.CharField(blank=True, max_length=40)),
                ('embedding_model', models.CharField(blank=True, help_text="Empty: the provider's own default.", max_length=100)),
                ('remote', models.CharField(blank=True, choices=[('lyzr', 'Lyzr')], help_text='Empty: they stay here.', max_length=20)),
                ('remote_id', models.CharField(blank=True, help_text="The knowledge base there: Lyzr's rag_id.", max_length=100)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='collections', to='api.account')),
                ('personas', models.ManyToManyField(blank=True, help_text='Who may read it.', related_name='collections', to='personas.persona')),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('account', 'slug'), name='collection_slug_once_per_account'), models.CheckConstraint(condition=models.Q(models.Q(('remote', ''), ('remote_id', '')), models.Q(models.Q(('remote', ''), _negated=True), models.Q(('remote_id', ''), _negated=True)), _connector='OR'), name='collection_remote_whole', violation_error_message='Give both the vendor and the knowledge base there, or neither.')],
            },
        ),
        migrations.CreateModel(
            name='Document',
            fields=[
                ('id', models.UUIDField(default=config.api.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('title', models.CharField(max_length=300)),
                ('filename', models.CharField(blank=True, max_length=300)),
                ('mime', models.CharField(blank=True, max_length=120)),
                ('file', models.FileField(blank=True, max_length=400, upload_to='')),
                ('size_bytes', models.PositiveBigIntegerField(default=0)),
                ('checksum', models.CharField(help_text='SHA-256 of the content.', max_length=64)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('reading', 'Reading'), ('ready', 'Ready'), ('failed', 'Failed'), ('refused', 'Refused')], default='queued', max_length=8)),
                ('reason', models.TextField(blank=True, help_text='Why it failed or was refused, in words for staff.')),
                ('progress_percent', models.PositiveSmallIntegerField(default=0)),
                ('units_done', models.PositiveIntegerField(editable=False, null=True)),
                ('units_total', models.PositiveIntegerField(editable=False, null=True)),
                ('unit', models.CharField(blank=True, editable=False, help_text='pages, rows or records.', max_length=10)),
                ('page_count', models.PositiveIntegerField(blank=True, null=True)),
                ('chunk_count', models.PositiveIntegerField(default=0)),
                ('origin_kind', models.CharField(default='upload', max_length=40)),
                ('origin_id', models.CharField(blank=True, max_length=64)),
                ('origin_link', models.CharField(blank=True, max_length=100)),
                ('given_sections', models.JSONField(blank=True, editable=False, null=True)),
                ('stored_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('vectors_due', models.BooleanField(default=False, editable=False)),
                ('uploaded_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('replaces_same_name', models.BooleanField(default=False, editable=False)),
                ('superseded_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('not_before', models.DateTimeField(default=django.utils.timezone.now)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('collection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='documents', to='knowledge.collection')),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['queued', 'reading'])), fields=['state', 'not_before'], name='document_due'), models.Index(condition=models.Q(('state', 'ready'), ('vectors_due', True)), fields=['not_before'], name='document_vectors_due'), models.Index(condition=models.Q(('superseded_at__isnull', False)), fields=['superseded_at'], name='document_superseded'), models.Index(fields=['state', 'collection'], name='document_by_state'), models.Index(fields=['collection', 'mime'], name='document_by_type'), models.Index(fields=['collection', '-created_at'], name='document_newest'), models.Index(fields=['collection', 'filename'], name='document_by_filename'), models.Index(fields=['origin_kind', 'origin_id'], name='document_by_origin')],
                'constraints': [models.UniqueConstraint(fields=('collection', 'checksum'), name='document_content_once')],
            },
        ),
        migrations.CreateModel(
            name='Chunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('text', models.TextField()),
                ('terms', models.TextField(editable=False)),
                ('token_count', models.PositiveIntegerField(help_text='How many terms it has.')),
                ('text_checksum', models.CharField(editable=False, help_text='SHA-256 of the text.', max_length=64)),
                ('locator', models.JSONField(default=dict)),
                ('vector', models.BinaryField(null=True)),
                ('embedding_model', models.CharField(blank=True, max_length=100)),
                ('collection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='knowledge.collection')),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='knowledge.document')),
            ],
            options={
                'ordering': ['document_id', 'position'],
                'indexes': [models.Index(condition=models.Q(('vector__isnull', False)), fields=['text_checksum', 'embedding_model'], name='chunk_embedded_text'), models.Index(condition=models.Q(('vector__isnull', False)), fields=['collection', 'embedding_model'], name='chunk_with_vector')],
                'constraints': [models.UniqueConstraint(fields=('document', 'position'), name='chunk_position_once')],
            },
        ),
        migrations.CreateModel(
            name='OtherName',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=300)),
                ('given_at', models.DateTimeField(default=django.utils.timezone.now, help_text='When it was last uploaded under it.')),
                ('collection', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.collection')),
                ('document', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='other_names', to='knowledge.document')),
            ],
            options={
                'ordering': ['given_at', 'id'],
                'indexes': [models.Index(fields=['collection', 'name'], name='document_by_other_name')],
                'constraints': [models.UniqueConstraint(fields=('document', 'name'), name='other_name_once')],
            },
        ),
        migrations.CreateModel(
            name='Question',
            fields=[
                ('id', models.UUIDField(default=config.api.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('asked_by', models.CharField(blank=True, max_length=150)),
                ('text', models.TextField()),
                ('answer', models.TextField(blank=True)),
                ('citations', models.JSONField(blank=True, default=list)),
                ('answered', models.BooleanField(default=False, help_text='False: not in the sources.')),
                ('thumbs', models.SmallIntegerField(blank=True, null=True)),
                ('comment', models.TextField(blank=True)),
                ('provider', models.CharField(blank=True, max_length=40)),
                ('error_code', models.CharField(blank=True, help_text='Why no answer could be written.', max_length=40)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='questions', to='api.account')),
                ('collections', models.ManyToManyField(blank=True, related_name='questions', to='knowledge.collection')),
                ('user', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['account', '-created_at'], name='question_newest'), models.Index(condition=models.Q(('answered', False)), fields=['-created_at'], name='question_unanswered')],
                'constraints': [models.CheckConstraint(condition=models.Q(('thumbs__isnull', True), ('thumbs__in', [-1, 1]), _connector='OR'), name='thumbs_up_or_down')],
            },
        ),
        migrations.CreateModel(
            name='RemoteCopy',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('remote', models.CharField(choices=[('lyzr', 'Lyzr')], max_length=20)),
                ('remote_id', models.CharField(max_length=100)),
                ('checksum', models.CharField(help_text='SHA-256 of the content.', max_length=64)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('parsed', 'Parsed'), ('trained', 'Trained'), ('failed', 'Failed'), ('leaving', 'Being taken away')], default='waiting', max_length=8)),
                ('parts', models.JSONField(blank=True, editable=False, null=True)),
                ('names', models.JSONField(blank=True, default=list, editable=False)),
                ('answer', models.JSONField(blank=True, default=dict, editable=False, help_text="The vendor's to the training.")),
                ('train_begun_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('trained_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', models.TextField(blank=True, help_text='Why it failed, in words for staff.')),
                ('attempts', models.PositiveSmallIntegerField(default=0, help_text='Of the step it is at.')),
                ('not_before', models.DateTimeField(default=django.utils.timezone.now)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='remote_copies', to='api.account')),
                ('document', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='remote_copies', to='knowledge.document')),
            ],
            options={
                'verbose_name': 'copy at a vendor',
                'verbose_name_plural': 'copies at vendors',
                'ordering': ['-created_at', '-id'],
                'indexes': [models.Index(condition=models.Q(('state__in', ['waiting', 'parsed', 'leaving'])), fields=['not_before'], name='remote_copy_due'), models.Index(fields=['-created_at', '-id'], name='remote_copy_newest')],
                'constraints': [models.UniqueConstraint(fields=('account', 'remote', 'remote_id', 'checksum'), name='remote_copy_once')],
            },
        ),
        migrations.RunPython(create_index, drop_index),
    ]
