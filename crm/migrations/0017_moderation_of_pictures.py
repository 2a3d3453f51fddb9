"""Pictures that people send are judged by the account's vendor too, unless it judges words alone."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0016_moderation'),
    ]

    operations = [
        migrations.AddField(
            model_name='moderationbyvendor',
            name='checks_pictures',
            field=models.BooleanField(db_default=True, default=True, help_text='Of what people write. Off for a server that judges words alone.'),
        ),
    ]
