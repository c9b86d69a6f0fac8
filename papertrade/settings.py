"""All settings. Every variable is read from the environment by `papertrade.lib.env`; docs/configuration.md lists them."""

from pathlib import Path

import structlog

from papertrade import __version__
from papertrade.lib import env, files
from papertrade.lib.pooling import Connection
from papertrade.web.limits import LARGE_BODIES

BASE_DIR = Path(__file__).resolve().parent.parent

# --- What the server runs on ------------------------------------------------------------------------------------------
PAPERTRADE_PORT = env.whole("PAPERTRADE_PORT", 8000, low=1, high=65535)
PAPERTRADE_VAR = Path(env.text("PAPERTRADE_VAR", "var")).expanduser().resolve()
PAPERTRADE_WEB_WORKERS = env.whole("PAPERTRADE_WEB_WORKERS", 2, low=1, high=64)
PAPERTRADE_WEB_THREADS = env.whole("PAPERTRADE_WEB_THREADS", 2, low=1, high=64)
PAPERTRADE_WEB_CONNECTIONS = env.whole("PAPERTRADE_WEB_CONNECTIONS", 2_000, low=16, high=100_000)
PAPERTRADE_WORKERS = env.whole("PAPERTRADE_WORKERS", 1, low=1, high=64)
PAPERTRADE_ENGINE_VERSION = "1"

# --- The market -------------------------------------------------------------------------------------------------------
PAPERTRADE_MARKET = env.choice("PAPERTRADE_MARKET", "simulated", ("simulated", "recorded", "live"))
PAPERTRADE_RECORDING = env.text("PAPERTRADE_RECORDING")
PAPERTRADE_START = env.instant("PAPERTRADE_START")
PAPERTRADE_SPEED = env.number("PAPERTRADE_SPEED", "1")
PAPERTRADE_SEED = env.whole("PAPERTRADE_SEED", 1)
PAPERTRADE_PROVIDER = env.choice("PAPERTRADE_PROVIDER", "", ("", "push", "alpaca", "massive", "cutemarkets", "tradier"))
PAPERTRADE_PROVIDER_KEY = env.text("PAPERTRADE_PROVIDER_KEY")
PAPERTRADE_PROVIDER_SECRET = env.text("PAPERTRADE_PROVIDER_SECRET")
PAPERTRADE_PROVIDER_FEEDS = env.words("PAPERTRADE_PROVIDER_FEEDS", "")
PAPERTRADE_PROVIDER_URL = env.text("PAPERTRADE_PROVIDER_URL")
PAPERTRADE_PROVIDER_STREAM_URL = env.text("PAPERTRADE_PROVIDER_STREAM_URL")
PAPERTRADE_SYMBOL_LIMIT = env.limit("PAPERTRADE_SYMBOL_LIMIT", None)
PAPERTRADE_DELAY_SECONDS = env.whole("PAPERTRADE_DELAY_SECONDS", 0, high=604_800)
PAPERTRADE_RECORD = env.text("PAPERTRADE_RECORD", str(PAPERTRADE_VAR / "recordings" / "live"))  # or off
if PAPERTRADE_MARKET == "recorded" and not PAPERTRADE_RECORDING:
    raise env.BadSetting("PAPERTRADE_MARKET=recorded needs PAPERTRADE_RECORDING: a folder with .csv or .csv.gz files.")

if PAPERTRADE_MARKET == "live" and not PAPERTRADE_PROVIDER:
    raise env.BadSetting(
        "PAPERTRADE_MARKET=live needs PAPERTRADE_PROVIDER: alpaca, massive, cutemarkets, tradier, or push for your own quotes."
    )
if PAPERTRADE_DELAY_SECONDS and PAPERTRADE_MARKET != "live":
    raise env.BadSetting(
        "PAPERTRADE_DELAY_SECONDS is for PAPERTRADE_MARKET=live: the other markets have clocks of their own."
    )

# --- The policy of new accounts (trading-rules.md section 5) ----------------------------------------------------------
PAPERTRADE_STOCK_QUOTE_MAX_AGE_SECONDS = env.whole("PAPERTRADE_STOCK_QUOTE_MAX_AGE_SECONDS", 15, low=1, high=86_400)
PAPERTRADE_OPTION_QUOTE_MAX_AGE_SECONDS = env.whole("PAPERTRADE_OPTION_QUOTE_MAX_AGE_SECONDS", 60, low=1, high=86_400)
PAPERTRADE_OPTION_MAX_SPREAD_RATIO = env.number("PAPERTRADE_OPTION_MAX_SPREAD_RATIO", "0.25", high=2)
PAPERTRADE_OPTION_SPREAD_FLOOR = env.number("PAPERTRADE_OPTION_SPREAD_FLOOR", "0.10", high=1000)
PAPERTRADE_SIZE_CAP = env.switch("PAPERTRADE_SIZE_CAP", True)

