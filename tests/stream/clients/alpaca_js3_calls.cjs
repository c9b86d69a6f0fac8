// Every call of @alpacahq/alpaca-trade-api 3, pointed here by its environment alone: run by test_other_clients.py beside it.
//
// It finds what alpaca_trade_api_calls.py finds. A call of the client that is not in the list below fails the run.

const assert = require("node:assert/strict");
const Alpaca = require("@alpacahq/alpaca-trade-api");

const { SERVER, KEY_ID, SECRET, MARKET_KEY } = process.env;
process.env.APCA_API_BASE_URL = process.env.APCA_DATA_BASE_URL = process.env.APCA_API_STREAM_URL = SERVER;
const alpaca = new Alpaca({ keyId: KEY_ID, secretKey: SECRET, paper: true });
const DAY = "2013-10-07", OCC = "IBM131019C00100000", start = `${DAY}T14:01:00Z`, end = `${DAY}T14:01:59Z`;
const span = { start, end, limit: 10 };
const minutes = { start, limit: 10, timeframe: "1Min" };
const same = (found, wanted) => assert.deepEqual(JSON.parse(JSON.stringify(found ?? null)), wanted);
const near = (found, wanted) => assert.ok(Math.abs(found - wanted) < 1e-6, `${found} is not ${wanted}`);
const refused = async (status, call) => {
  const error = await call().then(() => null, (problem) => problem);
  assert.ok(error, "was not refused");
  assert.match(String(error.response?.status ?? error), new RegExp(status));
};
const all = async (items) => {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
};
const first = (map, key) => (map instanceof Map ? map.get(key) : map[key]);
let one, resting, list;

