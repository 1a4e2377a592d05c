/** Something that a user can mend: the message says what, `details` has the lines of the tool or program that failed. */
export class LabError extends Error {
  override readonly name = "LabError";
  readonly details: string;
  constructor(message: string, details = "") {
    super(message);
    this.details = details;
  }
}
