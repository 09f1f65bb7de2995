import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createRing, RingConsumer, RingProducer } from '../../core/byte-ring.ts';
import type { BadRecord } from '../../core/quarantine.ts';
import type { StreamConfig } from '../../core/stream.ts';
import { type Cell, fromBatch } from '../../testing/batch-rows.ts';
import { DocumentInput, sendDocument } from '../shared/text/document-input.ts';
import { createTextDecoder } from '../shared/text/text-decoder.ts';
import type { DumpIndex } from './dump-index.ts';
import { DumpIndexer } from './indexer.ts';
import { documentLayout } from './source.ts';
import { surveyTable } from './survey.ts';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

interface Given {
  /** Bytes of a piece, so that statements lie across borders. */
  pieces?: number;
  partBytes?: number;
  maxRows?: number;
}

async function ringOf(text: Buffer, pieces: number): Promise<RingConsumer> {
  const memory = createRing(1 << 16, 4);
  const producer = new RingProducer(memory);
  const each = (async function* () {
    for (let at = 0; at < text.length; at += pieces) yield text.subarray(at, at + pieces);
  })();
  await sendDocument(producer, 0, each, () => undefined);
  producer.end();
  return new RingConsumer(memory);
}

async function indexOf(text: string | Buffer, given: Given = {}): Promise<DumpIndex> {
  const bytes = Buffer.from(text as string);
  const ring = await ringOf(bytes, given.pieces ?? (bytes.length || 1));
  return new DumpIndexer(new DocumentInput(ring), given.partBytes ?? 1 << 20).read();
}

interface TableRows {
  rows: Cell[][];
  bad: (BadRecord & { table: string })[];
}

/** Rows by table. */
async function rowsOf(
  text: string | Buffer,
  given: Given = {},
): Promise<{ index: DumpIndex; tables: Record<string, TableRows> }> {
  const bytes = Buffer.from(text as string);
  const index = await indexOf(bytes, given);
  const object = { key: 'x.sql', size: bytes.length, modifiedAt: 0 };
  const tables: Record<string, TableRows> = {};
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-dump-'));
  try {
    for (const { name } of index.tables) {
      const badRecords = path.join(folder, `${name}.jsonl`);
      const found: TableRows = { rows: [], bad: [] };
      const stream = { name, types: {}, rename: {}, cursor: [] } as unknown as StreamConfig;
      const survey = surveyTable(
        { object, crc32: '', index, plain: true },
        { stream, checkpoint: undefined, window: {}, sliceBytes: 1 << 20, first: true },
      );
      for (const { range } of survey.parts.flatMap((part) => (part.kind === 'files' ? part.files : []))) {
        const part = { path: 'x.sql', ...object, range: range! };
        const ring = await ringOf(
          bytes.subarray(range!.from, range!.to),
          given.pieces ?? (bytes.length || 1),
        );
        const decoder = createTextDecoder(ring, survey.schema, {
          documents: [documentLayout(survey, part)],
          maxRows: given.maxRows ?? 64,
          maxBytes: 1 << 20,
          badRecords,
        });
        for (let batch = decoder.next(); batch; batch = decoder.next()) found.rows.push(...fromBatch(batch));
      }
      found.bad = badOf(badRecords, name);
      tables[name] = found;
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { index, tables };
}

function badOf(file: string, table: string): TableRows['bad'] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => ({ ...(JSON.parse(line) as BadRecord), table }))
      .filter(({ code }) => code !== undefined);
  } catch {
    // There is none when all is well.
    return [];
  }
}

