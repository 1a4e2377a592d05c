/** Looks at this machine for the doctor: /proc, rtnetlink, iproute2, nft, our own pins. Changes nothing and judges nothing. */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { release } from "node:os";
import { type IpAddress, parseIp } from "../../base/ip.ts";
import { milliseconds } from "../../base/time.ts";
import { probeBpf } from "../../sys/bpf-probe.ts";
import { missingCapabilities } from "../../sys/capabilities.ts";
import { forwardsIpv4 } from "../../sys/forwarding.ts";
import { readInterfaces } from "../../sys/interfaces.ts";
import { runCommand } from "../../sys/run-command.ts";
import { look } from "../real/agent.ts";
import { effectiveIpv4Sysctl, isGuardable } from "../real/interfaces.ts";
import { findRealPlace } from "../real/place.ts";
import type { Facts, MachineFacts, PlaneFacts, Redirect, RouteFacts } from "./facts.ts";
import { readOtherPlanes } from "./plane-facts.ts";
import { parseIpvs, parseSockets } from "./proc-net.ts";
import { parseIptablesSave, parseNftRuleset } from "./redirects.ts";

/** Real servers beyond these are not asked about: each costs two runs of `ip`. */
const MOST_ROUTES = 500;

/** @throws SystemError when not even the interfaces can be read */
export async function gather(readPlane: () => PlaneFacts | undefined): Promise<Facts> {
  const nft = await say(["nft", "-j", "list", "ruleset"]);
  const here = machine(nft);
  // Whoever lacks rights learns that, and the rest.
  const plane = here.missingCapabilities.length > 0 ? attempt(readPlane) : readPlane();
  const servers = new Set((plane?.services ?? []).flatMap((service) => service.servers.map(({ address }) => address)));
  const routes: Record<string, RouteFacts> = {};
  for (const address of [...servers].slice(0, MOST_ROUTES)) routes[address] = await routeTo(address);
  return {
    machine: here,
    interfaces: [...readInterfaces().values()]
      .sort((a, b) => a.index - b.index)
      .map((one) => ({
        ...one,
        guardable: isGuardable(one),
        arpIgnore: effectiveIpv4Sysctl(one.name, "arp_ignore"),
        arpAnnounce: effectiveIpv4Sysctl(one.name, "arp_announce"),
        rpFilter: effectiveIpv4Sysctl(one.name, "rp_filter"),
      })),
    ipvs: ifThere("/proc/net/ip_vs", parseIpvs),
    daemons: daemons(),
    plane,
    otherPlanes: attempt(readOtherPlanes) ?? [],
    real: attemptText(() => look(findRealPlace())),
    listening: (["tcp", "udp"] as const).flatMap((protocol) => [
      ...(ifThere(`/proc/net/${protocol}`, (text) => parseSockets(text, protocol, 4)) ?? []),
      ...(ifThere(`/proc/net/${protocol}6`, (text) => parseSockets(text, protocol, 6)) ?? []),
    ]),
    redirects: await redirects(nft),
    routes,
  };
}

type Said = { readonly output: string } | { readonly refused: string } | "missing";

async function say(argv: readonly string[]): Promise<Said> {
  const path = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
  const outcome = await runCommand({
    argv,
    timeout: milliseconds(5_000),
    environment: { PATH: path, LC_ALL: "C" },
    maximumOutputBytes: 8 << 20,
  });
  if (outcome.type === "error") return outcome.code === "ENOENT" ? "missing" : { refused: outcome.message };
  if (outcome.type === "exited" && outcome.status === 0) return { output: outcome.output };
  return { refused: outcome.type === "timeout" ? "no answer within 5 s" : (outcome.output.split("\n")[0] ?? "") };
}

const output = (said: Said): string | undefined =>
  typeof said === "object" && "output" in said ? said.output : undefined;

function machine(nft: Said): MachineFacts {
  return {
    release: release(),
    missingCapabilities: missingCapabilities(["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN"]),
    bpf: attemptText(() => probeBpf()),
    ioUring: ioUring(),
    nftables: nft === "missing" ? "missing" : "output" in nft ? "works" : nft,
    ipForward: forwardsIpv4(),
  };
}

/** kernel.io_uring_disabled, from Linux 6.6; the list of a socket's kinds of io_uring is nowhere to be read. */
function ioUring(): MachineFacts["ioUring"] {
  const disabled = ifThere("/proc/sys/kernel/io_uring_disabled", Number);
  if (disabled !== undefined) return disabled === 0 ? "allowed" : "restricted";
  const symbols = ifThere("/proc/kallsyms", (text) => /\bio_uring_create\b|\bio_uring_setup\b/.test(text));
  return symbols === true ? "allowed" : "absent";
}

/** In this network namespace; those of another are no concern of its tables. */
function daemons(): Facts["daemons"] {
  const here = attempt(() => readlinkSync("/proc/self/ns/net"));
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .flatMap((pid) => {
      const name = ifThere(`/proc/${pid}/comm`, (text) => text.trim());
      const parent = ifThere(`/proc/${pid}/stat`, (text) => text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
      if (name !== "keepalived" || attempt(() => readlinkSync(`/proc/${pid}/ns/net`)) !== here) return [];
      // Its children have its name; one line is enough.
      if (parent !== undefined && ifThere(`/proc/${parent}/comm`, (text) => text.trim()) === name) return [];
      return [{ name, pid: Number(pid) }];
    });
}

async function redirects(nft: Said): Promise<Redirect[] | undefined> {
  const legacy = [await say(["iptables-save", "-t", "nat"]), await say(["ip6tables-save", "-t", "nat"])].map(output);
  const ruleset = output(nft);
  if (ruleset === undefined && legacy.every((text) => text === undefined)) return undefined;
  return [...parseNftRuleset(ruleset ?? ""), ...legacy.flatMap((text) => parseIptablesSave(text ?? ""))];
}

async function routeTo(address: IpAddress): Promise<RouteFacts> {
  const nothing = { interface: undefined, local: false, gateway: undefined, mtu: undefined, neighbour: undefined };
  const [route] = parseList(output(await say(["ip", "-json", "route", "get", address])));
  if (route === undefined || typeof route.dev !== "string") return nothing;
  const via = route.gateway ?? (route.via as { host?: unknown } | undefined)?.host;
  const gateway = typeof via === "string" ? parseIp(via) : undefined;
  const metrics = Array.isArray(route.metrics) ? (route.metrics[0] as { mtu?: unknown } | undefined) : undefined;
  const neighbours = parseList(
    output(await say(["ip", "-json", "neigh", "show", gateway ?? address, "dev", route.dev])),
  );
  const state = neighbours[0]?.state;
  return {
    interface: route.dev,
    local: route.type === "local" || route.dev === "lo",
    gateway,
    mtu: typeof metrics?.mtu === "number" ? metrics.mtu : undefined,
    neighbour: Array.isArray(state) && typeof state[0] === "string" ? state[0] : undefined,
  };
}

function parseList(text: string | undefined): Record<string, unknown>[] {
  const value: unknown = attempt(() => JSON.parse(text ?? "[]"));
  return Array.isArray(value) ? value : [];
}

function ifThere<T>(path: string, read: (text: string) => T): T | undefined {
  const text = attempt(() => readFileSync(path, "utf8"));
  return text === undefined ? undefined : read(text);
}

function attempt<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch {
    return undefined;
  }
}

/** The value, or what stood in its way. */
function attemptText<T>(body: () => T): T | string {
  try {
    return body();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
