// Keeps a copy of an account's conversations and messages, as an app does that works without a connection.
//
// `sync` reads the whole account page by page and returns when the copy is complete. `follow` applies every later change,
// in the order in which it was committed, and continues after a lost connection or a restart of the server where it was.
// Both apply the same rows in the same way, so applying a row twice does no harm. `.github/docs/offline.md` explains the
// steps and their cost.

import { createClient, type Client } from "graphql-ws";

export type Row = { id: string; __typename: "Conversation" | "Message" } & Record<string, unknown>;

type Page<T> = { nodes: T[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
type Thread = Row & { messages: Page<Row> };
type Change = { operation: "UPSERTED" | "REMOVED"; nodeId: string; node: Row | null };
type Failure = { message: string; extensions?: { code?: string } };

export type Options = {
  url: string;
  token: () => string | Promise<string>;
  /** The constructor of WebSockets, where there is no global one. */
  webSocketImpl?: unknown;
  /** Called after each page of the first sync and after each event. */
  onChange?: () => void;
};

const CONVERSATION = `
  fragment ConversationFields on Conversation {
    __typename id subject closed read unreadCount waitingSince lastMessageAt updatedAt assignee { id }
  }`;
const MESSAGE = `
  fragment MessageFields on Message {
    __typename id content visibility sentAt conversation { id } sender { id memberType }
  }`;

// By values that never change, so that no conversation moves to a page that was already read.
const WALK = `
  query Walk($first: Int!, $after: String) {
    changesCursor
    conversations(first: $first, after: $after, orderBy: { field: CREATED_AT, direction: ASC }) {
      nodes { ...ConversationFields messages(first: 50) { nodes { ...MessageFields } pageInfo { hasNextPage endCursor } } }
      pageInfo { hasNextPage endCursor }
    }
  }${CONVERSATION}${MESSAGE}`;

const LONG_THREADS = `
  query LongThreads($ids: [ID!]!, $first: Int!, $after: String) {
    messages(first: $first, after: $after, filter: { conversationIds: $ids }) {
      nodes { ...MessageFields }
      pageInfo { hasNextPage endCursor }
    }
  }${MESSAGE}`;

const FOLLOW = `
  subscription Follow($after: String!) {
    changes(after: $after, types: [CONVERSATION, MESSAGE]) {
      changes { operation nodeId node { ...ConversationFields ...MessageFields } }
      endCursor
    }
  }${CONVERSATION}${MESSAGE}`;

const LARGEST_PAGE = 50;
const pause = (seconds: number) => new Promise<void>((done) => setTimeout(done, seconds * 1000));

export class RequestFailed extends Error {
  readonly codes: (string | undefined)[];

  constructor(failures: readonly Failure[]) {
    super(failures.map((failure) => failure.message).join("; "));
    this.codes = failures.map((failure) => failure.extensions?.code);
  }
}

export class OfflineCopy {
  readonly rows = new Map<string, Row>();
  private cursor: string | null = null;
  private socket: Client | null = null;
  private stopped = false;

  constructor(private readonly options: Options) {}

  /** Reads the account. Changes that happen meanwhile are applied by `follow`: the cursor is from the first page. */
  async sync(): Promise<void> {
    this.rows.clear();
    this.cursor = null;
    let after: string | null = null;
    do {
      const page = await this.pageOfThreads(after);
      this.cursor ??= page.changesCursor;
      page.conversations.nodes.forEach(({ messages, ...conversation }) => {
        this.put(conversation as Row);
        messages.nodes.forEach((message) => this.put(message));
      });
      await this.readLongThreads(page.conversations.nodes.filter((thread) => thread.messages.pageInfo.hasNextPage));
      this.options.onChange?.();
      after = page.conversations.pageInfo.hasNextPage ? page.conversations.pageInfo.endCursor : null;
    } while (after !== null);
  }

  /** Applies changes until `stop` is called. Returns then, or throws what cannot be retried. */
  async follow(): Promise<void> {
    this.socket = createClient({
      url: this.options.url.replace(/^http/, "ws"),
      webSocketImpl: this.options.webSocketImpl,
      connectionParams: async () => ({ Authorization: `Bearer ${await this.options.token()}` }),
      retryAttempts: Infinity,
      retryWait: () => pause(0.2 + Math.random() * 0.3),
      shouldRetry: () => true,
    });
    for (;;) {
      try {
        return await this.subscribe(this.socket);
      } catch (error) {
        // Stopping ends an attempt to connect, too.
        if (this.stopped) return;
        if (!(error instanceof RequestFailed) || !error.codes.includes("RESYNC_REQUIRED")) throw error;
        await this.sync();
      }
    }
  }

  /** Ends `follow`. */
  async stop(): Promise<void> {
    this.stopped = true;
    try {
      await this.socket?.dispose();
    } catch {
      // It was just trying to connect.
    }
  }

  /** The answer to a query. Waits and repeats it while the server cannot be reached, or allows no more at the moment. */
  async query<T>(query: string, variables: Record<string, unknown>): Promise<T> {
    for (;;) {
      const response = await this.post(query, variables);
      const wait = Number(response?.headers.get("Retry-After") ?? 1);
      if (response === null || response.status === 429 || response.status >= 500) {
        await pause(wait);
        continue;
      }
      const { data, errors } = (await response.json()) as { data?: T; errors?: Failure[] };
      if (errors) throw new RequestFailed(errors);
      return data as T;
    }
  }

  private async post(query: string, variables: Record<string, unknown>): Promise<Response | null> {
    const headers = {
      Accept: "application/graphql-response+json",
      Authorization: `Bearer ${await this.options.token()}`,
      "Content-Type": "application/json",
    };
    const body = JSON.stringify({ query, variables });
    return fetch(this.options.url, { method: "POST", headers, body }).catch(() => null);
  }

  /** A page of conversations with the beginnings of their threads, a shorter page if these texts are too large. */
  private async pageOfThreads(after: string | null): Promise<{ changesCursor: string; conversations: Page<Thread> }> {
    for (let first = LARGEST_PAGE; ; first = Math.ceil(first / 4)) {
      try {
        return await this.query(WALK, { first, after });
      } catch (error) {
        if (first === 1 || !(error instanceof RequestFailed && error.codes.includes("OPERATION_TOO_COMPLEX"))) throw error;
      }
    }
  }

  private async readLongThreads(threads: readonly Row[]): Promise<void> {
    const ids = threads.map((thread) => thread.id);
    let after: string | null = null;
    while (ids.length > 0) {
      const { messages }: { messages: Page<Row> } = await this.query(LONG_THREADS, { ids, first: 100, after });
      messages.nodes.forEach((message) => this.put(message));
      if (!messages.pageInfo.hasNextPage) return;
      after = messages.pageInfo.endCursor;
    }
  }

  private subscribe(socket: Client): Promise<void> {
    // When graphql-ws connects again it sends these variables as they are then, so that nothing is missed or repeated.
    const variables = { after: this.cursor };
    return new Promise((done, fail) => {
      socket.subscribe<{ changes: { changes: Change[]; endCursor: string } }>(
        { query: FOLLOW, variables },
        {
          next: ({ data, errors }) => {
            if (errors || !data) return fail(new RequestFailed(errors ?? []));
            data.changes.changes.forEach((change) => this.apply(change));
            variables.after = this.cursor = data.changes.endCursor;
            this.options.onChange?.();
          },
          error: (error) => fail(Array.isArray(error) ? new RequestFailed(error) : error),
          complete: done,
        },
      );
    });
  }

  private apply({ node, nodeId }: Change): void {
    if (node) this.put(node);
    else this.rows.delete(nodeId);
  }

  private put(row: Row): void {
    this.rows.set(row.id, row);
  }
}
