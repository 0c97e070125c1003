import { ConfigError } from "../../support/errors.js";

/**
 * The simple commands of a shell script with the place of every word, so that words can be changed and all else stays
 * byte for byte. Knows quotes, continued lines (also those that end in `\r\n`), comments, redirections, here-documents and
 * substitutions. Runs nothing: `$NAME` and `$(command)` stay text, and what they hold is not looked at.
 *
 * Reference: POSIX.1-2017, Shell Command Language, 2.2 and 2.3, and bash's arrays and `&>`.
 */
export interface Word {
  /** in the script's text */
  readonly start: number;
  readonly end: number;
  /** without quotes; expansions as they are written */
  readonly value: string;
  /** whether the value holds an expansion, so that it is known only when the script runs */
  readonly hasExpansion: boolean;
}

/** The words between two operators or line ends; redirections and their targets are left out. */
export type ShellCommand = readonly Word[];

const REDIRECTION = /(?:\d+|\{\w+\})?(?:<<<|<<-?|<>|>>|>\||<&|>&|<(?!\()|>(?!\())|&>>?/y;
const OPERATOR = /\|\||&&|;;&?|;&|\|&|[;|&()]/y;
const BLANK = /(?:[ \t]|\\\r?\n)+/y;
const LINE_END = /\r?\n/y;
/** At the place of its first character. */
const WORD_END = /[ \t\n;|&<>()]|\r\n/y;

interface HereDocument {
  readonly delimiter: string;
  readonly stripsTabs: boolean;
}

class Scanner {
  readonly commands: ShellCommand[] = [];
  readonly #text: string;
  readonly #where: string;
  #position = 0;
  #words: Word[] = [];
  #hereDocuments: HereDocument[] = [];
  /** what the next word is, if it is the target of a redirection */
  #target: string | undefined;

  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
    // A mark of UTF-8 at the beginning of a file is no part of its first word.
    if (text.startsWith("\ufeff")) this.#position = 1;
  }

  scan(): void {
    while (this.#position < this.#text.length) {
      if (this.#take(BLANK) !== undefined) continue;
      if (this.#text[this.#position] === "#") this.#skipTo(this.#text.indexOf("\n", this.#position));
      else if (this.#take(LINE_END) !== undefined) {
        this.#endCommand();
        this.#skipHereDocuments();
      } else this.#takeToken();
    }
    this.#endCommand();
  }

  #takeToken(): void {
    const redirection = this.#take(REDIRECTION);
    if (redirection !== undefined) this.#target = redirection;
    else if (this.#take(OPERATOR) !== undefined) this.#endCommand();
    else this.#takeWord();
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#text)?.[0];
    if (match !== undefined) this.#position += match.length;
    return match;
  }

  /** @param position -1 for the end of the text */
  #skipTo(position: number): void {
    this.#position = position < 0 ? this.#text.length : position;
  }

  #endCommand(): void {
    if (this.#words.length > 0) this.commands.push(this.#words);
    this.#words = [];
    this.#target = undefined;
  }

  #takeWord(): void {
    const start = this.#position;
    let value = "";
    let hasExpansion = false;
    for (;;) {
      const character = this.#text[this.#position];
      const opensArray = character === "(" && /^[A-Za-z_]\w*\+?=$/.test(value);
      const opensProcess = (character === "<" || character === ">") && this.#text[this.#position + 1] === "(";
      WORD_END.lastIndex = this.#position;
      if (character === undefined || (WORD_END.test(this.#text) && !opensArray && !opensProcess)) break;
      const part = this.#takePart();
      value += part.value;
      hasExpansion ||= part.isExpansion;
    }
    const target = this.#target;
    this.#target = undefined;
    if (target === undefined) this.#words.push({ start, end: this.#position, value, hasExpansion });
    else if (/<<-?$/.test(target) && !target.endsWith("<<<")) {
      this.#hereDocuments.push({ delimiter: value, stripsTabs: target.endsWith("-") });
    }
  }

  /** A quoted text, an expansion, an escaped or a single character. */
  #takePart(): { value: string; isExpansion: boolean } {
    const start = this.#position;
    const rest = this.#text.slice(start, start + 2);
    const raw = (): string => this.#text.slice(start, this.#position);
    if (rest[0] === "'") {
      this.#position = this.#closing("'", start) + 1;
      return { value: raw().slice(1, -1), isExpansion: false };
    }
    if (rest === "$'") {
      this.#skipEscaped("'", start + 2);
      return { value: raw().slice(2, -1), isExpansion: raw().includes("\\") };
    }
    if (rest[0] === '"') return this.#takeDoubleQuoted();
    if (rest[0] === "\\") {
      const lineEnd = /^\\\r?\n/.exec(this.#text.slice(start, start + 3))?.[0];
      this.#position += lineEnd?.length ?? 2;
      return { value: lineEnd === undefined ? (rest[1] ?? "") : "", isExpansion: false };
    }
    this.#position += 1;
    if (/^(?:[$<>]\(|\$\{|\(|`)/.test(rest)) {
      this.#position = start;
      this.#skipExpansion();
    } else if (rest[0] !== "$") return { value: rest[0]!, isExpansion: false };
    return { value: raw(), isExpansion: true };
  }

  #takeDoubleQuoted(): { value: string; isExpansion: boolean } {
    const opening = this.#position;
    let value = "";
    let isExpansion = false;
    this.#position += 1;
    for (;;) {
      const character = this.#text[this.#position];
      if (character === undefined) throw this.#unclosed('"', opening);
      if (character === '"') break;
      const start = this.#position;
      const next = this.#text[start + 1];
      if (character === "\\") {
        const lineEnd = /^\\\r?\n/.exec(this.#text.slice(start, start + 3))?.[0];
        this.#position += lineEnd?.length ?? 2;
        if (lineEnd === undefined) value += next !== undefined && '$`"\\'.includes(next) ? next : `\\${next ?? ""}`;
        continue;
      }
      isExpansion ||= character === "`" || character === "$";
      if (character === "`" || (character === "$" && (next === "(" || next === "{"))) this.#skipExpansion();
      else this.#position += 1;
      value += this.#text.slice(start, this.#position);
    }
    this.#position += 1;
    return { value, isExpansion };
  }

  /** Passes `$(...)`, `${...}`, `<(...)`, `(...)` or a text in backquotes, quotes and further ones inside included. */
  #skipExpansion(): void {
    const start = this.#position;
    const opening =
      this.#text.indexOf("`", start) === start ? "`" : this.#text.slice(start).match(/^[$<>]?([({])/)![1]!;
    if (opening === "`") {
      this.#skipEscaped("`", start + 1);
      return;
    }
    this.#position = this.#text.indexOf(opening, start) + 1;
    const closing = opening === "(" ? ")" : "}";
    for (;;) {
      const character = this.#text[this.#position];
      if (character === undefined) throw this.#unclosed(opening, start);
      if (character === closing) break;
      if (character === "'" && opening === "(") this.#position = this.#closing("'", this.#position) + 1;
      else if (character === '"') this.#takeDoubleQuoted();
      else if (character === "\\") this.#position += 2;
      else if (
        character === "`" ||
        character === "(" ||
        /^\$[({]/.test(this.#text.slice(this.#position, this.#position + 2))
      ) {
        this.#skipExpansion();
      } else this.#position += 1;
    }
    this.#position += 1;
  }

  #skipEscaped(closing: string, from: number): void {
    const start = this.#position;
    for (let i = from; i < this.#text.length; i++) {
      if (this.#text[i] === "\\") i++;
      else if (this.#text[i] === closing) {
        this.#skipTo(i + 1);
        return;
      }
    }
    throw this.#unclosed(closing, start);
  }

  #closing(quote: string, opening: number): number {
    const position = this.#text.indexOf(quote, opening + 1);
    if (position < 0) throw this.#unclosed(quote, opening);
    return position;
  }

  #skipHereDocuments(): void {
    for (const { delimiter, stripsTabs } of this.#hereDocuments) {
      while (this.#position < this.#text.length) {
        const start = this.#position;
        const end = this.#text.indexOf("\n", start);
        this.#skipTo(end < 0 ? -1 : end + 1);
        const line = this.#text.slice(start, this.#position).replace(/\r?\n$/, "");
        if ((stripsTabs ? line.replace(/^\t+/, "") : line) === delimiter) break;
      }
    }
    this.#hereDocuments = [];
  }

  #unclosed(opening: string, position: number): ConfigError {
    return new ConfigError(
      `${this.#where}, line ${lineAt(this.#text, position)}`,
      `expected the ${opening} to be closed, got the end of the script. Is it a shell script?`,
    );
  }
}

/** The number of a line, from 1. */
export const lineAt = (text: string, position: number): number => text.slice(0, position).split("\n").length;

/**
 * The simple commands of a script, in order; those inside substitutions, arrays and here-documents are not among them.
 *
 * @param where names the script in messages
 * @throws ConfigError with the line if a quote or bracket is never closed
 */
export function parseShellScript(text: string, where: string): readonly ShellCommand[] {
  const scanner = new Scanner(text, where);
  scanner.scan();
  return scanner.commands;
}
