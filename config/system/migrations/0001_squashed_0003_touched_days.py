import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('system', '0001_initial'), ('system', '0002_measured_days'), ('system', '0003_touched_days')]

    initial = True

    dependencies = [
        ('api', '0001_squashed_0002_email_cap'),
    ]

    operations = [
        migrations.CreateModel(
            name='ProviderProbe',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=40, unique=True)),
                ('is_reachable', models.BooleanField()),
                ('milliseconds', models.PositiveIntegerField(help_text='Until it answered.', null=True)),
                ('detail', models.CharField(blank=True, max_length=200)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['provider'],
            },
        ),
        migrations.CreateModel(
            name='RequestFigure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute', models.DateTimeField(unique=True)),
                ('requests', models.PositiveIntegerField(default=0)),
                ('errors', models.PositiveIntegerField(default=0)),
                ('total_milliseconds', models.PositiveBigIntegerField(default=0)),
                ('retrievals', models.PositiveIntegerField(default=0)),
                ('retrieval_microseconds', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'ordering': ['-minute'],
            },
        ),
        migrations.CreateModel(
            name='TouchedDay',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False)),
                ('noted_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['day'],
            },
        ),
        migrations.CreateModel(
            name='CountingProgress',
            fields=[
                ('id', models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('counted_until', models.DateTimeField(null=True)),
                ('recount_day', models.DateField(null=True)),
                ('merges_seen_until', models.DateTimeField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='one_counting_progress')],
            },
        ),
        migrations.CreateModel(
            name='Heartbeat',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('part', models.CharField(help_text='web, worker or beat', max_length=20)),
                ('instance', models.CharField(help_text='host and process id', max_length=100)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['part', '-at'],
                'constraints': [models.UniqueConstraint(fields=('part', 'instance'), name='heartbeat_once_per_process')],
            },
        ),
        migrations.CreateModel(
            name='ContactDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('contact_key', models.UUIDField()),
                ('day', models.DateField()),
                ('messages', models.PositiveIntegerField(default=0)),
                ('written', models.PositiveIntegerField(default=0, help_text='Messages by the person.')),
                ('sessions', models.PositiveIntegerField(default=0, help_text='Sessions that began on this day.')),
                ('session_milliseconds', models.PositiveBigIntegerField(default=0)),
                ('thumbs_up', models.PositiveIntegerField(default=0)),
                ('thumbs_down', models.PositiveIntegerField(default=0)),
                ('replies', models.JSONField(default=dict, help_text='Agent (its slug) → replies.')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='api.account')),
            ],
            options={
                'ordering': ['-day'],
                'indexes': [models.Index(fields=['day'], name='contact_day_by_day')],
                'constraints': [models.UniqueConstraint(fields=('contact_key', 'day'), name='contact_day_once')],
            },
        ),
        migrations.CreateModel(
            name='DailyFigure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('name', models.CharField(max_length=40)),
                ('value', models.BigIntegerField(default=0)),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='daily_figures', to='api.account')),
            ],
            options={
                'ordering': ['-day'],
                'indexes': [models.Index(fields=['name', 'day'], name='figure_by_day')],
                'constraints': [models.UniqueConstraint(fields=('account', 'name', 'day'), name='one_figure_per_day')],
            },
        ),
    ]
