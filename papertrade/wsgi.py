"""Django as a WSGI application. `papertrade.asgi` puts the event loop in front of it that holds the clients."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "papertrade.settings")

application = get_wsgi_application()
