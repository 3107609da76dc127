// Starts GraphiQL with the page's JSON block: {tabs: [{query, variables}], token: string or null, introspection: boolean}.
//
// One token is sent with the operations of all tabs. It is only in memory and never stored; a reload starts with the
// token that the server put into the page, if any. An Authorization header in a tab replaces it for that tab.
//
// Tabs, variables, history and layout are stored in localStorage, and restored after a reload. Headers are not stored,
// because they can contain a token.

const start = JSON.parse(document.getElementById("start").textContent);
const field = document.getElementById("token");
const status = document.getElementById("status");

const NO_TOKEN = "Operations need a token. `inbox token` prints one.";
const EXPIRED = "The token has expired. `inbox token` prints a new one.";
const REJECTED = "The server rejects this token. `inbox token` prints a new one.";
const NO_SCHEMA = "Introspection is off (INBOX_INTROSPECTION), so there is no documentation and no completion.";

// GraphiQL's own keys are the same in all projects on one host and port; these are used by this project only.
const PREFIX = "inbox:";
const WITH_HEADERS = new Set(["graphiql:tabState", "graphiql:queries", "graphiql:favorites"]);

const withoutHeaders = (text) => JSON.stringify(JSON.parse(text, (key, value) => (key === "headers" ? null : value)));

const storage = {
  getItem(key) {
    if (key === "graphiql:headers") {
      return null;
    }
    const text = localStorage.getItem(PREFIX + key);
    if (text === null || !WITH_HEADERS.has(key)) {
      return text;
    }
    try {
      return withoutHeaders(text);
    } catch {
      return null; // Not JSON, so not written by GraphiQL.
    }
  },
  setItem(key, text) {
    if (key !== "graphiql:headers") {
      localStorage.setItem(PREFIX + key, WITH_HEADERS.has(key) ? withoutHeaders(text) : text);
    }
  },
  removeItem(key) {
    localStorage.removeItem(PREFIX + key);
  },
  clear() {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(PREFIX)) {
        localStorage.removeItem(key);
      }
    }
  },
  get length() {
    return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).length;
  },
};

// When the token expires, in milliseconds. Only the server can verify a token, and it gives no reason for a rejection.
const expiry = (token) => {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(claims)).exp * 1000;
  } catch {
    return NaN;
  }
};

const problemOf = (token) => {
  if (token === "") {
    return NO_TOKEN;
  }
  return expiry(token) <= Date.now() ? EXPIRED : "";
};

const show = (problem) => {
  status.textContent = problem || (start.introspection ? "" : NO_SCHEMA);
};

// Sends a request with the token, and displays a message if the server rejects it.
const fetchWith = (token) => async (url, init) => {
  const headers = new Headers(init.headers);
  const ours = !headers.has("authorization");
  if (ours && token !== "") {
    headers.set("authorization", `Bearer ${token}`);
  }
  const response = await fetch(url, { ...init, headers });
  if (ours) {
    show(response.status === 401 ? problemOf(token) || REJECTED : "");
  }
  return response;
};

const fetcherWith = (token) =>
  GraphiQL.createFetcher({
    url: location.pathname,
    headers: { accept: "application/graphql-response+json, application/json" },
    enableIncrementalDelivery: false,
    fetch: fetchWith(token),
  });

// Examples with ids get those of a conversation that waits for an answer, and of a booking.
const IDS = `query Ids {
  waiting: conversations(first: 1, filter: {needsReply: true}) { nodes { id databaseId } }
  any: conversations(first: 1) { nodes { id databaseId } }
  bookings(first: 1) { nodes { id } }
}`;

const withIds = async (tabs, token) => {
  try {
    const response = await fetchWith(token)(location.pathname, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: IDS }),
    });
    const { waiting, any, bookings } = (await response.json()).data;
    const conversation = waiting.nodes[0] ?? any.nodes[0];
    const ids = new Map([
      ["a conversation's id", conversation.id],
      ["a key", `reply-${conversation.databaseId}`],
      ["a booking's id", bookings.nodes[0].id],
    ]);
    const fill = (key, value) => ids.get(value) ?? value;
    const filled = (text) => text && JSON.stringify(JSON.parse(text, fill), null, 2);
    return tabs.map((tab) => ({ ...tab, variables: filled(tab.variables) }));
  } catch {
    return tabs; // An empty account, or a token without these scopes: the examples keep their placeholders.
  }
};

// The explorer and the editor share the query, so it is needed at the start: on a later visit the last text of the
// editor (an empty editor is not stored), on the first visit the first example.
const firstQuery = () =>
  storage.getItem("graphiql:tabState") === null ? start.tabs[0].query : storage.getItem("graphiql:query") ?? "";

const { createElement, useEffect, useMemo, useState } = React;

function Page({ tabs }) {
  const [query, setQuery] = useState(firstQuery);
  const [token, setToken] = useState(field.value);
  const fetcher = useMemo(() => fetcherWith(token), [token]);
  const explorer = GraphiQLPluginExplorer.useExplorerPlugin({ query, onEdit: setQuery });
  useEffect(() => {
    const read = () => {
      show(problemOf(field.value.trim()));
      setToken(field.value.trim());
    };
    field.addEventListener("change", read);
    return () => field.removeEventListener("change", read);
  }, []);
  return createElement(
    GraphiQL,
    {
      fetcher,
      query,
      onEditQuery: setQuery,
      plugins: [explorer],
      // Without a token, introspection would only fail.
      schema: token === "" || !start.introspection ? null : undefined,
      storage,
      shouldPersistHeaders: false,
      defaultTabs: tabs,
      defaultEditorToolsVisibility: "variables",
    },
    createElement(GraphiQL.Logo, null, "Inbox GraphQL"),
  );
}

async function open() {
  field.value = start.token ?? "";
  document.getElementById("access").addEventListener("submit", (event) => {
    event.preventDefault();
    field.blur(); // This fires `change` if the value has changed.
  });
  show(problemOf(field.value));
  const first = storage.getItem("graphiql:tabState") === null && field.value !== "";
  const tabs = first ? await withIds(start.tabs, field.value) : start.tabs;
  ReactDOM.render(createElement(Page, { tabs }), document.getElementById("graphiql"));
}

open();
