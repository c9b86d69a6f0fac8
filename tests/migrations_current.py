"""Fails where a model was changed without its migration. Needs the settings, so it names servers that nobody asks."""

import os
import sys

os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:1/0")
os.environ.setdefault("PAPERTRADE_SECRET_KEY", "checks-only-" + "x" * 40)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "papertrade.settings")

from django.core.management import execute_from_command_line

execute_from_command_line([sys.argv[0], "makemigrations", "--check", "--dry-run"])
