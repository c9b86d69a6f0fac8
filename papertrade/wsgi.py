"""Django as a WSGI application. `papertrade.asgi` puts the event loop that holds the clients in front of it."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "papertrade.settings")

settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # where `prepare` never ran WhiteNoise would warn
application = get_wsgi_application()
