/** What one probe found: a line of JSON that `probe-main.ts` prints and `strip.ts` reads. */

export interface ProbeRecord {
  /** From 0. */
  readonly sequence: number;
  /** CLOCK_MONOTONIC in milliseconds with a fraction: comparable between processes of one machine. */
  readonly sentMs: number;
  readonly ok: boolean;
  /** Who answered: the header `x-served-by`, else the first line of the body, else the responder's address (ICMP). */
  readonly by?: string;
  /** Status of the HTTP response. */
  readonly status?: number;
  /** Of an ICMP echo reply. */
  readonly ttl?: number;
  readonly latencyMs?: number;
  readonly error?: string;
}