const PG = `--
-- PostgreSQL database dump
--
\\restrict x
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS $_$ begin insert into t values (1); end; $_$;
CREATE TYPE public.mood AS ENUM ('a;b', 'it''s');
CREATE DOMAIN public.cents AS numeric(12,2) DEFAULT 0;
CREATE TABLE public.t (
    id integer NOT NULL,
    "Na""me" character varying(40) DEFAULT 'x''y; --'::character varying,
    price public.cents,
    m public.mood,
    doubled integer GENERATED ALWAYS AS ((id * 2)) STORED,
    b bytea,
    CONSTRAINT positive CHECK ((id > 0))
);
COMMENT ON TABLE public.t IS 'things; of ''t''';
COMMENT ON COLUMN public.t."Na""me" IS 'name';
`;
const PG_END = `
ALTER TABLE ONLY public.t ADD CONSTRAINT t_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.t ADD CONSTRAINT t_fk FOREIGN KEY (id) REFERENCES public.u(id) ON DELETE CASCADE;
CREATE INDEX t_price ON public.t USING btree (price);
CREATE INDEX t_some ON public.t USING btree (price) WHERE (id > 3);
--
-- PostgreSQL database dump complete
--
`;
const COPY = `${PG}COPY public.t (id, "Na""me", price, m, b) FROM stdin;
1	a\\tb\\\\n\\n\\101\\x41	1.50	it's	\\\\x00ff
2	\\N	\\N	\\N	\\N
3	\\\\N	0	a;b	\\\\x
4	too few
5		nope	a;b	\\N
\\.
${PG_END}`;
const ROWS = [
  ['1', 'a\tb\\n\nAA', '1.50', "it's", '00ff'],
  ['2', null, null, null, null],
  ['3', '\\N', '0.00', 'a;b', ''],
];

const MYSQL = `-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
/*!999999\\- enable the sandbox mode */
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;
DROP TABLE IF EXISTS \`a b\`;
/*!40101 SET character_set_client = utf8 */;
CREATE TABLE \`a b\` (
  \`id\` int(11) unsigned NOT NULL AUTO_INCREMENT COMMENT 'the; id',
  \`s\` varchar(20) DEFAULT 'it''s \\'x\\'',
  \`b\` varbinary(9) DEFAULT NULL,
  \`f\` bit(9) DEFAULT b'1',
  \`at\` timestamp NULL DEFAULT current_timestamp(),
  \`j\` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(\`j\`)),
  \`e\` enum('x','y)z') DEFAULT NULL,
  PRIMARY KEY (\`id\`),
  UNIQUE KEY \`u\` (\`s\`),
  KEY \`part\` (\`s\`(3)),
  FULLTEXT KEY \`ft\` (\`s\`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COMMENT='a; table';
LOCK TABLES \`a b\` WRITE;
/*!40000 ALTER TABLE \`a b\` DISABLE KEYS */;
`;
const MYSQL_END = `UNLOCK TABLES;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=\`root\`@\`%\`*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN
INSERT INTO \`a b\` VALUES (66,NULL,NULL,NULL,NULL,NULL,NULL);
END */;;
DELIMITER ;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
-- Dump completed on 2026-01-01
`;
const INSERTS = `${MYSQL}INSERT INTO \`a b\` VALUES (1,'it''s \\'a\\'\\n\\\\),(',_binary 'a\\0\\Zb',b'100000001','2024-01-02 03:04:05','{\\"a\\": \\"\\\\\\"\\"}','y)z'),
(2,NULL,0x00FF,_binary '\\0',NULL,NULL,NULL);
INSERT INTO \`a b\` VALUES (3,_utf8mb4'\\%;
INSERT INTO \`a b\` VALUES (',x'6162',0x1,'2024-1-2 3:04:05',NULL,NULL),(4,now(),NULL,NULL,NULL,NULL,NULL),(5,'b',NULL,2,NULL,NULL,'x'),(6),(7,'\\0',NULL,NULL,NULL,NULL,NULL);
${MYSQL_END}`;

