import { userInfo } from 'node:os';
import { asSluiceError, ConfigError, type SluiceError, TransientError } from '../../core/errors.ts';

interface Fault {
  code: string;
  found: string;
  remedy: string;
  /** Worth another try without anybody doing anything. */
  transient?: boolean;
}

const DENIED: Fault = {
  code: 'storage.permission',
  found: 'permission denied',
  remedy:
    'give this user the right to do that there, run as the owner of the folder, or choose another folder',
};
const TOO_MANY_FILES: Fault = {
  code: 'storage.too_many_files',
  found: 'too many open files',
  remedy: 'raise the limit (ulimit -n) or run with fewer workers',
  transient: true,
};
const INPUT_OUTPUT: Fault = {
  code: 'storage.io',
  found: 'the file system reports an error',
  remedy: 'check the disk or the network drive, then run again',
  transient: true,
};
const IN_THE_WAY: Fault = {
  code: 'storage.in_the_way',
  found: 'a file is where a folder has to be, or a folder where a file has to be',
  remedy: 'move it away or choose another folder',
};

/** By the operating system's error code. Full disks do not empty themselves within a retry's patience. */
const FAULTS: Readonly<Record<string, Fault>> = {
  ENOSPC: {
    code: 'storage.disk_full',
    found: 'no space left on the disk, or no room for more files',
    remedy:
      'free space on that disk (`df`, `df -i`) or choose another folder, then run again: nothing half-written is visible',
  },
  EDQUOT: {
    code: 'storage.disk_full',
    found: 'the disk quota of this user is used up',
    remedy:
      'free space, raise the quota or choose another folder, then run again: nothing half-written is visible',
  },
  EFBIG: {
    code: 'storage.file_limit',
    found: 'the file is larger than this process, or the file system, may write',
    remedy: 'raise the limit (ulimit -f) or choose another folder',
  },
  EROFS: {
    code: 'storage.read_only',
    found: 'the file system is mounted read-only',
    remedy: 'mount it writable or choose another folder',
  },
  EACCES: DENIED,
  EPERM: DENIED,
  EMFILE: TOO_MANY_FILES,
  ENFILE: TOO_MANY_FILES,
  EIO: INPUT_OUTPUT,
  ESTALE: INPUT_OUTPUT,
  EBUSY: INPUT_OUTPUT,
  EAGAIN: INPUT_OUTPUT,
  ETIMEDOUT: INPUT_OUTPUT,
  ENOENT: {
    code: 'storage.missing',
    found: 'the file or its folder does not exist',
    remedy: 'check that nothing else removes files there and that the drive is mounted',
  },
  ENOTDIR: IN_THE_WAY,
  EISDIR: IN_THE_WAY,
  EEXIST: IN_THE_WAY,
  ENOTEMPTY: IN_THE_WAY,
  ENAMETOOLONG: {
    code: 'storage.name_too_long',
    found: 'the path is longer than the file system allows',
    remedy: 'choose a folder with a shorter path or a shorter table name',
  },
  ELOOP: {
    code: 'storage.link_loop',
    found: 'symbolic links lead in a circle',
    remedy: 'remove the link that points back',
  },
};

/** The operating system's code of an error, for example `ENOENT`. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether a file system error says that no file is there; a folder is none. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'EISDIR'].includes(systemCode(error) ?? '');
}

/** What a file system error means for the user. `doing` names the path: `writing "/lake/orders/x.parquet"`. */
export function storageError(error: unknown, doing: string): SluiceError {
  const system = systemCode(error);
  const fault = system === undefined ? undefined : FAULTS[system];
  if (fault === undefined) return asSluiceError(error, doing);
  const who = fault === DENIED ? ` for user "${userName()}"` : '';
  const detail = { code: fault.code, remedy: fault.remedy, details: { system }, cause: error };
  const message = `${doing}: ${fault.found}${who} (${system})`;
  return fault.transient === true ? new TransientError(message, detail) : new ConfigError(message, detail);
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // Containers run under ids that no account belongs to.
    return String(process.getuid?.() ?? 'unknown');
  }
}
