/** weft's version; a test holds it against package.json, which dist/ can't import without I/O. */
export const VERSION = '0.1.0';