# --- What the server lets one account do -------------------------------------------------------------------------------
PAPERTRADE_MAX_OPEN_ORDERS = env.whole("PAPERTRADE_MAX_OPEN_ORDERS", 1000, low=1, high=1_000_000)

# --- Rate limits, per key ---------------------------------------------------------------------------------------------
PAPERTRADE_RATE_PLAN = env.text("PAPERTRADE_RATE_PLAN", "self-hosted")
PAPERTRADE_RATE_LIMIT_MINUTE = env.limit("PAPERTRADE_RATE_LIMIT_MINUTE", 60_000)
PAPERTRADE_RATE_LIMIT_DAY = env.limit("PAPERTRADE_RATE_LIMIT_DAY", None)
PAPERTRADE_STRANGER_LIMIT_MINUTE = env.limit("PAPERTRADE_STRANGER_LIMIT_MINUTE", 600)

# --- Growth -----------------------------------------------------------------------------------------------------------
PAPERTRADE_KEEP_MINUTES_DAYS = env.limit("PAPERTRADE_KEEP_MINUTES_DAYS", 400, low=30, high=36_500)

# --- Security ---------------------------------------------------------------------------------------------------------
DEBUG = env.switch("PAPERTRADE_DEBUG", False)
PAPERTRADE_BEHIND_TLS = env.switch("PAPERTRADE_BEHIND_TLS", False)
PAPERTRADE_TRUSTED_PROXIES = env.whole("PAPERTRADE_TRUSTED_PROXIES", int(PAPERTRADE_BEHIND_TLS), low=0, high=10)
PAPERTRADE_PUBLIC_URL = env.text("PAPERTRADE_PUBLIC_URL", f"http://127.0.0.1:{PAPERTRADE_PORT}").rstrip("/")
SECRET_KEY = env.secret("PAPERTRADE_SECRET_KEY", characters=50)
if not SECRET_KEY:
    secret_file = PAPERTRADE_VAR / "secret_key"
    if not secret_file.exists():
        raise env.BadSetting(
            "PAPERTRADE_SECRET_KEY is not set, and the var folder has none. `make run` makes one; a server of your own "
            "needs 50 random characters in PAPERTRADE_SECRET_KEY."
        )
    SECRET_KEY = secret_file.read_text().strip()
PAPERTRADE_METRICS_TOKEN = env.secret("PAPERTRADE_METRICS_TOKEN", characters=24)
PAPERTRADE_METRICS_ADDRESS = env.address("PAPERTRADE_METRICS_ADDRESS")
if PAPERTRADE_METRICS_ADDRESS and not PAPERTRADE_METRICS_TOKEN:
    raise env.BadSetting(
        "PAPERTRADE_METRICS_ADDRESS needs PAPERTRADE_METRICS_TOKEN: metrics are for those who have it."
    )
