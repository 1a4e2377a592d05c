/**
 * A proxy section while it is being read: settings with the place where each was written, copied from `defaults` to the
 * sections that follow. `finish.ts` makes the model of it.
 */

import type { Duration } from "../../base/time.ts";
import type {
  Backend,
  BalanceAlgorithm,
  Bind,
  CheckMethod,
  ConnectionMode,
  CookiePersistence,
  ForwardFor,
  Frontend,
  LogTarget,
  Mode,
  Server,
  StatsPage,
  Timeouts,
} from "../model/proxy.ts";
import type { Span } from "../text/source.ts";
import type { Reading } from "./reading.ts";
import type { ProxySectionKind } from "./sections.ts";
import type { Statement } from "./statement.ts";
import type { Word } from "./words.ts";

/** A value and where it was written. */
export interface Placed<T> {
  readonly value: T;
  readonly span: Span;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Everything that a `defaults` section can set. Nested objects are replaced, never changed, so a shallow copy is one. */
export interface Settings {
  mode: Mode;
  disabled: boolean;
  timeouts: Timeouts;
  connectionMode: ConnectionMode;
  forwardFor: Placed<ForwardFor> | undefined;
  /** `global` stands for the targets of `global`, whatever they are in the end. */
  logs: readonly (LogTarget | "global")[];
  stats: Placed<StatsPage> | undefined;
  errorFiles: Readonly<Record<string, string>>;

  defaultBackend: Word | undefined;
  maxconn: number | undefined;
  backlog: number | undefined;
  logFormat: Placed<Exclude<Frontend["logFormat"], "connect">> | undefined;
  dontLogNull: boolean;
  dontLogNormal: boolean;
  monitorUri: Placed<string> | undefined;

  balance: BalanceAlgorithm;
  cookie: Placed<CookiePersistence> | undefined;
  httpReuse: Backend["httpReuse"];
  retries: number;
  redispatch: number | undefined;
  allBackups: boolean;
  /** `option httpchk`, refined by `http-check send`; without the former the latter is ignored. */
  httpCheck: HttpCheck | undefined;
  checkKind: "tcp" | "http";
  checkRule: Span | undefined;
  logHealthChecks: boolean;
  server: ServerSettings;
}

export type HttpCheck = Omit<Extract<CheckMethod, { kind: "http" }>, "kind">;

/** What `default-server` can set. */
export type ServerSettings = Mutable<
  Pick<Server, "weight" | "backup" | "disabled" | "cookie" | "maxconn" | "sendProxy" | "onMarkedDown">
> & {
  checked: boolean;
  inter: Duration | undefined;
  fastinter: Duration | undefined;
  downinter: Duration | undefined;
  rise: number;
  fall: number;
  checkPort: number | undefined;
  checkAddress: Server["address"] | undefined;
};

export interface ProxyDraft {
  readonly kind: ProxySectionKind;
  readonly name: string;
  /** Of the name, or of the section's keyword. */
  readonly span: Span;
  readonly settings: Settings;
  /** Where each keyword of this very section was written first. */
  readonly seen: Map<string, Span>;
  readonly binds: Bind[];
  /** Those without an `id` are numbered at the end. */
  readonly servers: (Omit<Server, "id"> & { readonly id: number | undefined })[];
  readonly serverIds: Set<number>;
  readonly serverNames: Set<string>;
  id: number | undefined;
  description: string | undefined;
}

export type KeywordReader = (statement: Statement, draft: ProxyDraft, reading: Reading) => void;

export const hasFrontend = (draft: ProxyDraft): boolean => draft.kind === "frontend" || draft.kind === "listen";
export const hasBackend = (draft: ProxyDraft): boolean => draft.kind === "backend" || draft.kind === "listen";