const CALLS = {
  getAccount: async () => same((await alpaca.getAccount()).cash, "100000.00"),
  getAccountConfigurations: async () => same((await alpaca.getAccountConfigurations()).no_shorting, true),
  updateAccountConfigurations: async () =>
    same((await alpaca.updateAccountConfigurations({ trade_confirm_email: "none" })).trade_confirm_email, "none"),
  getClock: async () => same((await alpaca.getClock()).is_open, true),
  getCalendar: async () => same((await alpaca.getCalendar({ start: new Date(DAY), end: new Date(DAY) })).map((day) => day.close), ["16:00"]),
  getAssets: async () => same((await alpaca.getAssets({ status: "active" })).map((asset) => asset.symbol), ["IBM", "KO"]),
  getAsset: async () => {
    same((await alpaca.getAsset("IBM")).tradable, true);
    await refused(404, () => alpaca.getAsset("nothing"));
  },
  createOrder: async () => {
    const order = { symbol: "IBM", qty: 10, side: "buy", type: "market", time_in_force: "day", client_order_id: "one" };
    one = await alpaca.createOrder(order);
    await refused(422, () => alpaca.createOrder(order));
    await refused(403, () => alpaca.createOrder({ ...order, qty: 10000, client_order_id: "much" }));
  },
  getOrder: async () => same((await alpaca.getOrder(one.id)).filled_avg_price, "104.4"),
  getOrderByClientId: async () => same((await alpaca.getOrderByClientId("one")).id, one.id),
  replaceOrder: async () => {
    const order = { symbol: "IBM", qty: 5, side: "buy", type: "limit", limit_price: 90, time_in_force: "gtc" };
    resting = await alpaca.replaceOrder((await alpaca.createOrder(order)).id, { qty: 7, limit_price: 91.5 });
    same([resting.qty, resting.limit_price], ["7", "91.5"]);
  },
  getOrders: async () => {
    const asked = { status: "open", limit: 5, direction: "asc", nested: true, symbols: "IBM", after: DAY, until: end };
    same((await alpaca.getOrders({ ...asked, until: undefined })).map((order) => order.id), [resting.id]);
  },
  cancelOrder: async () => {
    await alpaca.cancelOrder(resting.id);
    await refused(422, () => alpaca.cancelOrder(resting.id));
  },
  cancelAllOrders: async () => same(await alpaca.cancelAllOrders(), []),
  getPosition: async () => same((await alpaca.getPosition("IBM")).qty, "10"),
  getPositions: async () => same((await alpaca.getPositions()).length, 1),
  closePosition: async () => {
    same((await alpaca.closePosition("IBM")).qty, "10");
    await refused(404, () => alpaca.closePosition("IBM"));
  },
  closeAllPositions: async () => same(await alpaca.closeAllPositions(), []),
  getAccountActivities: async () =>
    same((await alpaca.getAccountActivities({ activityTypes: "FILL", direction: "asc" })).map((fill) => fill.side), ["buy", "sell"]),
  getPortfolioHistory: async () =>
    same((await alpaca.getPortfolioHistory({ period: "1D", timeframe: "1Min" })).base_value, 100000),
  addWatchlist: async () => same((list = await alpaca.addWatchlist("mine", ["IBM"])).name, "mine"),
  addToWatchlist: async () => same((await alpaca.addToWatchlist(list.id, "KO")).assets.length, 2),
  deleteFromWatchlist: async () => same((await alpaca.deleteFromWatchlist(list.id, "IBM")).assets.length, 1),
  updateWatchlist: async () => same((await alpaca.updateWatchlist(list.id, { name: "others", symbols: ["IBM"] })).name, "others"),
  getWatchlist: async () => same((await alpaca.getWatchlist(list.id)).name, "others"),
  getWatchlists: async () => same((await alpaca.getWatchlists()).length, 1),
  deleteWatchlist: async () => {
    await alpaca.deleteWatchlist(list.id);
    same(await alpaca.getWatchlists(), []);
  },
  getTradesV2: async () => same((await all(alpaca.getTradesV2("IBM", span))).map((trade) => [trade.Price, trade.Size])[0], [101.05, 0]),
  getMultiTradesV2: async () => same(first(await alpaca.getMultiTradesV2(["IBM"], span), "IBM").length, 4),
  getMultiTradesAsyncV2: async () => same((await all(alpaca.getMultiTradesAsyncV2(["IBM"], span))).length, 4),
  getQuotesV2: async () =>
    same((await all(alpaca.getQuotesV2("IBM", span))).map((quote) => quote.BidPrice), [101, 101.15, 101.3, 101.45]),
  getMultiQuotesV2: async () => same(first(await alpaca.getMultiQuotesV2(["IBM"], span), "IBM").length, 4),
  getMultiQuotesAsyncV2: async () => same((await all(alpaca.getMultiQuotesAsyncV2(["IBM"], span))).length, 4),
  getBarsV2: async () => {
    const [bar, ...rest] = await all(alpaca.getBarsV2("IBM", minutes));
    same([bar.OpenPrice, bar.ClosePrice, bar.Volume, bar.TradeCount, rest.length], [101.05, 101.5, 0, 4, 3]);
  },
  getMultiBarsV2: async () => same(first(await alpaca.getMultiBarsV2(["IBM"], minutes), "IBM").length, 4),
  getMultiBarsAsyncV2: async () => same((await all(alpaca.getMultiBarsAsyncV2(["IBM"], minutes))).length, 4),
  getLatestTrade: async () => near((await alpaca.getLatestTrade("IBM")).Price, 104.35),
  getLatestTrades: async () => near(first(await alpaca.getLatestTrades(["IBM"]), "IBM").Price, 104.35),
  getLatestQuote: async () => same((await alpaca.getLatestQuote("IBM")).AskPrice, 104.4),
  getLatestQuotes: async () => same(first(await alpaca.getLatestQuotes(["IBM", "KO"]), "KO").AskPrice, 0),
  getLatestBar: async () => near((await alpaca.getLatestBar("IBM")).ClosePrice, 103.5),
  getLatestBars: async () => near(first(await alpaca.getLatestBars(["IBM"]), "IBM").ClosePrice, 103.5),
  getSnapshot: async () => near((await alpaca.getSnapshot("IBM")).DailyBar.OpenPrice, 100.05),
  getSnapshots: async () => near((await alpaca.getSnapshots(["IBM"]))[0].LatestTrade.Price, 104.35),
  getOptionBars: async () => near(first(await alpaca.getOptionBars([OCC], minutes), OCC)[0].Close, 4.1),
  getOptionTrades: async () => near(first(await alpaca.getOptionTrades([OCC], span), OCC)[0].Price, 4.1),
  getOptionLatestTrades: async () => near(first(await alpaca.getOptionLatestTrades([OCC]), OCC).Price, 4.1),
  getOptionLatestQuotes: async () => same(first(await alpaca.getOptionLatestQuotes([OCC]), OCC).BidPrice, 4),
  getOptionSnapshots: async () => same((await alpaca.getOptionSnapshots([OCC]))[0].LatestQuote.AskPrice, 4.2),
  getOptionChain: async () => same((await alpaca.getOptionChain("IBM", {})).map((row) => row.Symbol), [OCC]),
  getCorporateActions: async () => assert.ok(await alpaca.getCorporateActions(["IBM"], { start: DAY })),
  getNews: async () => same(await alpaca.getNews({ symbols: ["IBM"] }), []),
};
for (const name of ["Trades", "Quotes", "Bars"])
  CALLS[`getCrypto${name}`] = () => refused(404, () => alpaca[`getCrypto${name}`](["BTC/USD"], { ...minutes }));
