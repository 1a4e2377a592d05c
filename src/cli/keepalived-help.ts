/** What `keepalived -v` and `-h` print, and the name under which it starts and stops in the log. */

import { release } from "node:os";
import { VERSION } from "../daemon/version.ts";

/**
 * Programs parse `Keepalived v2.2.7 (…)`. 2.2.7 is the version whose command line, dumps and log lines these are; what
 * follows says honestly who speaks.
 */
export const KEEPALIVED_NAME = `Keepalived v2.2.7 (evenkeel ${VERSION})`;

export const versionText = (): string => `${KEEPALIVED_NAME}

Running on Linux ${release()}
Node ${process.version}

Config options:  NFTABLES LVS VRRP VRRP_AUTH VRRP_VMAC JSON SYSTEMD_NOTIFY
`;

export const helpText = (name: string): string => `Usage: ${name} [OPTION...]
  -f, --use-file=FILE          Configuration file, folder or pattern; default '/etc/keepalived/keepalived.conf'
  -P, --vrrp                   Only VRRP
  -C, --check                  Only virtual servers and their health checks
  -B, --no_bfd                 Accepted (there is no BFD)
      --all                    Accepted
  -l, --log-console            Log to standard error
  -D, --log-detail             Log in detail
  -S, --log-facility=N         Syslog facility: 0-7, local0-local7, user or daemon (default)
  -g, --log-file[=FILE]        Log to a file a process; default '/tmp/keepalived.log'
      --flush-log-file         Accepted (each line is written at once)
  -G, --no-syslog              Do not log to syslog
  -u, --umask=MASK             umask for files
  -X, --release-vips           Accepted
  -V, --dont-release-vrrp      Leave addresses where they are at stop
  -I, --dont-release-ipvs      Leave virtual servers in the data plane at stop
  -R, --dont-respawn           Stop when a child process dies
  -n, --dont-fork              Stay in the foreground
  -d, --dump-conf              Log what SIGUSR1 writes
  -p, --pid=FILE               Pid file of the parent
  -r, --vrrp_pid=FILE          Pid file of the VRRP process
  -c, --checkers_pid=FILE      Pid file of the checker process
  -b, --bfd_pid=FILE           Accepted
  -a, --address-monitoring     Accepted
  -x, --snmp                   Accepted (there is no SNMP)
  -A, --snmp-agent-socket=FILE Accepted
  -s, --namespace=NAME         Run in the network namespace NAME
  -m, --core-dump              Accepted
  -M, --core-dump-pattern=PATN Accepted
  -e, --all-config             Stop when a configuration file is missing
  -i, --config-id=ID           For lines that begin with @ID or @^ID
      --signum=SIGFUNC         Number of the signal STOP, RELOAD, DATA, STATS, STATS_CLEAR or JSON
  -t, --config-test[=FILE]     Check the configuration; to standard error, or FILE
  -v, --version                Version
  -h, --help                   This
`;
