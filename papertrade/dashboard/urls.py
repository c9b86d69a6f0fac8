"""Addresses of the dashboard."""

from django.templatetags.static import static
from django.urls import path, register_converter
from django.views.generic import RedirectView

from papertrade.dashboard.listings import TABLES
from papertrade.dashboard.views import account, accounts, keys, lookup, manage, orders, reports, session, symbols

app_name = "dashboard"


class TableName:
    """The name of one of an account's tables."""

    regex = "|".join(TABLES)

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(TableName, "table")

ACCOUNT = "accounts/<str:account_id>/"

urlpatterns = [
    path("", accounts.index, name="accounts"),
    path("accounts/new/", accounts.new, name="new_account"),
    path(ACCOUNT, account.overview, name="account"),
    path(f"{ACCOUNT}charts/", account.charts, name="charts"),
    path(f"{ACCOUNT}performance/", reports.performance, name="performance"),
    path(f"{ACCOUNT}performance/tearsheet.html", reports.tearsheet, name="tearsheet"),
    path(f"{ACCOUNT}performance/returns.csv", reports.returns_csv, name="returns"),
    path(f"{ACCOUNT}trades/", reports.trades, name="trades"),
    path(f"{ACCOUNT}trades.csv", reports.trades_csv, name="trades_csv"),
    path("compare/", reports.comparison, name="compare"),
    path("compare/charts/", reports.comparison_chart, name="compare_chart"),
    path(f"{ACCOUNT}manage/", manage.manage, name="manage"),
    path(f"{ACCOUNT}generations/", account.all_generations, name="generations"),
    path(f"{ACCOUNT}<table:name>/", account.table, name="table"),
    path(f"{ACCOUNT}<table:name>.csv", account.export, name="export"),
    path(f"{ACCOUNT}orders/<str:order_id>/", orders.order, name="order"),
    path("symbols/<str:name>/", symbols.symbol, name="symbol"),
    path("symbols/<str:name>/chart/", symbols.chart, name="symbol_chart"),
    path("keys/", keys.keys, name="keys"),
    path("keys/<str:key_id>/revoke/", keys.revoke, name="revoke_key"),
    path("lookup/symbols/", lookup.symbols, name="symbols"),
    path("lookup/chain/<str:underlying>/", lookup.chain, name="chain"),
    path("favicon.ico", RedirectView.as_view(url=static("dashboard/icon.svg"))),
    path("login/", session.SignIn.as_view(), name="sign_in"),
    path("logout/", session.SignOut.as_view(), name="sign_out"),
    path("password/", session.ChangePassword.as_view(), name="password"),
]
