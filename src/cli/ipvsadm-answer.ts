/** Answers what one command line of ipvsadm asks: listings, and `-S`. */

import type { IpAddress } from "../base/ip.ts";
import type { ListOptions, NamedService, Question } from "../config/ipvsadm/command.ts";
import {
  type ListingStyle,
  type Naming,
  NUMBERS,
  serviceLines,
  servicesHeading,
  versionLine,
} from "../director/listing.ts";
import { addressesOf, connectionLine, connectionsHeading, timeoutsLine } from "../director/listing-connections.ts";
import type { Plane, ServiceEntry } from "../director/plane.ts";
import { saveLines } from "../director/save.ts";
import { NO_SUCH_SERVICE } from "./ipvsadm-apply.ts";
import type { Resolver } from "./ipvsadm-names.ts";

/** Where the answer goes. */
export interface Paper {
  out(text: string): void;
  err(text: string): void;
  /** A person reads it: the daemon's services are marked. */
  readonly terminal: boolean;
}

/** Exit status of a listing of a service that is not there. */
export const NOT_LISTED = 1;

/** The exit status. */
export async function answer(question: Question, plane: Plane, resolver: Resolver, paper: Paper): Promise<number> {
  switch (question.do) {
    case "list-services":
      return listServices(plane, question.service, question.options, resolver, paper);
    case "list-connections":
      await listConnections(plane, question.options, resolver, paper);
      return 0;
    case "list-timeouts":
      if (question.options.json) writeJson(paper, { timeouts: plane.timeouts() });
      else paper.out(timeoutsLine(plane.timeouts()));
      return 0;
    case "list-daemon":
      return 0;
    case "save": {
      const services = plane.services();
      const naming = await namingOf(question.numeric, addressesIn(services), resolver);
      writeAll(paper, saveLines(services, plane.timeouts(), { naming, sort: question.sort }));
      return 0;
    }
    default:
      return question satisfies never;
  }
}

async function listServices(
  plane: Plane,
  named: NamedService | undefined,
  options: ListOptions,
  resolver: Resolver,
  paper: Paper,
): Promise<number> {
  const one = named === undefined || named.kind === "sctp" ? undefined : plane.service(named);
  if (named !== undefined && one === undefined) {
    paper.err(`${NO_SUCH_SERVICE}\n`);
    return NOT_LISTED;
  }
  const services = one === undefined ? plane.services() : [one];
  if (options.json) {
    writeJson(paper, { table: plane.table(), services });
    return 0;
  }
  const style: ListingStyle = {
    view: options.view,
    exact: options.exact,
    sort: options.sort,
    owner: options.owner || paper.terminal,
    naming: await namingOf(options.numeric, addressesIn(services), resolver),
  };
  paper.out(`${named === undefined ? versionLine(plane.table().capacity) : ""}${servicesHeading(options.view)}`);
  writeAll(paper, serviceLines(services, style));
  return 0;
}

async function listConnections(plane: Plane, options: ListOptions, resolver: Resolver, paper: Paper): Promise<void> {
  if (options.json) {
    writeAll(paper, jsonConnections(plane));
    return;
  }
  paper.out(connectionsHeading(options.view === "persistent-conn"));
  const connections = options.numeric ? plane.connections() : [...plane.connections()];
  const addresses = Array.isArray(connections) ? connections.flatMap(addressesOf) : [];
  const naming = await namingOf(options.numeric, addresses, resolver);
  writeAll(paper, lines(connections, naming));
}

function* lines(connections: ReturnType<Plane["connections"]>, naming: Naming): Generator<string> {
  for (const one of connections) yield connectionLine(one, naming);
}

const namingOf = async (numeric: boolean, addresses: Iterable<IpAddress>, resolver: Resolver): Promise<Naming> =>
  numeric ? NUMBERS : resolver.naming(addresses);

function* addressesIn(services: readonly ServiceEntry[]): Generator<IpAddress> {
  for (const { key, servers } of services) {
    if (key.kind === "address") yield key.address;
    for (const server of servers) yield server.key.address;
  }
}

const PIECE_LENGTH = 65_536;

/** In pieces: a table may have a million lines. */
function writeAll(paper: Paper, pieces: Iterable<string>): void {
  let text = "";
  for (const piece of pieces) {
    text += piece;
    if (text.length < PIECE_LENGTH) continue;
    paper.out(text);
    text = "";
  }
  if (text !== "") paper.out(text);
}

/** Counters as numbers: they are exact up to 2^53. */
const withNumbers = (_: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);

function writeJson(paper: Paper, value: unknown): void {
  paper.out(`${JSON.stringify(value, withNumbers, 2)}\n`);
}

/** One document, one line a connection. */
function* jsonConnections(plane: Plane): Generator<string> {
  yield `{"table":${JSON.stringify(plane.table(), withNumbers)},"connections":[`;
  let separator = "\n";
  for (const one of plane.connections()) {
    yield separator + JSON.stringify(one);
    separator = ",\n";
  }
  yield "\n]}\n";
}
