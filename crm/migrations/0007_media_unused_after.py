from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ('crm', '0006_word_index'),
    ]

    operations = [
        migrations.AddField(
            model_name='mediafile',
            name='unused_after',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name='mediafile',
            index=models.Index(condition=Q(('unused_after__isnull', False)), fields=['unused_after'], name='media_unused'),
        ),
    ]
