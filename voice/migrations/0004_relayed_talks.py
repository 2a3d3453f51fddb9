from django.db import migrations, models
import django.db.models.deletion


class Migration(migrations.Migration):

    dependencies = [
        ('api', '0002_email_cap'),
        ('crm', '0006_word_index'),
        ('voice', '0003_after_the_talk'),
    ]

    operations = [
        migrations.AddField(
            model_name='callturn',
            name='is_cut',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='phonecall',
            name='continues',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='continued_by', to='crm.conversation'),
        ),
        migrations.AddIndex(
            model_name='phonecall',
            index=models.Index(fields=['account', 'to_number', '-started_at'], name='call_to_number'),
        ),
    ]
