"""A run is a generation; what works through the books at an open or a close is a sweep.

The tables keep their names, so that a server of 0.1.0 goes on working beside this one.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0004_order_lists")]

    operations = [
        migrations.AlterModelTable(name="sessionrun", table="orders_sessionrun"),
        migrations.AlterModelTable(name="sessionrunchunk", table="orders_sessionrunchunk"),
        migrations.RenameModel("SessionRun", "Sweep"),
        migrations.RenameModel("SessionRunChunk", "SweepChunk"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveConstraint("sweepchunk", "session_run_chunk_once"),
                migrations.AlterModelOptions("sweepchunk", options={"ordering": ["number"]}),
                migrations.RenameField("sweepchunk", "run", "sweep"),
                migrations.AlterField(
                    "sweepchunk",
                    "sweep",
                    models.ForeignKey(
                        "orders.Sweep",
                        db_column="run_id",
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="chunks",
                    ),
                ),
                migrations.AlterModelOptions("sweepchunk", options={"ordering": ["sweep", "number"]}),
                migrations.AddConstraint(
                    "sweepchunk",
                    models.UniqueConstraint(fields=["sweep", "number"], name="session_run_chunk_once"),
                ),
            ]
        ),
    ]
