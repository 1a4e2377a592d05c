/**
 * Which room of src/ may import what (ARCHITECTURE.md, code map). `npm run check` applies it.
 *
 * A room that has no line here may not be imported and may import nothing, so a new folder starts with a line. Cycles are
 * Biome's to find: swc does not tell which imports are of types alone.
 */

/** What a room may import besides itself: folders or files of src/. */
const rooms = {
  base: [],
  wire: ["base/"],
  health: ["base/", "config/model/", "director/plane.ts"],
  balance: ["base/"],
  http: ["base/"],
  config: ["base/", "director/plane.ts"],
  director: ["base/", "wire/", "balance/", "config/model/", "config/text/"],
  vrrp: ["base/", "wire/", "config/model/"],
  proxy: ["base/", "http/", "balance/", "health/", "config/model/"],
  sys: ["base/", "wire/", "proxy/port.ts"],
  plan: ["base/"],
  lab: ["base/", "wire/", "sys/", "config/text/", "daemon/supervisor/status.ts"],
  daemon: ["base/", "wire/", "vrrp/", "health/", "balance/", "director/", "http/", "proxy/", "config/", "sys/"],
  cli: [""],
};

/** npm packages, by the rooms that may import them; what no line names, no room imports. */
const packages = { lab: ["yaml"], cli: ["commander"], daemon: ["nodemailer"] };

/** Rooms that meet the operating system. All others are free of node:* modules. */
const outside = ["sys", "lab", "daemon", "cli"];

const mayImport = (room) => [
  `^src/${room}/`,
  ...rooms[room].map((target) => `^src/${target}`),
  ...(packages[room] ?? []).map((name) => `(^|/)node_modules/${name}/`),
];

export default {
  forbidden: [
    ...Object.keys(rooms).map((room) => ({
      name: `${room}-imports`,
      severity: "error",
      from: { path: `^src/${room}/` },
      to: {
        couldNotResolve: false,
        pathNot: [...mayImport(room), ...(room === "daemon" ? ["^package\\.json$"] : [])],
        ...(outside.includes(room) ? { dependencyTypesNot: ["core"] } : {}),
      },
    })),
    {
      name: "room-without-a-line",
      severity: "error",
      from: { path: "^src/", pathNot: Object.keys(rooms).map((room) => `^src/${room}/`) },
      to: {},
    },
    {
      name: "only-sys-loads-the-addon",
      comment: "createRequire comes from node:module; daemon/child.ts only keeps compiled code",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(sys/addon|daemon/child)\\.ts$" },
      to: { path: "^(node:)?module$" },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    // TypeScript 7 has no parser that dependency-cruiser can call; without swc it would read nothing and be content.
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { extensions: [".ts"], exportsFields: ["exports"], conditionNames: ["import", "node"] },
  },
};
