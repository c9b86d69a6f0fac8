"""Audits are jobs, done in parts, and reports commit to how far the books were verified.

New tables, and columns that have a default in the database: the release before goes on.
"""

from django.db import migrations, models
from django.db.models import Q
from django.db.models.functions import Now

EXTENTS = [("full", "Full"), ("increment", "Increment")]
OWN_ID = ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    dependencies = [("portfolio", "0013_event_request_index")]

    operations = [
        migrations.AddField(
            "auditreport", "extent", models.CharField(max_length=9, choices=EXTENTS, db_default="full")
        ),
        migrations.AddField("auditreport", "sealed", models.CharField(max_length=64, blank=True, db_default="")),
        migrations.CreateModel(
            "Audit",
            [
                OWN_ID,
                ("scope", models.CharField(blank=True, max_length=100)),
                ("by", models.CharField(max_length=150)),
                ("extent", models.CharField(choices=EXTENTS, max_length=9)),
                (
                    "base",
                    models.ForeignKey(
                        "portfolio.audit", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
                    ),
                ),
                ("asked_at", models.DateTimeField(db_default=Now())),
                ("finished_at", models.DateTimeField(null=True)),
                ("canceled_at", models.DateTimeField(null=True)),
                ("canceled_by", models.CharField(blank=True, max_length=150)),
                (
                    "report",
                    models.OneToOneField(
                        "portfolio.auditreport", on_delete=models.PROTECT, null=True, related_name="audit"
                    ),
                ),
            ],
            options={
                "ordering": ["-id"],
                "constraints": [
                    models.UniqueConstraint(
                        name="audit_one_at_a_time",
                        fields=["scope"],
                        condition=Q(finished_at__isnull=True, canceled_at__isnull=True),
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "AuditPart",
            [
                OWN_ID,
                (
                    "audit",
                    models.ForeignKey(
                        "portfolio.audit", on_delete=models.CASCADE, related_name="parts", db_index=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("books", models.JSONField()),
                ("worker", models.CharField(blank=True, max_length=100)),
                ("done_at", models.DateTimeField(null=True)),
                ("differences", models.JSONField(default=list)),
                ("form", models.SmallIntegerField(db_default=1)),
                ("seals", models.JSONField(null=True)),
                ("sealed", models.CharField(blank=True, max_length=64)),
            ],
            options={
                "ordering": ["audit", "number"],
                "constraints": [models.UniqueConstraint(name="audit_part_once", fields=["audit", "number"])],
            },
        ),
    ]
