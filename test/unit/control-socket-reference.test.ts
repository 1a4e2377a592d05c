/** docs/reference/control-socket.md against the types, both ways. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
const page = read("docs/reference/control-socket.md");
const section = (title: string): string => page.split(/^## /m).find((one) => one.startsWith(`${title}\n`)) ?? "";
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);

test("the page has every kind of event with its fields, and no others", () => {
  const bodyOf = (path: string, name: string): string =>
    new RegExp(`export type ${name} =([\\s\\S]*?\\});\\n`).exec(read(path))?.[1] ?? "";
  const own = bodyOf("src/daemon/events.ts", "EventBody");
  const source = `${own}\n${bodyOf("src/health/virtual-server-messages.ts", "VirtualServerEvent")}`
    .split(/^ {2}\| /m)
    .filter((one) => one.includes("kind"))
    .map((one) => {
      const [, kind = ""] = /readonly kind: "([^"]+)"/.exec(one) ?? [];
      return [
        kind,
        ...[...one.matchAll(/readonly (\w+):/g)].map(([, name = ""]) => name).filter((name) => name !== "kind"),
      ];
    });
  const documented = [...section("Events").matchAll(/^\| (`[^|]+`) \| ([^|]*) \|/gm)].map(
    ([, kind = "", fields = ""]) => [...quoted(kind), ...quoted(fields)],
  );
  assert.ok(source.length > 5);
  assert.deepEqual(documented.toSorted(), source.toSorted());
});

test("the page has every command, and no others", () => {
  const source = /readonly command: ([^;]+);/.exec(read("src/daemon/supervisor/control.ts"))?.[1] ?? "";
  const commands = [...source.matchAll(/"([^"]+)"/g)].map(([, name = ""]) => name);
  const documented = [...section("Commands").matchAll(/^\| `\{"command":"([^"]+)"\}` \|/gm)].map(
    ([, name = ""]) => name,
  );
  assert.ok(commands.length > 2);
  assert.deepEqual(documented.toSorted(), commands.toSorted());
});

test("the page has every field of the status and of an instance, and no others", () => {
  const fieldsOf = (path: string, name: string): string[] => {
    const body = new RegExp(`export interface ${name} \\{\\n([\\s\\S]*?)\\n\\}\\n`).exec(read(path))?.[1] ?? "";
    return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, field = ""]) => field);
  };
  const status = section("Status");
  const documented = [...status.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = ""]) => name);
  assert.deepEqual(documented.toSorted(), fieldsOf("src/daemon/supervisor/status.ts", "StatusReport").toSorted());
  const processes = quoted(/^\| `processes` \| (.*)$/m.exec(status)?.[1] ?? "");
  assert.deepEqual(processes.toSorted(), fieldsOf("src/daemon/supervisor/status.ts", "ProcessReport").toSorted());
  const [, ...instance] = quoted(/^`vrrp\.instances` have [\s\S]*$/m.exec(status)?.[0] ?? "");
  assert.deepEqual(instance.toSorted(), fieldsOf("src/vrrp/messages.ts", "InstanceSnapshot").toSorted());
});
