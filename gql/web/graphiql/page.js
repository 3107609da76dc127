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

// Subscriptions have a WebSocket to the same address. An Authorization header of a tab replaces the token there as well.
const fetcherWith = (token) =>
  GraphiQL.createFetcher({
    url: location.pathname,
    subscriptionUrl: location.origin.replace("http", "ws") + location.pathname,
    wsConnectionParams: token === "" ? {} : { authorization: `Bearer ${token}` },
    headers: { accept: "application/graphql-response+json, application/json" },
    enableIncrementalDelivery: false,
    fetch: fetchWith(token),
  });

// Examples have these placeholders until there is a token. Then they get the ids of a conversation, if possible of one
// that waits for an answer, of a booking, and of a sender. `undefined` removes a variable: the sender, if the token's user
// writes as a host, and the channel, if the conversation has one.
const CONVERSATION = "a conversation's id";
const SENDER = "a sender's id";
const CHANNEL = "EMAIL";
const KEY = "a key";
const BOOKING = "a booking's id";
const IDS = `query Ids {
  viewer { host { id } }
  waiting: conversations(first: 25, filter: {needsReply: true}) { nodes { ...Example } }
  any: conversations(first: 25) { nodes { ...Example } }
  bookings(first: 1) { nodes { id } }
}
fragment Example on Conversation {
  id databaseId defaultChannel
  participants(first: 1, memberType: HOST) { nodes { id } }
}`;

const findIds = async (token) => {
  try {
    const response = await fetchWith(token)(location.pathname, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: IDS }),
    });
    const { viewer, waiting, any, bookings } = (await response.json()).data;
    const found = [...waiting.nodes, ...any.nodes];
    const senderOf = (conversation) => conversation.participants.nodes[0]?.id;
    const conversation = found.find((each) => viewer.host || senderOf(each)) ?? found[0];
    return new Map([
      [CONVERSATION, conversation.id],
      [SENDER, viewer.host ? undefined : senderOf(conversation)],
      [CHANNEL, conversation.defaultChannel ? undefined : CHANNEL],
      [KEY, `reply-${conversation.databaseId}`],
      [BOOKING, bookings.nodes[0].id],
    ]);
  } catch {
    return null; // An empty account, or a token without these scopes: the examples keep their placeholders.
  }
};

const isToFill = (text) => text?.includes(CONVERSATION) ?? false;

// `text` are variables as JSON, or what a person made of them.
const filledWith = (ids) => (text) => {
  if (!isToFill(text)) {
    return text;
  }
  try {
    return JSON.stringify(JSON.parse(text, (key, value) => (ids.has(value) ? ids.get(value) : value)), null, 2);
  } catch {
    return text;
  }
};

const fillTabs = (tabs, fill) => tabs.map((tab) => ({ ...tab, variables: fill(tab.variables) }));

// GraphiQL reads its tabs from the storage when it is made, and what is open: a tab that is not among them is added. It
// stores some time later which tab is open, but `query` is in the editor now.
const fillStored = (fill, query) => {
  const state = JSON.parse(storage.getItem("graphiql:tabState"));
  if (state !== null) {
    state.tabs = fillTabs(state.tabs, fill);
    const open = state.tabs.findIndex((tab) => tab.query === query);
    state.activeTabIndex = open < 0 ? state.activeTabIndex : open;
    storage.setItem("graphiql:tabState", JSON.stringify(state));
    storage.setItem("graphiql:query", state.tabs[state.activeTabIndex].query ?? "");
    storage.setItem("graphiql:variables", state.tabs[state.activeTabIndex].variables ?? "");
  }
};

// The tabs of a first visit; those that were stored are filled where they are.
const fillExamples = async (tabs, token, query) => {
  const stored = storage.getItem("graphiql:tabState");
  const ids = token !== "" && isToFill(stored ?? JSON.stringify(tabs)) ? await findIds(token) : null;
  if (ids === null) {
    return tabs;
  }
  fillStored(filledWith(ids), query());
  return fillTabs(tabs, filledWith(ids));
};

// The explorer and the editor share the query, so it is needed at the start: on a later visit the last text of the
// editor (an empty editor is not stored), on the first visit the first example.
const firstQuery = () =>
  storage.getItem("graphiql:tabState") === null ? start.tabs[0].query : storage.getItem("graphiql:query") ?? "";

const { createElement, useEffect, useMemo, useRef, useState } = React;

function Page({ tabs }) {
  const [query, setQuery] = useState(firstQuery);
  const edited = useRef();
  edited.current = query;
  const [token, setToken] = useState(field.value);
  const [examples, setExamples] = useState(tabs);
  const fetcher = useMemo(() => fetcherWith(token), [token]);
  const explorer = GraphiQLPluginExplorer.useExplorerPlugin({ query, onEdit: setQuery });
  useEffect(() => {
    const read = async () => {
      const given = field.value.trim();
      show(problemOf(given));
      const filled = await fillExamples(tabs, given, () => edited.current);
      // Another token may have been given while the server was asked.
      if (given === field.value.trim()) {
        ReactDOM.unstable_batchedUpdates(() => {
          setExamples(filled);
          setQuery(filled === tabs ? edited.current : firstQuery());
          setToken(given);
        });
      }
    };
    field.addEventListener("change", read);
    return () => field.removeEventListener("change", read);
  }, []);
  return createElement(
    GraphiQL,
    {
      key: JSON.stringify(examples), // It takes other tabs when it is made anew.
      fetcher,
      query,
      onEditQuery: setQuery,
      plugins: [explorer],
      // Without a token, introspection would only fail.
      schema: token === "" || !start.introspection ? null : undefined,
      storage,
      shouldPersistHeaders: false,
      defaultTabs: examples,
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
  const tabs = await fillExamples(start.tabs, field.value, firstQuery);
  ReactDOM.render(createElement(Page, { tabs }), document.getElementById("graphiql"));
}

open();
