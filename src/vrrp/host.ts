/**
 * All virtual routers, sync groups and trackers of one host as one machine.
 *
 * Pure: `transition` takes the state, what happened and the time, and answers the next state and what to do, in order.
 * Sends nothing, sets no timer, reads no clock; `daemon/vrrp` does, and so does the simulated LAN of the tests.
 */

import { type Instant, microseconds, seconds } from "../base/time.ts";
import type { VirtualAddress, VrrpConfiguration, VrrpInstance } from "../config/model/vrrp.ts";
import { applyTrackers } from "./eligibility.ts";
import { enqueue, nextFrameAt, sendQueued } from "./garp.ts";
import {
  type Draft,
  groupOf,
  type HostState,
  instanceNamed,
  interfaceNamed,
  putInterface,
  routerNamed,
} from "./host-state.ts";
import { onAddress, onLink } from "./kernel-reports.ts";
import { onRouteLost } from "./loss.ts";
import type { Input, Output, ScriptOutcome } from "./messages.ts";
import { onPacket } from "./reception.ts";
import { reconfigure } from "./reconfigure.ts";
import { onStop, onTimer, yieldAfterStall } from "./router.ts";
import { firstDeadline } from "./router-state.ts";
import { onResult, runWhenDue } from "./scripts.ts";
import { start } from "./start.ts";
import type { HostParameters, Step } from "./step.ts";
import { change, mayBecomeMaster, settleGroups } from "./sync-group.ts";
import { handOverTime } from "./timers.ts";
import { noteTrackerReport, onTrackerReport } from "./trackers.ts";

export type { HostState } from "./host-state.ts";
export { snapshot } from "./snapshot.ts";
export type { HostParameters } from "./step.ts";

/** A process that does not run for four seconds loses its addresses. */
export const DEFAULT_HOST_PARAMETERS: HostParameters = {
  addressLifetime: seconds(4),
  addressRefresh: seconds(1),
};

export const initialState = (configuration: VrrpConfiguration): HostState => ({
  phase: "new",
  configuration,
  interfaces: [],
  routers: [],
  groups: [],
  scripts: [],
  files: [],
  processes: [],
  services: [],
  announcements: [],
  unknownVrid: 0,
  unknownSaid: null,
  malformed: 0,
});

export function transition(
  parameters: HostParameters,
  state: HostState,
  input: Input,
  now: Instant,
): { readonly state: HostState; readonly outputs: readonly Output[] } {
  const outputs: Output[] = [];
  const draft: Draft = { ...state, routers: [...state.routers] };
  const step = stepOn(draft, parameters, now, outputs);
  if (draft.phase !== "new" && draft.phase !== "stopped") {
    for (const { name } of draft.routers.filter(({ deadline }) => deadline !== null && deadline < now)) {
      change(step, draft, name, (instance, router) => yieldAfterStall(step, instance, router));
    }
  }
  perform(step, draft, input);
  settleGroups(step, draft);
  if (draft.phase === "stopping" && draft.routers.every((router) => router.state === "STOP")) {
    draft.phase = "stopped";
    step.emit({ type: "stopped" });
  }
  return { state: draft, outputs };
}

/** When to hand in `timer`, at the latest. */
export function nextDeadline(state: HostState): Instant | undefined {
  if (state.phase === "new" || state.phase === "stopped") return undefined;
  let first = Number.POSITIVE_INFINITY;
  for (const router of state.routers) first = Math.min(first, firstDeadline(router));
  if (state.phase === "running") for (const { nextRun } of state.scripts) first = Math.min(first, nextRun);
  for (const at of nextFrameAt(state.announcements)) first = Math.min(first, at);
  return first === Number.POSITIVE_INFINITY ? undefined : (first as Instant);
}

/** Somebody's silence has lasted long enough, as far as this machine has been told: a driver makes sure that it has been. */
export const isSilenceOver = ({ routers }: HostState, now: Instant): boolean =>
  routers.some(({ state, deadline }) => state === "BACKUP" && deadline !== null && deadline <= now);

