// Every call of @alpacahq/alpaca-trade-api 4 that has something to ask here: run by test_other_clients.py beside the package.
//
// It finds what alpaca_trade_api_calls.py finds. A call of the client that is in neither list below fails the run.

import assert from "node:assert/strict";
import { Alpaca } from "@alpacahq/alpaca-trade-api";

const { SERVER, KEY_ID, SECRET, MARKET_KEY } = process.env;
const WS = SERVER.replace("http", "ws");
// The one line that points the client here: each request goes to this server instead of the host that is written into it.
const fetchApi = (url, init) => fetch(String(url).replace(/^https:\/\/[^/]+/, SERVER), init);
const alpaca = new Alpaca({ keyId: KEY_ID, secret: SECRET, fetchApi, retry: false, rateLimit: false });
const { trading, marketData } = alpaca;
const DAY = "2013-10-07", OCC = "IBM131019C00100000";
const at = (time) => new Date(`${DAY}T${time}Z`);
const start = at("14:01:00"), end = at("14:01:59");
const same = (found, wanted) => assert.deepEqual(JSON.parse(JSON.stringify(found ?? null)), wanted);
const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-6, `${found} is not ${wanted}`);
const refused = async (status, call) => {
  const error = await call().then(() => null, (problem) => problem);
  assert.ok(error, "was not refused");
  assert.equal(error.status ?? error.response?.status, status, String(error));
};
let one, resting, list;

