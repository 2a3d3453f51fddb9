"""The sound of calls, where it is kept."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('voice', '0006_live_view_and_tests'),
    ]

    operations = [
        migrations.CreateModel(
            name='CallRecording',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sid', models.CharField(max_length=34, unique=True)),
                ('state', models.CharField(choices=[('due', 'To be fetched'), ('kept', 'Kept'), ('failed', 'Could not be fetched'), ('removed', 'Removed')], default='due', max_length=8)),
                ('file', models.FileField(blank=True, max_length=200, upload_to='')),
                ('size_bytes', models.PositiveIntegerField(blank=True, null=True)),
                ('duration_seconds', models.PositiveIntegerField(blank=True, null=True)),
                ('is_at_vendor', models.BooleanField(default=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('error', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('call', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='recordings', to='voice.phonecall')),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='recordings_due'), models.Index(condition=models.Q(('state', 'removed'), _negated=True), fields=['created_at'], name='recordings_by_age')],
            },
        ),
    ]
