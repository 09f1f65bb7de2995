import { ConflictError, InternalError } from '../core/errors.ts';
import type { Lease, LeaseHolder } from '../core/state.ts';

/** Somebody else holds the lease that was asked for. */
export function leaseHeld(lease: Lease): ConflictError {
  const [since, until] = [toText(lease.acquiredAt), toText(lease.expiresAt)];
  return new ConflictError(
    `acquiring the lease ${quote(lease.name)}: held by ${renderHolder(lease.holder)} since ${since}, valid until ${until}`,
    {
      code: 'lease.held',
      remedy: `wait for that run to end, or stop it; if it died, the lease is free at ${until}`,
      details: { name: lease.name, ...lease.holder, fence: lease.fence, since, until },
    },
  );
}

/** The lease that the caller thought to hold is not theirs any more. `now` is who has it, if anybody. */
export function leaseLost(
  lease: Lease,
  now: { holder: LeaseHolder; fence: number } | undefined,
): ConflictError {
  const found =
    now === undefined
      ? 'nobody holds it now, it was ended or the state was rebuilt'
      : `${renderHolder(now.holder)} has taken it over`;
  return new ConflictError(
    `renewing the lease ${quote(lease.name)} of run ${quote(lease.holder.run)}: ${found}`,
    {
      code: 'lease.lost',
      remedy:
        'run again once the other run has ended; if this machine slept or hung, that is why, otherwise look for a ' +
        'second schedule of the same pipeline',
      details: { name: lease.name, fence: lease.fence, holder: now?.holder, holderFence: now?.fence },
    },
  );
}

/** A lease without an end would outlive every crash. */
export function checkLeaseTerms(name: string, ttlMs: number, minFence: number): void {
  const valid = Number.isSafeInteger(ttlMs) && ttlMs > 0 && Number.isSafeInteger(minFence) && minFence >= 0;
  if (valid) return;
  throw new InternalError(`leasing ${quote(name)}: time to live ${ttlMs} ms, least fence ${minFence}`, {
    code: 'lease.invalid_terms',
  });
}

function renderHolder(holder: LeaseHolder): string {
  return `run ${quote(holder.run)} (host ${quote(holder.host)}, process ${holder.pid})`;
}

/** Names are free text, messages are one line. */
function quote(text: string): string {
  return JSON.stringify(text);
}

function toText(at: number): string {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? String(at) : date.toISOString();
}