const CALLS = {
  "trading.account.getAccount": async (api) => same((await api.getAccount()).cash, "100000.00"),
  "trading.clock.legacyClock": async (api) => same((await api.legacyClock()).isOpen, true),
  "trading.calendar.legacyCalendar": async (api) => {
    const days = await api.legacyCalendar({ start: new Date(DAY), end: new Date("2013-10-08") });
    same(days.map((day) => day.close), ["16:00", "16:00"]);
  },
  "trading.assets.getV2Assets": async (api) => same((await api.getV2Assets()).map((asset) => asset.symbol), ["IBM", "KO"]),
  "trading.assets.getV2AssetsSymbolOrAssetId": async (api) => {
    same((await api.getV2AssetsSymbolOrAssetId({ symbolOrAssetId: "IBM" })).tradable, true);
    await refused(404, () => api.getV2AssetsSymbolOrAssetId({ symbolOrAssetId: "nothing here" }));
  },
  "trading.assets.getOptionsContracts": async (api) => {
    const found = await api.getOptionsContracts({ underlyingSymbols: "IBM", expirationDateLte: new Date("2013-12-31") });
    same(found.optionContracts.map((contract) => contract.symbol), [OCC]);
  },
  "trading.assets.getOptionContractSymbolOrId": async (api) =>
    same((await api.getOptionContractSymbolOrId({ symbolOrId: OCC })).strikePrice, "100"),
  "trading.orders.postOrder": async (api) => {
    const order = { symbol: "IBM", qty: "10", side: "buy", type: "market", timeInForce: "day", clientOrderId: "one" };
    one = await api.postOrder({ postOrderRequest: order });
    await refused(422, () => api.postOrder({ postOrderRequest: order }));
    await refused(403, () => api.postOrder({ postOrderRequest: { ...order, qty: "10000", clientOrderId: "much" } }));
  },
  "trading.orders.getOrderByOrderID": async (api) => {
    const found = await api.getOrderByOrderID({ orderId: one.id });
    same([found.status, found.filledQty, found.filledAvgPrice], ["filled", "10", "104.4"]);
  },
  "trading.orders.getOrderByClientOrderId": async (api) =>
    same((await api.getOrderByClientOrderId({ clientOrderId: "one" })).id, one.id),
  "trading.orders.market": async (api) => same((await api.market({ symbol: "IBM", qty: 1, side: "buy" })).type, "market"),
  "trading.orders.limit": async (api) => {
    resting = await api.limit({ symbol: "IBM", qty: 5, side: "buy", limitPrice: 90, timeInForce: "gtc" });
    same([resting.qty, resting.limitPrice], ["5", "90"]);
  },
  "trading.orders.patchOrderByOrderId": async (api) => {
    const newer = await api.patchOrderByOrderId({ orderId: resting.id, patchOrderRequest: { qty: "7", limitPrice: "91.5" } });
    same([newer.qty, newer.limitPrice, newer.replaces], ["7", "91.5", resting.id]);
    resting = newer;
  },
  "trading.orders.getAllOrders": async (api) =>
    same((await api.getAllOrders({ status: "open", nested: true, symbols: "IBM" })).map((order) => order.id), [resting.id]),
  "trading.orders.deleteOrderByOrderID": async (api) => {
    await api.deleteOrderByOrderID({ orderId: resting.id });
    await refused(422, () => api.deleteOrderByOrderID({ orderId: resting.id }));
  },
  "trading.orders.submit": async (api) =>
    same((await api.submit({ symbol: "IBM", qty: 2, side: "buy", type: "limit", limitPrice: 80, timeInForce: "day" })).qty, "2"),
  "trading.orders.deleteAllOrders": async (api) => same((await api.deleteAllOrders()).map((row) => row.status), [200]),
  ...Object.fromEntries([
    ["stop", { stopPrice: 90 }], ["stopLimit", { stopPrice: 90, limitPrice: 89 }], ["trailingStop", { trailPrice: 1 }],
    ["bracket", { takeProfit: { limitPrice: 120 }, stopLoss: { stopPrice: 90 } }],
    ["oco", { takeProfit: { limitPrice: 120 }, stopLoss: { stopPrice: 90 } }],
    ["oto", { takeProfit: { limitPrice: 120 } }],
  ].map(([name, more]) => [`trading.orders.${name}`, async (api) =>
    refused(422, () => api[name]({ symbol: "IBM", qty: 1, side: name === "oco" ? "sell" : "buy", ...more }))])),
  "trading.positions.getAllOpenPositions": async (api) =>
    same((await api.getAllOpenPositions()).map((position) => [position.symbol, position.qty]), [["IBM", "11"]]),
  "trading.positions.getOpenPosition": async (api) => {
    same((await api.getOpenPosition({ symbolOrAssetId: "IBM" })).avgEntryPrice, "104.4");
    await refused(404, () => api.getOpenPosition({ symbolOrAssetId: "KO" }));
  },
  "trading.positions.deleteOpenPosition": async (api) =>
    same((await api.deleteOpenPosition({ symbolOrAssetId: "IBM", percentage: 50 })).qty, "5"),
  "trading.positions.deleteAllOpenPositions": async (api) =>
    same((await api.deleteAllOpenPositions()).map((row) => [row.symbol, row.status]), [["IBM", 200]]),
  "trading.positions.optionExercise": async (api) => refused(404, () => api.optionExercise({ symbolOrContractId: OCC })),
  "trading.positions.optionDoNotExercise": async (api) =>
    refused(404, () => api.optionDoNotExercise({ symbolOrContractId: OCC })),
  "trading.accountActivities.getAccountActivities": async (api) =>
    same((await api.getAccountActivities({ activityTypes: ["FILL"], direction: "asc" })).map((fill) => fill.side),
      ["buy", "buy", "sell", "sell"]),
  "trading.accountActivities.getAccountActivitiesByActivityType": async (api) =>
    same((await api.getAccountActivitiesByActivityType({ activityType: "FILL", pageSize: 1 })).map((fill) => fill.qty), ["6"]),
  "trading.portfolioHistory.getAccountPortfolioHistory": async (api) =>
    same((await api.getAccountPortfolioHistory({ period: "1D", timeframe: "1Min" })).baseValue, 100000),
  "trading.accountConfigurations.getAccountConfig": async (api) => same((await api.getAccountConfig()).noShorting, true),
  "trading.accountConfigurations.patchAccountConfig": async (api) =>
    same((await api.patchAccountConfig({ accountConfigurations: { tradeConfirmEmail: "none" } })).tradeConfirmEmail, "none"),
  "trading.watchlists.postWatchlist": async (api) => {
    list = await api.postWatchlist({ createWatchlistRequest: { name: "mine", symbols: ["IBM"] } });
    same(list.name, "mine");
  },
  "trading.watchlists.addAssetToWatchlist": async (api) => {
    const request = { watchlistId: list.id, addAssetToWatchlistRequest: { symbol: "KO" } };
    same((await api.addAssetToWatchlist(request)).assets.map((asset) => asset.symbol), ["IBM", "KO"]);
  },
  "trading.watchlists.removeAssetFromWatchlist": async (api) =>
    same((await api.removeAssetFromWatchlist({ watchlistId: list.id, symbol: "IBM" })).assets.length, 1),
  "trading.watchlists.getWatchlistById": async (api) =>
    same((await api.getWatchlistById({ watchlistId: list.id })).assets.map((asset) => asset.symbol), ["KO"]),
  "trading.watchlists.getWatchlistByName": async (api) => same((await api.getWatchlistByName({ name: "mine" })).id, list.id),
  "trading.watchlists.addAssetToWatchlistByName": async (api) => {
    const found = await api.addAssetToWatchlistByName({ name: "mine", addAssetToWatchlistRequest: { symbol: "IBM" } });
    same(found.assets.length, 2);
  },
  "trading.watchlists.updateWatchlistByName": async (api) => {
    const wanted = { name: "mine", symbols: ["KO"] };
    same((await api.updateWatchlistByName({ name: "mine", updateWatchlistRequest: wanted })).assets.length, 1);
  },
  "trading.watchlists.updateWatchlistById": async (api) => {
    const wanted = { name: "others", symbols: ["IBM"] };
    same((await api.updateWatchlistById({ watchlistId: list.id, updateWatchlistRequest: wanted })).name, "others");
  },
  "trading.watchlists.getWatchlists": async (api) => same((await api.getWatchlists()).map((row) => row.name), ["others"]),
  "trading.watchlists.deleteWatchlistByName": async (api) => {
    await api.deleteWatchlistByName({ name: "others" });
    same(await api.getWatchlists(), []);
  },
  "trading.watchlists.deleteWatchlistById": async (api) => refused(404, () => api.deleteWatchlistById({ watchlistId: list.id })),
  "trading.corporateActions.getV2CorporateActionsAnnouncements": async (api) => {
    const span = { since: new Date("2013-09-01"), until: new Date(DAY), caTypes: "dividend" };
    same(await api.getV2CorporateActionsAnnouncements(span), []);
  },
  "trading.corporateActions.getV2CorporateActionsAnnouncementsId": async (api) =>
    refused(404, () => api.getV2CorporateActionsAnnouncementsId({ id: list.id })),
  "trading.clock.clock": async (api) => refused(404, () => api.clock()),
  "trading.calendar.calendar": async (api) => refused(404, () => api.calendar({ market: "NYSE" })),
  "trading.events.subscribeToActivitiesSSE": async (api) => refused(404, () => api.subscribeToActivitiesSSE({})),
  "marketData.stocks.stockBars": async (api) => {
    const { bars } = await api.stockBars({ symbols: "IBM,KO", timeframe: "1Min", start, adjustment: "raw" });
    same(bars.IBM.map((bar) => [bar.o, bar.c, bar.v, bar.n])[0], [101.05, 101.5, 0, 4]);
    same(Object.keys(bars), ["IBM"]);
  },
  "marketData.stocks.stockBarSingle": async (api) => {
    const page = await api.stockBarSingle({ symbol: "IBM", timeframe: "1Min", start, limit: 3 });
    const rest = await api.stockBarSingle({ symbol: "IBM", timeframe: "1Min", start, limit: 3, pageToken: page.nextPageToken });
    same([page.bars.length, rest.bars.length, rest.nextPageToken], [3, 1, null]);
  },
  "marketData.stocks.stockQuotes": async (api) =>
    same((await api.stockQuotes({ symbols: "IBM", start, end })).quotes.IBM.map((quote) => quote.bp), [101, 101.15, 101.3, 101.45]),
  "marketData.stocks.stockQuoteSingle": async (api) =>
    same((await api.stockQuoteSingle({ symbol: "IBM", start, sort: "desc", limit: 1 })).quotes[0].bp, 104.3),
  "marketData.stocks.stockTrades": async (api) =>
    same((await api.stockTrades({ symbols: "IBM", start, limit: 1 })).trades.IBM.map((trade) => [trade.p, trade.s]), [[101.05, 0]]),
  "marketData.stocks.stockTradeSingle": async (api) =>
    same((await api.stockTradeSingle({ symbol: "IBM", start, end })).trades.length, 4),
  "marketData.stocks.stockLatestBars": async (api) => near((await api.stockLatestBars({ symbols: "IBM" })).bars.IBM.c, 103.5),
  "marketData.stocks.stockLatestBarSingle": async (api) => near((await api.stockLatestBarSingle({ symbol: "IBM" })).bar.c, 103.5),
  "marketData.stocks.stockLatestQuotes": async (api) =>
    same((await api.stockLatestQuotes({ symbols: "IBM,KO" })).quotes.KO.ap, 0),
  "marketData.stocks.stockLatestQuoteSingle": async (api) =>
    same((await api.stockLatestQuoteSingle({ symbol: "IBM" })).quote.ap, 104.4),
  "marketData.stocks.stockLatestTrades": async (api) =>
    near((await api.stockLatestTrades({ symbols: "IBM" })).trades.IBM.p, 104.35),
  "marketData.stocks.stockLatestTradeSingle": async (api) =>
    near((await api.stockLatestTradeSingle({ symbol: "IBM" })).trade.p, 104.35),
  "marketData.stocks.stockSnapshots": async (api) =>
    near((await api.stockSnapshots({ symbols: "IBM" })).IBM.dailyBar.o, 100.05),
  "marketData.stocks.stockSnapshotSingle": async (api) =>
    near((await api.stockSnapshotSingle({ symbol: "IBM" })).latestTrade.p, 104.35),
  "marketData.stocks.stockMetaConditions": async (api) =>
    assert.match(JSON.stringify(await api.stockMetaConditions({ ticktype: "trade", tape: "A" })), /nothing was traded/),
  "marketData.stocks.stockMetaExchanges": async (api) => same(await api.stockMetaExchanges(), {}),
  "marketData.stocks.stockAuctions": async (api) => refused(404, () => api.stockAuctions({ symbols: "IBM" })),
  "marketData.stocks.stockAuctionSingle": async (api) => refused(404, () => api.stockAuctionSingle({ symbol: "IBM" })),
  "marketData.options.optionBars": async (api) =>
    near((await api.optionBars({ symbols: OCC, timeframe: "1Min", start })).bars[OCC][0].c, 4.1),
  "marketData.options.optionTrades": async (api) =>
    near((await api.optionTrades({ symbols: OCC, start, limit: 1 })).trades[OCC][0].p, 4.1),
  "marketData.options.optionLatestQuotes": async (api) =>
    same((await api.optionLatestQuotes({ symbols: OCC })).quotes[OCC].bp, 4),
  "marketData.options.optionLatestTrades": async (api) =>
    near((await api.optionLatestTrades({ symbols: OCC })).trades[OCC].p, 4.1),
  "marketData.options.optionSnapshots": async (api) =>
    same((await api.optionSnapshots({ symbols: OCC })).snapshots[OCC].latestQuote.ap, 4.2),
  "marketData.options.optionChain": async (api) =>
    same(Object.keys((await api.optionChain({ underlyingSymbol: "IBM", type: "call" })).snapshots), [OCC]),
  "marketData.options.optionMetaConditions": async (api) =>
    assert.match(JSON.stringify(await api.optionMetaConditions({ ticktype: "trade" })), /nothing was traded/),
  "marketData.options.optionMetaExchanges": async (api) => same(await api.optionMetaExchanges(), {}),
  "marketData.news.news": async (api) => same((await api.news({ symbols: "IBM" })).news, []),
  "marketData.screener.mostActives": async (api) => same((await api.mostActives({ top: 3 })).mostActives, []),
  "marketData.screener.movers": async (api) => same((await api.movers({ marketType: "stocks", top: 3 })).gainers, []),
  "marketData.corporateActions.corporateActions": async (api) =>
    assert.deepEqual((await api.corporateActions({ symbols: "IBM" })).nextPageToken ?? null, null),
};
// Whole parts of the client for markets and services that are not here: each of their calls gets Alpaca's 404.
const NOT_HERE = new Set(["trading.cryptoFunding", "trading.locates", "trading.tokenization", "marketData.crypto",
  "marketData.cryptoPerpetualFutures", "marketData.fixedIncome", "marketData.forex", "marketData.indices", "marketData.logos"]);

