/** Whose instances are compared, and how things are said of two of them: each with its place. */

import type { VrrpConfiguration, VrrpInstance } from "../model/vrrp.ts";
import type { Diagnostics, Severity } from "../text/diagnostic.ts";
import type { Span } from "../text/source.ts";

/** Where an instance or a sync group stands in its file. */
export interface Place {
  readonly name: Span;
  /** The last line of each keyword. */
  readonly keywords: ReadonlyMap<string, Span>;
}

/** By `vrrp_instance NAME` and `vrrp_sync_group NAME`. */
export type Places = ReadonlyMap<string, Place>;

/** One host's file. */
export interface Router {
  readonly file: string;
  readonly model: VrrpConfiguration;
  readonly places: Places;
}

export interface Member {
  readonly router: Router;
  readonly instance: VrrpInstance;
}

/** How members are called: `VI_1 of a.conf`. */
export const titleOf = ({ instance, router }: Member): string => `${instance.name} of ${router.file}`;

/** Says things about members, each at the line that causes it, with the place of the other side. */
export class PeerReport {
  readonly #diagnostics: Diagnostics;

  constructor(diagnostics: Diagnostics) {
    this.#diagnostics = diagnostics;
  }

  /** `keyword`: the line to point at, if the instance has it. `message` may hold `{other}`: title and place of `other`. */
  say(
    severity: Severity,
    code: string,
    keyword: string,
    [one, other]: readonly [Member, Member?],
    message: string,
    help: string,
  ): void {
    const place = other === undefined ? "" : `${titleOf(other)} (${positionOf(spanOf(other, keyword))})`;
    this.#diagnostics.add(
      severity,
      code,
      spanOf(one, keyword),
      message.replace("{other}", () => place),
      help,
    );
  }

  at(severity: Severity, code: string, span: Span, message: string, help: string): void {
    this.#diagnostics.add(severity, code, span, message, help);
  }
}

export function spanOf({ router, instance }: Member, keyword: string): Span {
  const place = router.places.get(`vrrp_instance ${instance.name}`);
  const span = place?.keywords.get(keyword) ?? place?.name;
  if (span === undefined) throw new RangeError(`no place of ${instance.name}`);
  return span;
}

export function positionOf(span: Span): string {
  const { line, column } = span.source.positionOf(span.start);
  return `${span.source.name}:${line}:${column}`;
}

/** Instances of different routers that are to be one virtual router. */
export type Team = readonly Member[];
