// Starts GraphiQL with what the page's JSON block says: {tabs: [{query, variables}], headers: string or null}.
//
// What a person types is kept in localStorage and is there again after a reload: tabs, variables, history, the
// layout. Headers are not kept: they carry a token, which must not outlive the page, and which a later start of the
// server may have replaced. Whatever GraphiQL stores is therefore written without headers, and read back with the
// headers that the server gave this page. A header typed by hand lasts until the page is left.

const start = JSON.parse(document.getElementById("start").textContent);

// GraphiQL's own keys are the same in every project that is served from one host and port; these are ours alone.
const PREFIX = "inbox:";
const WITH_HEADERS = new Set(["graphiql:tabState", "graphiql:queries", "graphiql:favorites"]);

const withHeaders = (text, headers) =>
  JSON.stringify(JSON.parse(text, (key, value) => (key === "headers" ? headers : value)));

const storage = {
  getItem(key) {
    if (key === "graphiql:headers") {
      return start.headers;
    }
    const text = localStorage.getItem(PREFIX + key);
    if (text === null || !WITH_HEADERS.has(key)) {
      return text;
    }
    try {
      return withHeaders(text, start.headers);
    } catch {
      return null; // Not JSON: what cannot be read is as good as not there.
    }
  },
  setItem(key, text) {
    if (key !== "graphiql:headers") {
      localStorage.setItem(PREFIX + key, WITH_HEADERS.has(key) ? withHeaders(text, null) : text);
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

// The explorer and the editor share the query, which then has to be given from the start. Of a later visit it is the
// one left in the editor (an emptied editor is stored as nothing), of the first the first example.
const firstQuery = () =>
  storage.getItem("graphiql:tabState") === null ? start.tabs[0].query : storage.getItem("graphiql:query") ?? "";

const fetcher = GraphiQL.createFetcher({
  url: location.pathname,
  headers: { accept: "application/graphql-response+json, application/json" },
  enableIncrementalDelivery: false,
});

const { createElement, useState } = React;

function Page() {
  const [query, setQuery] = useState(firstQuery);
  const explorer = GraphiQLPluginExplorer.useExplorerPlugin({ query, onEdit: setQuery });
  return createElement(
    GraphiQL,
    {
      fetcher,
      query,
      onEditQuery: setQuery,
      plugins: [explorer],
      storage,
      shouldPersistHeaders: false,
      defaultHeaders: start.headers ?? undefined,
      defaultTabs: start.tabs.map((tab) => ({ ...tab, headers: start.headers })),
    },
    createElement(GraphiQL.Logo, null, "Inbox GraphQL"),
  );
}

ReactDOM.render(createElement(Page), document.getElementById("graphiql"));
