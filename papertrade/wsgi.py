"""Django as a WSGI application. `papertrade.asgi` puts the event loop in front of it that holds the clients."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "papertrade.settings")

settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # on a host where `prepare` never ran whitenoise would miss it
application = get_wsgi_application()
