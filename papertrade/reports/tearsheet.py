"""A run on one page: an HTML file that asks nobody for anything, with its figures and charts in it."""

import json
import re
from pathlib import Path

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts.models import PaperAccount
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.reports.account_charts import account_charts
from papertrade.reports.execution import execution_of
from papertrade.reports.performance import performance_of
from portfolio.models import Book

PLOTLY = "plotly/plotly-basic-4.1.1.min.js"
ENDS_A_SCRIPT = re.compile(r"<(/script|!--)", re.IGNORECASE)


def tearsheet_of(account: PaperAccount, book: Book, *, benchmark: str = "") -> str:
    """The file's text; its times are exchange times. `benchmark` is a symbol whose curve stands beside the equity's."""
    charts = account_charts(book, benchmark=benchmark, zone=EXCHANGE_ZONE)
    with timezone.override(EXCHANGE_ZONE):
        return render_to_string(
            "reports/tearsheet.html",
            {
                "account": account,
                "book": book,
                "found": performance_of(book),
                "execution": execution_of(book),
                "notes": charts.notes,
                "figures": _script(json.dumps(charts.figures, separators=(",", ":"))),
                "plotly": _script(_static(PLOTLY)),
                "draw": _script(_static("dashboard/draw.js").replace("export function", "function")),
            },
        )


def _static(name: str) -> str:
    return (Path(settings.BASE_DIR) / "static" / name).read_text(encoding="utf-8")


def _script(text: str) -> SafeString:
    """Text that stands within a script element: nothing in it may end that element, or begin a comment."""
    return mark_safe(ENDS_A_SCRIPT.sub(r"<\\\1", text))  # noqa: S308 - our own files, and JSON with < in strings only
