export type RejectReason =
  | "packet-length"
  | "ttl"
  | "version"
  | "packet-type"
  | "checksum"
  | "auth-type-invalid"
  | "auth-type-mismatch"
  | "auth-failure"
  | "advert-interval";
