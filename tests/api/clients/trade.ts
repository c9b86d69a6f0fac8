import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [base, key] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: base, headers: { Authorization: `Bearer ${key}` } });

function of<T>(answer: { data?: T; error?: components["schemas"]["Error"] }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const opened = of(await client.POST("/v1/paper/accounts/", { body: { name: "typescript", initial_cash: "100000" } }));
const path = { account_id: opened.account.id };
const body: components["schemas"]["OrderRequest"] = {
  symbol: "IBM", qty: "2", side: "buy", type: "market", time_in_force: "day", client_order_id: "ts-1",
};
const order = of(await client.POST("/v1/paper/accounts/{account_id}/orders/", { params: { path }, body }));
const status: components["schemas"]["OrderStatus"] = order.status;
const positions = of(await client.GET("/v1/paper/accounts/{account_id}/positions/", { params: { path } }));
const refused = await client.GET("/v1/paper/accounts/{account_id}/orders/", { params: { path, query: { status: "open", limit: 5 } } });
console.log(JSON.stringify({ status, held: positions.results.map((row) => [row.symbol, row.qty]), open: of(refused).results.length }));
