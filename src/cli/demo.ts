/**
 * `evenkeel demo`: the scenario of examples/haproxy-keepalived, told step by step with what was measured. Exit 0 when
 * every step came out as it must, 1 otherwise. Everything runs in namespaces of its own and is gone afterwards.
 */

import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTopology } from "../lab/file.ts";
import { Lab, LabError } from "../lab/lab.ts";
import { HaproxyKeepalivedScenario, type StepReport } from "../lab/scenarios/haproxy-keepalived.ts";
import { strip } from "../lab/strip.ts";
import type { Topology } from "../lab/topology.ts";

export interface DemoOptions {
  readonly json?: boolean;
}

const EXAMPLE = fileURLToPath(new URL("../../examples/haproxy-keepalived", import.meta.url));

export async function demo(options: DemoOptions): Promise<void> {
  const startedAt = performance.now();
  const print = printer(options.json === true);
  const folder = mkdtempSync(join(tmpdir(), "evenkeel-demo-"));
  let lab: Lab | undefined;
  const clear = async () => {
    await lab?.down();
    rmSync(folder, { recursive: true, force: true });
  };
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      abort.abort();
      void clear().then(() => process.exit(130));
    });
  }
  let failed = 0;
  try {
    cpSync(EXAMPLE, folder, { recursive: true });
    print.opening();
    lab = await Lab.up(withoutPorts(readTopology(join(folder, "docker-compose.yml"))), {
      name: `demo-${process.pid}`,
      abort: abort.signal,
    });
    for await (const report of new HaproxyKeepalivedScenario(lab, { folder }).run()) {
      print.step(report);
      if (!report.ok) failed++;
    }
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    process.stderr.write(`evenkeel demo: ${error.message}\n${error.details}\n`);
    failed++;
  } finally {
    await clear();
  }
  print.closing(failed, (performance.now() - startedAt) / 1000);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** The demo looks at everything from inside; ports of this machine may be somebody else's. */
const withoutPorts = (topology: Topology): Topology => ({
  ...topology,
  nodes: topology.nodes.map((node) => ({ ...node, ports: [] })),
});

interface Printer {
  opening(): void;
  step(report: StepReport): void;
  closing(failed: number, tookSeconds: number): void;
}

function printer(json: boolean): Printer {
  const out = (text: string) => process.stdout.write(`${text}\n`);
  if (json) {
    return {
      opening: () => undefined,
      step: ({ title, ok, facts, traffic }) =>
        out(
          JSON.stringify({
            title,
            ok,
            facts,
            gapsMs: Object.fromEntries(traffic.map((one) => [one.node, one.longestGapMs()])),
          }),
        ),
      closing: (failed, tookSeconds) => out(JSON.stringify({ ok: failed === 0, tookSeconds })),
    };
  }
  const colour = process.stdout.isTTY === true && process.env.NO_COLOR === undefined;
  const paint = (text: string, code: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const columns = Math.min(process.stdout.columns ?? 100, 120);
  return {
    opening() {
      out(paint("evenkeel demo: two balancers, three web servers, two clients", "1"));
      out("");
      out(
        "   h1 .204  h2 .205 ── client_net 178.9.2.0/24 ──┬─ lb1 .200 / .100 ─┬── server_net 187.2.9.0/24 ── s1 s2 s3",
      );
      out("                        VIP 178.9.2.220          └─ lb2 .210 / .110 ─┘   VIP 187.2.9.120");
      out("");
      out("In the strips each character is a request: the number of the server that answered, a dot where none did.");
      out("");
    },
    step({ title, ok, facts, traffic }) {
      out(`${ok ? paint("ok  ", "1;32") : paint("FAIL", "1;31")} ${paint(title, "1")}`);
      for (const fact of facts) out(`       ${fact}`);
      for (const one of traffic) {
        const [first = "", ...more] = strip(one.records(), { columns: columns - 12 });
        out(`       ${one.node}  ${first}`);
        for (const line of more) out(`       ${" ".repeat(one.node.length)}  ${line}`);
      }
    },
    closing(failed, tookSeconds) {
      out("");
      const verdict = failed === 0 ? paint("Every step came out as it must", "1;32") : paint("A step failed", "1;31");
      out(`${verdict}, in ${tookSeconds.toFixed(0)} s. Nothing of it is left on this machine.`);
    },
  };
}
