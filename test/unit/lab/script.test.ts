import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { nodeEnvironment, nodePaths } from "../../../src/lab/paths.ts";
import { nodeScript, quote, switchNames, switchScript } from "../../../src/lab/script.ts";
import { commandFromText, nameOfCommand } from "../../../src/lab/words.ts";
import { nodeOf, read } from "./read.ts";

const ROUTER = readFileSync(new URL("../../fixtures/lab/router.lab.yml", import.meta.url), "utf8");

function routerLab() {
  const { topology } = read("router.lab.yml", ROUTER, { "/labs/first/page": "file" });
  if (topology === undefined) throw new Error("the fixture has mistakes");
  return topology;
}

test("segments become bridges that pass multicast and forward at once", () => {
  const script = switchScript(routerLab());
  assert.match(script, /^link add left type bridge stp_state 0 forward_delay 0 mcast_snooping 0$/m);
  assert.match(script, /^link set r\.eth1 master right up$/m);
});

test("the switch ends when whoever builds the lab goes away before saying go", () => {
  const script = switchScript(routerLab());
  const waits = script.split("\n").filter((line) => line.startsWith("read -r word"));
  assert.deepEqual(waits, [
    'read -r word || exit 1; [ "$word" = attach ] || exit 1',
    'read -r word || exit 1; [ "$word" = go ] || exit 1',
  ]);
});

test("a node's interfaces are cables into the switch, with addresses before routes", () => {
  const topology = routerLab();
  const script = nodeScript(topology, nodeOf(topology, "a"), nodePaths("/labs/first", [], "/project"));
  const batch = /ip -batch - <<'END'\n([\s\S]*?)\nEND/.exec(script)?.[1];
  assert.deepEqual(batch?.split("\n"), [
    "link set lo up",
    "link add eth0 address 02:42:0a:01:00:02 type veth peer name a.eth0 netns ../../switch",
    "address add 10.1.0.2/24 broadcast + dev eth0",
    "link set eth0 up",
    "route add 10.2.0.0/24 via 10.1.0.1",
  ]);
});

test("names that are too long for an interface are shortened, each to its own", () => {
  const { topology } = read(
    "x.lab.yml",
    "nodes: {a-rather-long-name: , another-long-name: }\nlinks:\n  - {segment: a-segment-with-a-name, members: [a-rather-long-name, another-long-name]}",
  );
  assert.ok(topology);
  const names = switchNames(topology);
  assert.equal(names.bridge("a-segment-with-a-name"), "bridge.0");
  assert.equal(names.port("a-rather-long-name", "eth0"), "port.0");
  assert.equal(names.port("another-long-name", "eth0"), "port.1");
});

test("a quoted word is one word to the shell, whatever is in it", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 30 }).filter((word) => !word.includes("\0")),
      (word) => {
        const printed = execFileSync("sh", ["-c", `printf %s ${quote(word)}x`]);
        assert.equal(printed.toString(), Buffer.from(`${word}x`).toString());
      },
    ),
    { numRuns: 25 },
  );
});

test("a command is split as the shell would, and given to one when only that can do it", () => {
  assert.deepEqual(commandFromText("sleep 5"), ["sleep", "5"]);
  assert.deepEqual(commandFromText(`nginx -g "daemon off;" 'a b'c \\ d`), ["nginx", "-g", "daemon off;", "a bc", " d"]);
  assert.deepEqual(commandFromText("a | b"), ["sh", "-c", "a | b"]);
  assert.deepEqual(commandFromText("echo $HOME"), ["sh", "-c", "echo $HOME"]);
  assert.deepEqual(commandFromText("A=1 b"), ["sh", "-c", "A=1 b"]);
  assert.deepEqual(commandFromText("echo 'never closed"), ["sh", "-c", "echo 'never closed"]);
  assert.equal(commandFromText("  "), undefined);
});

test("a program is called as its file is", () => {
  assert.equal(nameOfCommand(["/usr/sbin/nginx", "-g"]), "nginx");
  assert.equal(nameOfCommand(["sh", "-c", "A=1 exec /bin/web --now"]), "web");
});

test("a folder that a node cannot see where it is, is shown to it elsewhere", () => {
  const bind = { source: "/x", sourceIsFolder: true, target: "/srv", readOnly: false };
  const paths = nodePaths("/srv/labs/one", [bind], "/tmp/project");
  assert.equal(paths.project, "/run/lab/project");
  assert.equal(paths.lab, "/run/lab/files");
  assert.deepEqual(paths.moved, [
    { from: "/tmp/project", to: "/run/lab/project" },
    { from: "/srv/labs/one", to: "/run/lab/files" },
  ]);
  assert.deepEqual(nodePaths("/srv/labs", [], "/opt/evenkeel").moved, []);
});

test("evenkeel and its node come first on a node's PATH, unpacked peers last", () => {
  const env = nodeEnvironment(nodePaths("/labs", [], "/opt/evenkeel"), new Map([["A", "1"]]), { B: "2" });
  assert.ok(env.PATH?.startsWith("/opt/evenkeel/bin:/opt/evenkeel/node_modules/.bin:"));
  assert.ok(env.PATH?.endsWith(":/opt/evenkeel/.cache/peers/bin"));
  assert.equal(env.A, "1");
  assert.equal(env.B, "2");
});
