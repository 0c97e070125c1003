/** Whether a pattern is a plain name, without `*` or `?`. */
export const isPlainName = (pattern: string): boolean => !/[*?]/.test(pattern);

function toRegExp(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}

/**
 * Whether a path is wanted, by the rules of Hugging Face's own downloads: `*` stands for any text (also across `/`), `?` for
 * one character; without patterns everything is wanted.
 */
export const matchesPatterns = (path: string, patterns: readonly string[] | undefined): boolean =>
  patterns === undefined || patterns.some((pattern) => toRegExp(pattern).test(path));
