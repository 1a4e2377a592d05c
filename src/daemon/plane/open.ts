/**
 * Opens the layer-4 data plane of this network namespace: what is pinned is adopted, what is missing is loaded.
 *
 * Everything lives in pinned maps and links, so the plane forwards without any process and several processes may have it
 * open at once: `evenkeel ipvsadm` beside the director. One daemon at most holds it. Synchronous, as all of `Plane` is.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { SystemError } from "../../sys/addon.ts";
import { bpfProblem, probeBpf } from "../../sys/bpf-probe.ts";
import { ensureBpffs, passingBpffs } from "../../sys/bpffs.ts";
import { type CapabilityName, missingCapabilities } from "../../sys/capabilities.ts";
import { tryLockFile } from "../../sys/lock-file.ts";
import { ChangeLock } from "./change-lock.ts";
import { type OpenedPlane, type PlaneOptions, PlaneUnavailable } from "./opened-plane.ts";
import { PinnedPlane } from "./pinned-plane.ts";
import { Pins, planePlace } from "./place.ts";

export { type OpenedPlane, type PlaneOptions, PlaneUnavailable } from "./opened-plane.ts";

/**
 * @throws PlaneUnavailable `kernel`: BPF is missing or older than needed; `permission`: needs root; `held`: a daemon runs;
 * `passing`: what a command makes here would end with it
 * @throws SystemError, BpfLoadError
 */
export function openPlane(options: PlaneOptions): OpenedPlane {
  const refuse = (error: unknown): never => {
    throw isPermission(error) ? new PlaneUnavailable("permission", whatIsMissing(), { cause: error }) : error;
  };
  try {
    // A change that fails half-way for want of a right would be worse than none.
    if (missingCapabilities(NEEDED).length > 0) throw new PlaneUnavailable("permission", whatIsMissing());
    const place = planePlace(options.directory, options.object);
    mkdirSync(dirname(place.lock), { recursive: true, mode: 0o755 });
    const held = options.role === "daemon" ? holdAsDaemon(place.daemon) : undefined;
    try {
      const lock = new ChangeLock(place.lock);
      return lock.exclusively(() => {
        heedNamespace(place.mountPoint, options);
        const pins = new Pins(mounted(place.mountPoint), place.cookie);
        return new PinnedPlane({ place, pins, lock, held, options });
      });
    } catch (error) {
      held?.[Symbol.dispose]();
      throw error;
    }
  } catch (error) {
    return refuse(error);
  }
}

/** Pins live in a mount: where that is this process's alone, a command would leave nothing behind. */
function heedNamespace(mountPoint: string, { role, say }: PlaneOptions): void {
  const ends = passingBpffs(mountPoint);
  if (ends === undefined) return;
  const cure =
    "enter the network namespace alone (nsenter --net=/run/netns/NAME evenkeel …), " +
    `or mount first, from where mounts stay: mount -t bpf bpf ${mountPoint}`;
  const [, ...others] = ends;
  if (role === "command" && others.length === 0) {
    throw new PlaneUnavailable(
      "passing",
      `the mount namespace of this command ends with it, and the data plane would too; ${cure}`,
    );
  }
  const whom = role === "daemon" ? "this process" : `process ${others.at(-1)}`;
  say?.(`the data plane is in a mount namespace that ends with ${whom}, and will end then; ${cure}`);
}

/** The kernel is asked what it lacks only when something went wrong or is to be made: that takes its time. */
function mounted(mountPoint: string): string {
  try {
    return ensureBpffs(mountPoint);
  } catch (error) {
    const problem = bpfProblem(probeBpf());
    if (problem !== undefined && !isPermission(error)) throw new PlaneUnavailable("kernel", problem, { cause: error });
    throw error;
  }
}

function holdAsDaemon(path: string): Disposable {
  const held = tryLockFile(path);
  if (held === undefined) {
    const pid = readFileSync(path, "utf8").trim();
    throw new PlaneUnavailable(
      "held",
      `process ${pid} runs as the director of this network namespace already; stop it first, or tell it to reload`,
    );
  }
  writeFileSync(path, `${process.pid}\n`);
  return held;
}

const NEEDED: readonly CapabilityName[] = ["CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"];

/** CAP_SYS_ADMIN: to mount a bpffs. */
function whatIsMissing(): string {
  if (process.getuid?.() !== 0) return "the data plane needs root";
  const missing = missingCapabilities([...NEEDED, "CAP_SYS_ADMIN"]);
  return missing.length === 0
    ? (bpfProblem(probeBpf()) ?? "the kernel refuses the data plane; a sandbox may forbid it")
    : `the data plane needs ${new Intl.ListFormat("en").format(missing)}, which this process lacks`;
}

function isPermission(error: unknown): boolean {
  if (error instanceof SystemError) return error.code === "EPERM" || error.code === "EACCES";
  return error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM");
}
