from django.db import migrations

from crm.migrations._word_index import create_index, drop_index


class Migration(migrations.Migration):
    dependencies = [("crm", "0005_contact_time_zone_checked")]
    operations = [migrations.RunPython(create_index, drop_index)]
