"""Private notes of staff on conversations, and which member of staff looks after one."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('api', '0001_squashed_0002_email_cap'),
        ('crm', '0001_squashed_0017_moderation_of_pictures'),
        ('personas', '0001_squashed_0010_books_and_greetings'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PrivateNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('text', models.TextField()),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddField(
            model_name='conversation',
            name='assigned_to',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='conversation',
            index=models.Index(condition=models.Q(('assigned_to__isnull', False)), fields=['assigned_to', '-last_activity_at', '-id'], name='conversation_of_staff'),
        ),
        migrations.AddField(
            model_name='privatenote',
            name='author',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='privatenote',
            name='conversation',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='private_notes', to='crm.conversation'),
        ),
        migrations.AddIndex(
            model_name='privatenote',
            index=models.Index(fields=['conversation', 'created_at'], name='private_notes_of_talk'),
        ),
    ]
