/** How many connections a table holds when nobody says. */

const LARGE = 1 << 20;
const SMALL = 1 << 18;
/** Of 8 GiB the kernel keeps some for itself before it says how much there is. */
const LARGE_FROM_BYTES = 7.5 * 2 ** 30;

/** An empty plane takes 156 MB with tables of the large size, 55 MB with the small one. @param memoryBytes the machine's */
export const defaultCapacity = (memoryBytes: number): number => (memoryBytes >= LARGE_FROM_BYTES ? LARGE : SMALL);
