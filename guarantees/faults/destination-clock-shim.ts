/**
 * Loaded before anything else in a process (`node --import`): its clock is off by SLUICE_ATTACK_CLOCK milliseconds, or, with
 * `0,-3600000,200`, right for 200 looks and then an hour behind. Timers and files keep the real time, as they do when
 * somebody sets the clock of a machine.
 */
const [before = 0, after = before, looks = 0] = (process.env['SLUICE_ATTACK_CLOCK'] ?? '0')
  .split(',')
  .map(Number);
const Real = Date;
let looked = 0;

function now(): number {
  return Real.now() + (looked++ < looks ? before : after);
}

globalThis.Date = new Proxy(Real, {
  construct: (target, values: [], newTarget): Date =>
    Reflect.construct(target, values.length === 0 ? [now()] : values, newTarget) as Date,
  apply: () => new Real(now()).toString(),
  get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
});