ALLOWED_HOSTS = env.words("PAPERTRADE_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("PAPERTRADE_TRUSTED_ORIGINS", "")

# --- Servers ----------------------------------------------------------------------------------------------------------
DATABASE_URL, REDIS_URL = (env.server_url(name, PAPERTRADE_VAR) for name in env.SERVERS)
if not DATABASE_URL or not REDIS_URL:
    raise env.BadSetting(
        f"DATABASE_URL and REDIS_URL are not both set, and no server runs on {PAPERTRADE_VAR}. `make run` starts both; "
        "while it runs, `papertrade` and manage.py find them in that folder."
    )
_place, _parameters = env.database(DATABASE_URL)
# So both ends notice within a minute that the other's machine is gone, and what it had locked is free again.
KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# A statement waits 5 s at most for a lock, then the caller gets 503 and may retry. A transaction that does nothing for ten
# minutes is an export whose reader went away.
SESSION = {"lock_timeout": "5s", "timezone": "UTC", "jit": "off", "idle_in_transaction_session_timeout": "10min"}
SERVER_KEEPALIVES = {"tcp_keepalives_idle": 30, "tcp_keepalives_interval": 10, "tcp_keepalives_count": 3}
DATABASES = {
    "default": {
        "ENGINE": "papertrade.lib.database",  # a connection that died with the server is not handed out
        **_place,
        "OPTIONS": {
            **KEEPALIVES,
            **_parameters,
            "options": " ".join(f"-c {name}={value}" for name, value in {**SESSION, **SERVER_KEEPALIVES}.items()),
            "prepare_threshold": 3,
            "pool": {
                "min_size": 1,
                "max_size": PAPERTRADE_WEB_THREADS + 6,
                "timeout": 3,
                "connection_class": Connection,
            },
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "accounts.User"

# --- Django -----------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "papertrade.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "accounts",
    "marketdata",
    "portfolio",
    "orders",
    "papertrade",
]
MIDDLEWARE = [
    "papertrade.lib.access.Access",
    "papertrade.lib.metrics.RequestMetrics",
    "papertrade.api.kit.middleware.ApiMiddleware",
    "papertrade.dashboard.security.ContentSecurityPolicy",
    "papertrade.lib.compression.Compression",
    "papertrade.lib.strangers.Strangers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "papertrade.dashboard.zones.ViewersZone",
]
ROOT_URLCONF = "papertrade.urls"
WSGI_APPLICATION = "papertrade.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {
                "figures": "papertrade.dashboard.figures",
                "market_bar": "papertrade.dashboard.market_bar",
            },
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
FORMAT_MODULE_PATH = "papertrade.lib.formats"
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
DATA_UPLOAD_MAX_MEMORY_SIZE = max(LARGE_BODIES.values())
FILE_UPLOAD_HANDLERS: list[str] = []  # no view takes files: uploaded ones are read and dropped

# --- Static files: a hash of all is in their address, so that browsers may keep them for good and never show an old one --
STATIC_URL = (
    f"/static/{files.fingerprint(BASE_DIR / 'static', 'Django', 'djangorestframework', 'drf-spectacular-sidecar')}/"
)
STATIC_ROOT = PAPERTRADE_VAR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_IMMUTABLE_FILE_TEST = "^/static/[0-9a-f]{12}/"

# --- Cookies and transport --------------------------------------------------------------------------------------------
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = PAPERTRADE_BEHIND_TLS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if PAPERTRADE_BEHIND_TLS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    SECURE_REDIRECT_EXEMPT = ["^metrics$"]  # asked from inside, past the proxy
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True

# --- The API ----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "papertrade.api.kit.authentication.KeyAuthentication",
        "papertrade.api.kit.authentication.DashboardAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["papertrade.api.kit.authentication.MayTrade"],
    "DEFAULT_PARSER_CLASSES": ["papertrade.api.kit.parsing.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["papertrade.api.kit.rendering.EnvelopeRenderer"],
    "DEFAULT_THROTTLE_CLASSES": ["papertrade.api.kit.throttling.KeyThrottle"],
    "DEFAULT_SCHEMA_CLASS": "papertrade.api.kit.schema.Schema",
    "EXCEPTION_HANDLER": "papertrade.api.kit.errors.handle",
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "papertrade.api.kit.rendering.OneFormat",
    "URL_FORMAT_OVERRIDE": None,
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "papertrade",
    "DESCRIPTION": (
        "A paper broker for US stocks and options. Send your key as `Authorization: Bearer cm_...`. Every address ends in a "
        "slash. Numbers in answers are strings. /llms.txt is a summary."
    ),
    "VERSION": __version__,
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "SERVERS": [{"url": "/", "description": "this server"}],
    "POSTPROCESSING_HOOKS": ["papertrade.api.kit.document.finish"],
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/v1",
}

# --- Celery -----------------------------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600}
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

# --- Logs -------------------------------------------------------------------------------------------------------------
PAPERTRADE_ACCESS_LOG = env.switch("PAPERTRADE_ACCESS_LOG", True)
LOG_FORMAT = env.choice("PAPERTRADE_LOG_FORMAT", "line", ("line", "json"))
LOG_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # Tracebacks as text: a pretty one shows local variables, and with them keys and passwords.
    structlog.processors.format_exc_info,
]
structlog.configure(
    processors=[*LOG_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "chosen": {
            "()": structlog.stdlib.ProcessorFormatter,
            "foreign_pre_chain": LOG_PROCESSORS,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer()
                if LOG_FORMAT == "json"
                else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
            ],
        }
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "chosen"},
        "whole": {"class": "logging.StreamHandler"},
    },
    "loggers": {
        # A refused request is an answer, not a warning; failures are logged where they become one.
        "django.request": {"level": "CRITICAL"},
        # Lines that are complete already (papertrade.lib.lines).
        "papertrade.lines": {"handlers": ["whole"], "propagate": False},
    },
    "root": {
        "handlers": ["console"],
        "level": env.choice("PAPERTRADE_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
    },
}

env.refuse_typos()