function members(thing) {
  const names = new Set();
  for (let at = thing; at && at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  return [...names];
}

function callsOf() {
  const found = [];
  for (const part of ["trading", "marketData"])
    for (const name of members(alpaca[part])) {
      const api = alpaca[part][name];
      if (name.startsWith("_") || !api || typeof api !== "object" || NOT_HERE.has(`${part}.${name}`) || name === "config" || name === "credentials") continue;
      for (const call of members(api))
        if (typeof api[call] === "function" && typeof api[`${call}Raw`] === "function") found.push(`${part}.${name}.${call}`);
    }
  return found;
}

async function streams() {
  const seen = { update: [], quote: [], trade: [], bar: [] };
  const updates = trading.stream({ url: `${WS}/stream` });
  updates.onTradeUpdate((update) => seen.update.push(update));
  updates.onConnect(() => updates.subscribeTradeUpdates());
  const data = marketData.stockStream({ url: `${WS}/v2/iex` });
  data.onQuote((quote) => seen.quote.push(quote));
  data.onTrade((trade) => seen.trade.push(trade));
  data.onBar((bar) => seen.bar.push(bar));
  data.onConnect(() => {
    data.subscribeForQuotes(["IBM"]);
    data.subscribeForTrades(["IBM"]);
    data.subscribeForBars(["IBM"]);
  });
  const until = async (name, count) => {
    for (let turn = 0; seen[name].length < count; turn++) {
      assert.ok(turn < 400, `${name}: ${JSON.stringify(seen)}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  updates.connect();
  data.connect();
  assert.equal((await updates.whenAuthenticated()).authenticated, true);
  await until("quote", 1);
  await new Promise((done) => setTimeout(done, 1000)); // no listener is told that the server has begun to listen
  await trading.orders.market({ symbol: "IBM", qty: 3, side: "buy" });
  await until("update", 2);
  same(seen.update.slice(0, 2).map((update) => update.event), ["new", "fill"]);
  const aMinutePasses = async () => {
    const moved = await fetch(`${SERVER}/v1/market/clock/advance/`, {
      method: "POST", body: JSON.stringify({ seconds: 60 }),
      headers: { Authorization: `Bearer ${MARKET_KEY}`, "Content-Type": "application/json" },
    });
    assert.equal(moved.status, 200);
  };
  await aMinutePasses();
  await until("quote", 2);
  await until("trade", 2);
  near(seen.quote.at(-1).bidPrice, 105.3);
  near(seen.trade.at(-1).price, 105.35);
  await aMinutePasses(); // the one before was not seen from its beginning, and has no bar
  await until("bar", 1);
}

for (const [name, check] of Object.entries(CALLS)) {
  const [part, api] = name.split(".");
  try {
    await check(alpaca[part][api]);
  } catch (problem) {
    console.error(name, problem);
    process.exitCode = 1;
  }
}
const unknown = callsOf().filter((name) => !(name in CALLS));
same(unknown, []);
for (const name of NOT_HERE) assert.ok(name.split(".").reduce((at, key) => at[key], alpaca), name);
await refused(404, () => marketData.crypto.cryptoLatestQuotes({ loc: "us", symbols: "BTC/USD" }));
await streams();
console.log(`${Object.keys(CALLS).length} calls, and the streams`);
process.exit();
