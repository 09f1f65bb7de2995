/** One object as a listing shows it. */
export interface StoredObject {
  key: string;
  /** Bytes. */
  size: number;
  /** Milliseconds since the epoch by the clock of the storage; some storages round down to whole seconds. */
  modifiedAt: number;
  /** What the storage says of the content, where it does: it differs when the bytes do. */
  etag?: string | undefined;
}

/** Bytes `[from, to)`; to the end without `to`. What lies behind the end has no bytes. */
export interface ByteRange {
  from: number;
  to?: number | undefined;
}

export interface ListOptions {
  /** Only keys after this one. */
  startAfter?: string | undefined;
  /** Lists objects without bytes, too: files that others wrote may be empty and mean it. */
  empty?: boolean | undefined;
  /**
   * Called with the names of objects that others wrote and that have no key: with empty, `.` or `..` parts, or bytes that are no
   * UTF-8. That of a folder ends with a slash.
   */
  onUnnamed?: ((name: string) => void) | undefined;
}

/** Objects that can be opened as files. */
export interface LocalCopies {
  /** Called once, when nobody reads them any more. */
  release(): void;
}

/**
 * A flat store of immutable-by-habit objects: a local folder or a bucket. Keys are relative paths with `/`
 * between their parts, without empty, `.` and `..` parts. Objects are never empty: a file without bytes is what
 * an interrupted write leaves on some file systems, so it counts as absent, except for those who ask for what others wrote.
 *
 * Every call sees what every earlier call of any process did (S3 gives that, too). A call that throws a
 * TransientError may be made again; whether the failed one took effect is unknown, and a caller for whom
 * that matters puts something of its own into the object and reads it back.
 */
export interface ObjectStorage {
  /** The whole object; undefined when there is none. For small objects: commit records, leases. */
  get(key: string): Promise<Uint8Array | undefined>;
  /**
   * The bytes of an object of any size, a part at a time: no more is read than was asked for, but for a few parts ahead.
   * Each part belongs to the caller. An object without bytes has no parts. Throws a DataError `storage.missing` when there
   * is no object, and a TransientError `storage.changed` when it was changed while it was read: what came before
   * that error is then of no use. Leaving the loop ends the read.
   */
  read(key: string, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>;
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
  list(prefix: string, options?: ListOptions): Promise<StoredObject[]>;
  /** Removes objects; those that do not exist are no error. When it throws, some may be gone. */
  delete(keys: readonly string[]): Promise<void>;
  /**
   * Has objects lie at their {@link localPath} until what is returned is released, for engines that open files. What is on
   * a disk already costs nothing, and is not looked at. Throws like {@link read} where something has to be brought.
   */
  fetch(keys: readonly string[], signal?: AbortSignal): Promise<LocalCopies>;
  /**
   * Where an engine inside this process opens an object that was fetched. Says nothing about existence. Below
   * such a path lies also what belongs to no object: scratch files, for the processes of this machine only.
   */
  localPath(key: string): string;
  /** Set where objects lie at their {@link localPath} without being fetched. */
  readonly onDisk?: boolean;
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
