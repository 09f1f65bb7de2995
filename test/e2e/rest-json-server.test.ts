/** json-server, a REST server that others have written: its pages, its filters, its Link header, its children. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { ApiLake } from '../support/api.ts';

interface Post {
  id: number;
  title: string;
  views: number;
  updated_at: string;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Serves the contents of a file of JSON. */
async function serve(file: string): Promise<{ url: string } & AsyncDisposable> {
  const port = await freePort();
  const program = createRequire(import.meta.url).resolve('json-server/lib/cli/bin.js');
  const child = spawn(
    process.execPath,
    [program, '--quiet', '--host', '127.0.0.1', '--port', `${port}`, file],
    {
      stdio: 'ignore',
    },
  );
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    const up = await fetch(url).then(
      (response) => response.ok,
      () => false,
    );
    if (up) break;
    if (tries > 300) throw new Error('json-server does not answer');
    await sleep(50);
  }
  const stop = async (): Promise<void> => {
    const ended = once(child, 'exit');
    child.kill();
    await ended;
  };
  return { url, [Symbol.asyncDispose]: stop };
}

it('is read by pages, by links, by what has changed, and child by child', async () => {
  const posts = Array.from({ length: 57 }, (_, i): Post => ({
    id: i + 1,
    title: `post ${i + 1} "ümläut", ✓`,
    views: (i * 7919) % 1000,
    updated_at: new Date(Date.UTC(2026, 0, 1, 0, i)).toISOString(),
  }));
  const comments = posts.slice(0, 3).flatMap(({ id }) => [
    { id: id * 10, postId: id, body: `first of ${id}` },
    { id: id * 10 + 1, postId: id, body: `second of ${id}` },
  ]);
  await using pair = new ApiLake({ load: 'merge', key: 'id', cursor: 'updated_at' });
  const file = path.join(pair.folder, 'db.json');
  writeFileSync(file, JSON.stringify({ posts, comments }));
  await using server = await serve(file);
  pair.url = server.url;
  const paging = { by: 'page', param: '_page', size_param: '_limit', size: 10 };
  pair.endpoints = { t: { path: '/posts', params: { _sort: 'id' }, paging, since: 'updated_at_gte' } };
  expect(await pair.run()).toMatchObject({
    totals: { loaded: 57 },
    watermark: '2026-01-01 00:56:00.000000+00',
  });
  const views = posts.reduce((sum, post) => sum + post.views, 0);
  expect(await pair.query('SELECT count(*), sum(views) FROM t')).toEqual([[57, views]]);

  const changed = { ...posts[4]!, title: 'changed', updated_at: '2026-01-02T00:00:00.000Z' };
  const put = {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(changed),
  };
  expect((await fetch(`${server.url}/posts/5`, put)).ok).toBe(true);
  expect(await pair.run()).toMatchObject({ totals: { rows: 2 } });
  expect(await pair.query('SELECT title FROM t WHERE id = 5')).toEqual([['changed']]);
  expect(await pair.query('SELECT count(*) FROM t')).toEqual([[57]]);

  // A condition of the server's, and pages that it links to itself.
  await using linked = new ApiLake({ load: 'replace' });
  linked.url = server.url;
  const params = { _page: 1, _limit: 7, views_gte: 500 };
  linked.endpoints = { t: { path: '/posts', params, paging: { by: 'link' } } };
  await linked.run();
  const many = posts.filter((post) => post.views >= 500).length;
  expect(await linked.query('SELECT count(*), min(views) >= 500 FROM t')).toEqual([[many, true]]);

  await using children = new ApiLake({ load: 'replace' });
  children.url = server.url;
  children.endpoints = {
    p: { path: '/posts', params: { _limit: 3 } },
    t: { path: '/posts/{p.id}/comments' },
  };
  await children.run();
  expect(await children.query('SELECT p_id, "postId", body FROM t ORDER BY id')).toEqual(
    comments.map(({ postId, body }) => [postId, postId, body]),
  );
});
