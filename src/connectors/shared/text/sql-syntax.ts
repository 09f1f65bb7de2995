/** What differs between the texts of SQL dialects, as data. */
import { type Escapes, MYSQL_ESCAPES, POSTGRES_ESCAPES, QUOTE_ESCAPES } from './escapes.ts';
import { BITS, E_STRING, ESCAPED, HEX, QUOTED } from './records.ts';

export interface SqlSyntax {
  /** A backslash escapes in a text between quotes. */
  backslash: boolean;
  /** Of texts between quotes. */
  escapes: Escapes;
  /** What quotes names; other quotes stand for texts. */
  nameQuote: '"' | '`';
  /** `#` begins a comment to the end of the line. */
  hashComments: boolean;
  /** `$tag$ … $tag$` is a text. */
  dollarQuotes: boolean;
  /** What a word before a quote makes of the text, by its small letters; a word that begins with `_` names a character set. */
  prefixes: Readonly<Record<string, number>>;
  charsets: boolean;
  /** After these words a text has no blanks at its end. */
  trims: readonly string[];
}

export type SyntaxName = 'postgres' | 'postgres-escaped' | 'mysql';

const POSTGRES: SqlSyntax = {
  backslash: false,
  escapes: QUOTE_ESCAPES,
  nameQuote: '"',
  hashComments: false,
  dollarQuotes: true,
  // A string of bits is its digits.
  prefixes: { e: E_STRING, n: ESCAPED, b: QUOTED },
  charsets: false,
  // It is a `character`, whose blanks at the end go when it is assigned to another type.
  trims: ['n'],
};

export const SQL_SYNTAX: Readonly<Record<SyntaxName, SqlSyntax>> = {
  postgres: POSTGRES,
  /** With standard_conforming_strings off. */
  'postgres-escaped': { ...POSTGRES, backslash: true, escapes: POSTGRES_ESCAPES },
  mysql: {
    backslash: true,
    escapes: MYSQL_ESCAPES,
    nameQuote: '`',
    hashComments: true,
    dollarQuotes: false,
    prefixes: { n: ESCAPED, b: BITS, x: HEX },
    charsets: true,
    trims: [],
  },
};
