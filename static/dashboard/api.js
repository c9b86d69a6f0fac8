// The server's API with the session of the page: JSON in, JSON out, refusals as ApiError.

const csrf = document.querySelector('meta[name="csrf"]').content;

const SIGNED_OUT = 401;
const STALE_TOKEN = 403;

export class ApiError extends Error {
  // code and details as the API sends them; status 0 = the server could not be reached.
  constructor(message, { status = 0, code = "unreachable", details = {} } = {}) {
    super(message);
    Object.assign(this, { status, code, details });
  }
}

export async function call(method, url, body, { signal } = {}) {
  let answer;
  try {
    answer = await fetch(url, {
      method,
      signal,
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": csrf },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new ApiError("The server cannot be reached. Nothing is known of the request; sending it again is safe.");
  }
  // Without a session the API says 401, the dashboard's own look-ups lead to the sign-in page, and a page from before a new
  // sign-in has a token that is refused.
  if (answer.status === SIGNED_OUT || answer.status === STALE_TOKEN || (answer.redirected && new URL(answer.url).pathname === "/login/")) {
    throw new ApiError("You are not signed in any more. Nothing was sent: reload the page, sign in and try again.", { status: SIGNED_OUT, code: "signed_out" });
  }
  const data = answer.status === 204 ? null : await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const error = data.error ?? { message: data.message ?? `The server answered ${answer.status}.` };
    throw new ApiError(error.message, { status: answer.status, code: error.code, details: error.details });
  }
  return data;
}

export const get = (url, options) => call("GET", url, undefined, options);

// Every row of a list, page after page, up to a number of pages.
export async function getAll(url, { pages = 1, signal } = {}) {
  const rows = [];
  for (let next = url; next && pages > 0; pages -= 1) {
    const page = await get(next, { signal });
    rows.push(...page.results);
    next = page.next_url;
  }
  return rows;
}
