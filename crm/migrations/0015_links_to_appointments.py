from django.db import migrations, models


class Migration(migrations.Migration):
    """Choices alone: no table changes."""

    dependencies = [
        ('crm', '0014_reports_bans_ages'),
    ]

    operations = [
        migrations.AlterField(
            model_name='accesslink',
            name='purpose',
            field=models.CharField(choices=[('conversation', 'Take part in one conversation'), ('unsubscribe', 'Unsubscribe'), ('appointment', 'Move or cancel one appointment')], max_length=16),
        ),
    ]