describe('a dump', () => {
  it('of PostgreSQL: tables, what they have beside their columns, and what is not understood', async () => {
    const { index, tables } = await rowsOf(COPY);
    expect(tables['public.t']!.rows).toEqual(ROWS);
    expect(tables['public.t']!.bad).toMatchObject([
      { line: 25, code: 'row.fields', raw: '4\ttoo few' },
      { line: 26, code: 'row.type', column: 'price' },
    ]);
    expect(index).toMatchObject({
      syntax: 'postgres',
      unknown: { count: 1, line: 7, words: 'CREATE FUNCTION public.f()' },
      cut: undefined,
    });
    expect(index.tables[0]).toMatchObject({
      name: 'public.t',
      key: ['id'],
      comment: "things; of 't'",
      indexes: [{ name: 't_price', unique: false, fields: ['price'] }],
      foreignKeys: [
        { fields: ['id'], references: { table: 'public.u', fields: ['id'] }, onDelete: 'cascade' },
      ],
      rows: 5,
    });
    expect(index.tables[0]!.columns).toMatchObject([
      { name: 'id', nullable: false },
      { name: 'Na"me', default: "'x''y; --'", comment: 'name' },
      { name: 'price', type: 'public.cents' },
      { name: 'm' },
      { name: 'doubled', generated: true },
      { name: 'b' },
    ]);
  });

  it('of MySQL: escapes, bytes, bits, character sets, comments that are executed, triggers', async () => {
    const { index, tables } = await rowsOf(INSERTS);
    const { rows, bad } = tables['a b']!;
    expect(rows).toEqual([
      [
        '1',
        "it's 'a'\n\\),(",
        Buffer.from('a\0\x1ab').toString('hex'),
        '257',
        String(Date.UTC(2024, 0, 2, 3, 4, 5) * 1000),
        '{"a": "\\""}',
        'y)z',
      ],
      ['2', null, '00ff', '0', null, null, null],
      [
        '3',
        '\\%;\nINSERT INTO `a b` VALUES (',
        '6162',
        '1',
        String(Date.UTC(2024, 0, 2, 3, 4, 5) * 1000),
        null,
        null,
      ],
      ['5', 'b', null, '2', null, null, 'x'],
    ]);
    expect(bad).toMatchObject([
      { line: 25, code: 'row.fields', raw: '(6)' },
      { line: 25, code: 'row.expression', column: 's' },
      { line: 25, code: 'row.nul', column: 's' },
    ]);
    expect(index.unknown).toMatchObject({ count: 1, words: 'CREATE DEFINER=`root`@`%` TRIGGER' });
    expect(index.tables[0]).toMatchObject({
      key: ['id'],
      comment: 'a; table',
      indexes: [{ name: 'u', unique: true, fields: ['s'] }],
    });
    expect(index.tables[0]!.columns).toMatchObject([
      { name: 'id', identity: true, comment: 'the; id', nullable: false },
      { name: 's', default: "'it''s ''x'''" },
      { name: 'b' },
      { name: 'f' },
      { name: 'at' },
      { name: 'j', json: true },
      { name: 'e', type: "enum('x','y)z')" },
    ]);
  });

  it('gives the same rows whatever pieces it comes in and however it is cut', async () => {
    const crlf = COPY.replaceAll('\n', '\r\n');
    const whole = new Map<string, unknown>();
    for (const text of [COPY, crlf, INSERTS]) whole.set(text, shown(await rowsOf(text)));
    expect(whole.get(crlf)).toEqual(whole.get(COPY));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(COPY, crlf, INSERTS),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 4 }),
        async (text, pieces, partBytes, maxRows) => {
          expect(shown(await rowsOf(text, { pieces, partBytes, maxRows }))).toEqual(whole.get(text));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('is refused when it ends in the middle, wherever that is', async () => {
    const bare = { copy: COPY.replace(/^--.*$/gm, ''), inserts: INSERTS.replace(/^-- .*$/gm, '') };
    for (const text of [COPY, INSERTS])
      for (let length = 200; length < text.length - 20; length += 23) {
        const { cut } = await indexOf(text.slice(0, length));
        expect(cut, text.slice(length - 20, length)).toBeDefined();
      }
    expect((await indexOf(bare.copy.slice(0, bare.copy.indexOf('4\ttoo')))).cut?.what).toBe(
      'the rows of public.t',
    );
    expect((await indexOf(bare.inserts.slice(0, bare.inserts.indexOf('(4,')))).cut?.what).toBe(
      'an INSERT into a b',
    );
    expect((await indexOf(bare.inserts.slice(0, bare.inserts.indexOf('now()')))).cut?.what).toBe(
      'an INSERT into a b',
    );
    expect((await indexOf(bare.inserts)).cut).toBeUndefined();
  });

  it('loses a statement whose quotes are broken from there on, and nothing else', async () => {
    const row = (n: number): string => `(${n},'v${n}')`;
    const lines = Array.from(
      { length: 20 },
      (_, i) =>
        `INSERT INTO t (id, v) VALUES ${row(3 * i)},${i === 7 ? `(${3 * i + 1},'it's')` : row(3 * i + 1)},${row(3 * i + 2)};\n`,
    );
    const text = `CREATE TABLE t (id int PRIMARY KEY, v text);\n${lines.join('')}`;
    for (const pieces of [7, 100_000]) {
      const { index, tables } = await rowsOf(text, { pieces });
      const { rows, bad } = tables['t']!;
      const ids = Array.from({ length: 60 }, (_, n) => String(n)).filter((n) => n !== '22' && n !== '23');
      expect(rows.map(([id]) => id)).toEqual(ids);
      expect(bad).toMatchObject([{ line: 9, code: 'row.tuple', raw: "(22,'it's'),(23,'v23');" }]);
      expect(index.tables[0]!.rows).toBe(59);
    }
  });

  it('may name columns in any order, have no definition, and be of any writer', async () => {
    const { tables, index } = await rowsOf(`
      create table "T" (a int, b text, c numeric);
      insert into "T" (c, A) values (1.5, -2), (NULL, 3) on conflict do nothing;
      INSERT INTO "T" VALUES (4, E'x\\'\\u0041', '5'), (5, 'a' || 'b', 6);
      INSERT INTO unknown (x, y) VALUES ('1', 2);
      INSERT INTO "T" SELECT * FROM other;
      UPDATE "T" SET a = 1;`);
    expect(tables['T']).toMatchObject({
      rows: [
        ['-2', null, '1.5'],
        ['3', null, null],
        ['4', "x'u0041", '5'],
      ],
      bad: [{ code: 'row.expression', column: 'b' }],
    });
    expect(tables['unknown']!.rows).toEqual([['1', '2']]);
    expect(index.unknown).toMatchObject({ count: 2, words: 'INSERT INTO "T"' });
  });
});

function shown({ tables }: Awaited<ReturnType<typeof rowsOf>>): unknown {
  return Object.entries(tables).map(([name, { rows, bad }]) => [
    name,
    rows,
    bad.map(({ line, code, column }) => `${line} ${code} ${column}`).toSorted(),
  ]);
}

describe('names in a dump', () => {
  it('mean the table of the moment, and rows of a table that is dropped are gone', async () => {
    const { tables, index } = await rowsOf(`
      CREATE TABLE a.t (x text); CREATE TABLE b.t (x text);
      SET search_path = a; INSERT INTO t VALUES ('in a');
      SET search_path = b; INSERT INTO t VALUES ('in b'); INSERT INTO t VALUES ('again in b');
      DROP TABLE a.t; CREATE TABLE a.t (x text); INSERT INTO a.t VALUES ('anew');
      ALTER TABLE a.t RENAME COLUMN x TO y;`);
    expect(tables).toMatchObject({
      'a.t': { rows: [['anew']] },
      'b.t': { rows: [['in b'], ['again in b']] },
    });
    expect(index.unknown).toMatchObject({ count: 1, words: 'ALTER TABLE a.t' });
    const two = 'CREATE TABLE t (x text);\n\\connect other\nCREATE TABLE t (x text);\n';
    await expect(indexOf(two)).rejects.toMatchObject({ code: 'dump.databases' });
  });
});
