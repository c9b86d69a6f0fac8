"""The exchange's zone. Pure."""

from zoneinfo import ZoneInfo

EXCHANGE_ZONE = ZoneInfo("America/New_York")
