/** Tells keepalived.conf from haproxy.cfg by what is written in it. */

const KEEPALIVED_BLOCK =
  /^[ \t]*(?:global_defs|vrrp_[a-z_]+|virtual_server(?:_group)?|static_[a-z]+|track_[a-z]+|bfd_instance|garp_group|net_namespace|SSL)\b/;
const HAPROXY_SECTION =
  /^[ \t]*(?:global|defaults|frontend|backend|listen|userlist|peers|resolvers|mailers|program|cache|ring|http-errors|fcgi-app|traces|log-forward|log-profile|crt-store)(?:[ \t]|$)/;
const KEEPALIVED_HINT =
  /[{}][ \t]*$|^[ \t]*(?:include[a-z]?[ \t]|\$[A-Za-z0-9_]+=|@\^?[A-Za-z0-9_.-]+[ \t]|~(?:SEQx?|LST)\()/;
const HAPROXY_HINT = /^[ \t]*(?:\.(?:if|notice|warning|alert|diag)\b|bind[ \t]|server[ \t]|mode[ \t]|timeout[ \t])/;
/** The beginning of a file shows what it is. */
const LOOKED_AT = 256 * 1024;
const LONGEST_LINE = 1_024;

/** Undefined when nothing in `text` speaks for either. */
export function kindOf(text: string): "keepalived" | "haproxy" | undefined {
  let blocks = 0;
  let hints = 0;
  for (const whole of text.slice(0, LOOKED_AT).split(/\r?\n/)) {
    const line = whole.slice(0, LONGEST_LINE).replace(/#.*/, "").trimEnd();
    if (KEEPALIVED_BLOCK.test(line)) blocks++;
    else if (HAPROXY_SECTION.test(line)) blocks--;
    if (KEEPALIVED_HINT.test(line)) hints++;
    else if (HAPROXY_HINT.test(line)) hints--;
  }
  const score = blocks === 0 ? hints : blocks;
  if (score === 0) return undefined;
  return score > 0 ? "keepalived" : "haproxy";
}
