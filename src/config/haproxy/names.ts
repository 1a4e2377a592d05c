/** Names of sections and servers: letters, digits and `-_.:` (HAProxy 2.6 configuration.txt §4). */

export const NOT_IN_NAME = /[^A-Za-z0-9_.:-]/;
