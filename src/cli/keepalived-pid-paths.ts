/** Where keepalived 2.2.7 keeps its pid files: `-p`, `-r` and `-c`, or /run, or /run/keepalived with `use_pid_dir`, `-s` or `instance`. */

export interface PidPaths {
  readonly parent: string;
  readonly vrrp: string;
  readonly checkers: string;
}

export function pidPaths(
  given: ReadonlyMap<string, string>,
  names: {
    readonly usePidDir: boolean;
    readonly instance: string | undefined;
    readonly namespace: string | undefined;
  },
): PidPaths {
  const own = names.usePidDir || names.instance !== undefined || names.namespace !== undefined;
  // In a namespace keepalived mounts a /run/keepalived of its own; without that the name tells them apart.
  const suffix = [names.instance, names.namespace].flatMap((name) => (name === undefined ? [] : [`_${name}`])).join("");
  const place = (name: string) => (own ? `/run/keepalived/${name}${suffix}.pid` : `/run/${name}.pid`);
  return {
    parent: given.get("pid") ?? place("keepalived"),
    vrrp: given.get("vrrp_pid") ?? place("vrrp"),
    checkers: given.get("checkers_pid") ?? place("checkers"),
  };
}
