/** What `strace -ff -ttt -T -y` has written, as the few calls that matter to what is on disk, in the order of time. */

export interface SystemCall {
  kind: 'make' | 'write' | 'flush' | 'rename' | 'link';
  file: string;
  /** Of `rename` and `link`. */
  to?: string;
}

/** Texts of all threads. A flush counts from its end, everything else from its beginning. */
export function parseCalls(threads: readonly string[]): SystemCall[] {
  const timed: { at: number; call: SystemCall }[] = [];
  for (const line of threads.flatMap((text) => text.split('\n'))) {
    const match = /^(\d+\.\d+) (\w+)\((.*)\) += (-?\d+)\S*(?: \w+ \(.*\))? <(\d+\.\d+)>$/.exec(line);
    if (!match || Number(match[4]) < 0) continue;
    const [, start, name, text, , duration] = match;
    const call = parseCall(name!, text!, line);
    if (call) timed.push({ at: Number(start) + (call.kind === 'flush' ? Number(duration) : 0), call });
  }
  return timed.toSorted((a, b) => a.at - b.at).map(({ call }) => call);
}

function parseCall(name: string, text: string, line: string): SystemCall | undefined {
  // Paths are quoted as in C; descriptors look like 23</path/to/file>.
  const quoted = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, file]) => file!);
  const opened = /^\d+<([^>]*)>/.exec(text)?.[1];
  switch (name) {
    case 'openat':
    case 'creat': {
      const file = / = \d+<([^>]*)>/.exec(line)?.[1];
      return file !== undefined && (name === 'creat' || text.includes('O_CREAT'))
        ? { kind: 'make', file }
        : undefined;
    }
    case 'mkdir':
    case 'mkdirat':
      return { kind: 'make', file: quoted[0]! };
    case 'fsync':
    case 'fdatasync':
      return opened === undefined ? undefined : { kind: 'flush', file: opened };
    case 'rename':
    case 'renameat':
    case 'renameat2':
      return { kind: 'rename', file: quoted[0]!, to: quoted[1]! };
    case 'link':
    case 'linkat':
      return { kind: 'link', file: quoted[0]!, to: quoted[1]! };
    default:
      return opened?.startsWith('/') ? { kind: 'write', file: opened } : undefined;
  }
}