function perform(step: Step, draft: Draft, input: Input): void {
  if (draft.phase === "stopped") return;
  if (draft.phase === "new") {
    if (input.type === "start") start(step, draft, input.interfaces);
    if (input.type === "reconfigure") draft.configuration = input.configuration;
    if (input.type === "stop") draft.phase = "stopping";
    if (input.type === "file-value" || input.type === "process-count" || input.type === "service-state")
      noteTrackerReport(draft, input);
    return;
  }
  switch (input.type) {
    case "start":
      break;
    case "packet":
      onPacket(step, draft, input.interface, input.packet);
      break;
    case "link":
      onLink(step, draft, input);
      break;
    case "address":
      onAddress(step, draft, input);
      break;
    case "route-lost":
      change(step, draft, input.instance, (instance, router) =>
        onRouteLost(step, instance, router, input.what, input.by),
      );
      break;
    case "script-result":
      onScriptResult(step, draft, input.script, input.outcome);
      break;
    case "file-value":
    case "process-count":
    case "service-state":
      onTrackerReport(step, draft, input);
      break;
    case "timer":
      onTime(step, draft);
      break;
    case "reconfigure":
      if (draft.phase === "running") reconfigure(step, draft, input.configuration);
      break;
    case "stop":
      stop(step, draft);
      break;
    default:
      input satisfies never;
  }
}

function onScriptResult(step: Step, draft: Draft, name: string, outcome: ScriptOutcome): void {
  const script = draft.configuration.scripts.find((known) => known.name === name);
  if (script === undefined) return;
  draft.scripts = draft.scripts.map((state) => (state.name === name ? onResult(step, script, state, outcome) : state));
  applyTrackers(step, draft);
}

function onTime(step: Step, draft: Draft): void {
  if (draft.phase === "running") {
    draft.scripts = draft.scripts.map((state) => {
      const script = draft.configuration.scripts.find(({ name }) => name === state.name);
      return script === undefined ? state : runWhenDue(step, script, state);
    });
  }
  for (const { name } of draft.routers.filter((router) => firstDeadline(router) <= step.now)) {
    change(step, draft, name, (instance, router) => onTimer(step, instance, router, mayBecomeMaster(draft, name)));
  }
  const masterNamed = (name: string): VrrpInstance | undefined =>
    routerNamed(draft, name)?.state === "MASTER" ? instanceNamed(draft, name) : undefined;
  const { garpGroups } = draft.configuration.global;
  draft.announcements = sendQueued(draft.announcements, garpGroups, masterNamed, step.now, step.emit);
}

/** Members of a sync group wait for their successors equally long. */
function stop(step: Step, draft: Draft): void {
  if (draft.phase !== "running") return;
  draft.phase = "stopping";
  for (const { name } of draft.routers) {
    const group = groupOf(draft, name);
    const together = group?.members ?? [name];
    const each = together.flatMap((member) => instanceNamed(draft, member) ?? []);
    const patience = Math.max(...each.map(({ version, advertInterval }) => handOverTime(version, advertInterval)));
    change(step, draft, name, (instance, router) => onStop(step, instance, router, microseconds(patience)));
  }
}

function stepOn(draft: Draft, parameters: HostParameters, now: Instant, outputs: Output[]): Step {
  const emit = (output: Output): void => {
    outputs.push(output);
  };
  const announce = (instance: VrrpInstance, address: VirtualAddress): void => {
    const { garpGroups } = draft.configuration.global;
    draft.announcements = enqueue(draft.announcements, garpGroups, instance, address, now, emit);
  };
  const remove = (instance: VrrpInstance, address: VirtualAddress): void => {
    const holder = interfaceNamed(draft, address.interface);
    const known = holder.addresses.find((candidate) => candidate === address.address);
    if (known !== undefined && !holder.removing.includes(known)) {
      putInterface(draft, { ...holder, removing: [...holder.removing, known] });
    }
    emit({ type: "remove-address", instance: instance.name, address });
  };
  return {
    now,
    parameters,
    emit,
    announce,
    remove,
  };
}