for (const name of ["getLatestCryptoTrades", "getLatestCryptoQuotes", "getLatestCryptoBars", "getCryptoSnapshots", "getCryptoOrderbooks"])
  CALLS[name] = () => refused(404, () => alpaca[name](["BTC/USD"]));
const NO_CALLS = new Set(["httpRequest", "dataHttpRequest", "sendRequest", "newTimeframe", "constructor"]);

async function streams() {
  const seen = { update: [], quote: [], trade: [], bar: [] };
  const until = async (name, count) => {
    for (let turn = 0; seen[name].length < count; turn++) {
      assert.ok(turn < 400, `${name}: ${JSON.stringify(seen)}`);
      await new Promise((done) => setTimeout(done, 50));
    }
  };
  const data = alpaca.data_stream_v2, updates = alpaca.trade_ws;
  data.session.url = `${SERVER.replace("http", "ws")}/v2/iex`; // it makes wss of whatever it is told, and this server has no TLS
  data.onConnect(() => {
    data.subscribeForQuotes(["IBM"]);
    data.subscribeForTrades(["IBM"]);
    data.subscribeForBars(["IBM"]);
  });
  data.onStockQuote((quote) => seen.quote.push(quote));
  data.onStockTrade((trade) => seen.trade.push(trade));
  data.onStockBar((bar) => seen.bar.push(bar));
  updates.onConnect(() => updates.subscribe(["trade_updates"]));
  updates.onOrderUpdate((update) => seen.update.push(update));
  data.connect();
  updates.connect();
  await until("quote", 1);
  await new Promise((done) => setTimeout(done, 1000)); // no listener is told that the server has begun to listen
  await alpaca.createOrder({ symbol: "IBM", qty: 3, side: "buy", type: "market", time_in_force: "day" });
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
  near(seen.quote.at(-1).BidPrice, 105.3);
  near(seen.trade.at(-1).Price, 105.35);
  await aMinutePasses(); // the one before was not seen from its beginning, and has no bar
  await until("bar", 1);
}

async function main() {
  for (const [name, check] of Object.entries(CALLS)) {
    try {
      await check();
    } catch (problem) {
      console.error(name, problem);
      process.exitCode = 1;
    }
  }
  const names = [...Object.keys(alpaca), ...Object.getOwnPropertyNames(Object.getPrototypeOf(alpaca))];
  same(names.filter((name) => typeof alpaca[name] === "function" && !(name in CALLS) && !NO_CALLS.has(name)), []);
  await streams();
  console.log(`${Object.keys(CALLS).length} calls, and the streams`);
  process.exit();
}

main();
