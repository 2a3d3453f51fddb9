"""What a persona knows, told when the talk comes to it, and other ways to begin."""

import personas.character_books
import personas.shapes
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('personas', '0009_avatars'),
    ]

    operations = [
        migrations.AddField(
            model_name='persona',
            name='alternate_greetings',
            field=models.JSONField(blank=True, default=list, help_text='Other ways to begin, like ["You again."]: people may ask for another one.', validators=[personas.shapes.check_greetings]),
        ),
        migrations.AddField(
            model_name='persona',
            name='character_book',
            field=models.JSONField(blank=True, default=dict, help_text='What it knows, told when the talk comes to it, like {"entries": [{"keys": ["lamp"], "content": "The lamp is old."}]}.', validators=[personas.character_books.check_book]),
        ),
    ]
