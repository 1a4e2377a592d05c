/** What `ipvsadm -h` and `-v` print. The first line is ipvsadm 1.31's, as tools read it; the rest is in our own words. */

export const VERSION_LINE = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";

export const HELP = `The command of this name that comes with evenkeel: the same words, over evenkeel's data plane.

One command, which must come first, then its options:
  -A, --add-service SERVICE            a new virtual service
  -E, --edit-service SERVICE           other settings for one that is there
  -D, --delete-service SERVICE         remove one with all its servers
  -C, --clear                          remove all of them
  -a, --add-server SERVICE -r SERVER   a new real server in a service
  -e, --edit-server SERVICE -r SERVER  other settings for one that is there
  -d, --delete-server SERVICE -r SERVER
  -L, -l, --list [SERVICE]             show the tables; so does no command at all
  -Z, --zero [SERVICE]                 counters back to zero
  -S, --save                           print the tables as commands
  -R, --restore                        carry out commands from standard input, one a line
  --set TCP TCPFIN UDP                 seconds after which idle connections end; 0 leaves one as it is
  --start-daemon ROLE                  refused: connections are not copied between balancers
  --stop-daemon ROLE                   ROLE is master or backup
  -h, --help
  -v, --version

SERVICE is one of
  -t, --tcp-service HOST[:PORT]        an IPv6 address with a port needs brackets: [2001:db8::1]:80
  -u, --udp-service HOST[:PORT]
  --sctp-service HOST[:PORT]           refused: SCTP is not balanced
  -f, --fwmark-service NUMBER          packets with this mark, from 1 up; then -6, --ipv6 for those of IPv6

With -A and -E:
  -s, --scheduler NAME                 rr wrr lc wlc sh dh mh sed nq fo ovf lblc lblcr twos; wlc if not given
  -b, --sched-flags FLAG[,FLAG]        sh-fallback sh-port mh-fallback mh-port flag-1 flag-2 flag-3
  -p, --persistent [SECONDS]           a client stays with its server; 360 if not given
  -M, --netmask MASK                   clients of one network count as one; IPv6: the length of the prefix
  -o, --ops                            UDP: every packet on its own
  --pe NAME                            refused: there are no persistence engines
  --on-server-down reset|move|keep     evenkeel's: what becomes of the connections of a server that goes

With -a and -e:
  -r, --real-server HOST[:PORT]        the service's port if none is given
  -g, --gatewaying                     direct routing, which is meant if nothing is said
  -m, --masquerading                   NAT
  -i, --ipip                           tunnel
  -w, --weight NUMBER                  share of new connections; 0 gets none, 1 if not given
  -x, --u-threshold NUMBER             connections above which it gets no new ones
  -y, --l-threshold NUMBER             connections below which it gets new ones again
  --tun-type ipip|gue|gre, --tun-port NUMBER, --tun-nocsum, --tun-csum, --tun-remcsum
  --drain                              evenkeel's: no new clients, persistent ones neither

With -L (-S knows -n and --nosort too):
  -n, --numeric                        no names
  -c, --connection                     connections instead of services
  --stats  --rate  --thresholds  --persistent-conn  --tun-info
                                       other columns
  -X, --exact                          all digits of large numbers
  --nosort                             in the order of the table (--sort: sorted, as it is anyway)
  --timeout  --daemon                  time-outs; synchronization
  --owner                              evenkeel's: marks what \`evenkeel run\` configured, as on a terminal
  --json                               evenkeel's: one JSON document
`;
