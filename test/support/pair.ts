/** A PostgreSQL database and a lake, with what the tests of this path say most often. */
import type pg from 'pg';
import { expect } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { Pair as AnyPair, type Streams } from '../../guarantees/pair.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import type { FoldedState } from '../../src/connectors/lake/records.ts';
import type { Checkpoint } from '../../src/core/stream.ts';
import type { PostgresServer } from '../../src/testing/postgres-server.ts';

export type { Streams };

export class Pair extends AnyPair {
  /** A new database and an empty lake. */
  static async open(server: PostgresServer, streams: Streams, sql: string = ''): Promise<Pair> {
    const from = await PostgresSide.open(server);
    if (sql !== '') await from.db.query(sql);
    return new Pair(from, (folder) => new LakeSide(folder), streams);
  }

  get db(): pg.Client {
    return this.from.db;
  }

  get url(): string {
    return this.from.url;
  }

  /** Options of the source connection. */
  get source(): Record<string, unknown> {
    const { type: _, ...options } = this.from.connection;
    return options;
  }

  set source(options: Record<string, unknown>) {
    this.from.connection = { type: 'postgres', url: this.url, ...options };
  }

  /** Options of the lake. */
  set lake(options: Record<string, unknown>) {
    this.to.connection = { type: 'lake', path: './lake', ...options };
  }

  async connect(url?: string): Promise<pg.Client> {
    return this.from.connect(url);
  }

  async state(table: string): Promise<FoldedState | undefined> {
    return this.to.state(table);
  }

  async commitCheckpoint(table: string, checkpoint: Checkpoint): Promise<void> {
    await this.to.commitCheckpoint(table, checkpoint);
  }

  async query(table: string, sql: string): Promise<Record<string, unknown>[]> {
    return this.to.query(table, sql);
  }

  async lines(table: string, view?: 'current' | 'history', columns?: string[]): Promise<string[]> {
    return this.to.lines(table, view, columns);
  }

  /** The lake's current rows are those of the source, no more and no fewer. */
  async expectEqual(table: string, from?: string): Promise<void> {
    const { lost, extra } = await this.compare(table, from);
    expect({ lost, extra }).toEqual({ lost: [], extra: [] });
  }

  /** No version of a row was loaded twice. */
  async expectNoRepeats(table: string): Promise<void> {
    const lines = await this.lines(table, 'history');
    expect(lines.filter((line, i) => line === lines[i - 1])).toEqual([]);
  }
}
