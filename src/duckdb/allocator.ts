/**
 * How DuckDB's allocator (jemalloc, on Linux) keeps memory that was freed. Statements run on whatever thread of Node's pool is
 * free, and by default each thread keeps some of what it has freed, and all of it stays for ten seconds: tens of megabytes
 * that no budget knows of. For a few milliseconds it stays here, too: blocks and buffers that are given back at once, and reserved
 * anew a moment later, have each of their pages cleared by the system every time, a fifth of the CPU of reading files into a lake.
 */
const VARIABLE = 'DUCKDB_JE_MALLOC_CONF';
const OPTIONS = 'tcache:false,dirty_decay_ms:5,muzzy_decay_ms:0';

/**
 * Has to be called in the main thread, whose environment alone is the process's, before DuckDB is loaded; has no effect
 * afterwards. Returns what takes it back, so that programs that are started later do not inherit it.
 */
export function frugalAllocator(): () => void {
  if (process.env[VARIABLE] !== undefined) return () => undefined;
  process.env[VARIABLE] = OPTIONS;
  return () => {
    delete process.env[VARIABLE];
  };
}

/** The same around an import that loads DuckDB into this thread. */
export async function withFrugalAllocator<T>(load: () => Promise<T>): Promise<T> {
  const takeBack = frugalAllocator();
  try {
    return await load();
  } finally {
    takeBack();
  }
}
