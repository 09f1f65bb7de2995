/** One object as a listing shows it. */
export interface StoredObject {
  key: string;
  /** Bytes. */
  size: number;
  /** Milliseconds since the epoch by the clock of the storage; some storages round down to whole seconds. */
  modifiedAt: number;
}

/**
 * A flat store of immutable-by-habit objects: a local folder or a bucket. Keys are relative paths with `/`
 * between their parts, without empty, `.` and `..` parts. Objects are never empty: a file without bytes is what
 * an interrupted write leaves on some file systems, so it counts as absent.
 *
 * Every call sees what every earlier call of any process did (S3 gives that, too). A call that throws a
 * TransientError may be made again; whether the failed one took effect is unknown, and a caller for whom
 * that matters puts something of its own into the object and reads it back.
 */
export interface ObjectStorage {
  /** The whole object; undefined when there is none. For small objects: commit records, leases. */
  get(key: string): Promise<Uint8Array | undefined>;
  /**
   * Creates the object unless it exists. Of any number of racing callers, in any number of processes, exactly one
   * gets true. False means that a complete object is there. Nobody ever sees a part of an object, and when this
   * returns true the object survives a power cut.
   */
  putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean>;
  /** Creates or replaces the object; readers see the old or the new one. Durable like {@link putIfAbsent}. */
  put(key: string, bytes: Uint8Array): Promise<void>;
  /**
   * Creates or replaces the object from a finished local file and takes that file over: afterwards it is gone.
   * Readers see the old object or the whole new one. Durable like {@link putIfAbsent}.
   */
  upload(key: string, localPath: string): Promise<void>;
  /**
   * All objects whose key starts with `prefix` (any text, not only a folder) and comes after `startAfter`, in the
   * order of {@link compareKeys}.
   */
  list(prefix: string, options?: { startAfter?: string | undefined }): Promise<StoredObject[]>;
  /** Removes objects; those that do not exist are no error. When it throws, some may be gone. */
  delete(keys: readonly string[]): Promise<void>;
  /** Where an engine inside this process can open the object: a path or a URL. Says nothing about existence. */
  localPath(key: string): string;
  /** For messages and `check`, without secrets. */
  describe(): string;
}

const SURROGATE = /[\ud800-\udfff]/;

/** The order of keys: that of their UTF-8 bytes, as S3 lists them. JavaScript's own order differs above U+FFFF. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : 1;
}
