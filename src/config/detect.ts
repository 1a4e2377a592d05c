/** Tells keepalived.conf from haproxy.cfg by what is written in it. */

/** Undefined when nothing in `text` speaks for either. */
export declare function kindOf(text: string): "keepalived" | "haproxy" | undefined;
