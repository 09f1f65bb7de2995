/** Smaller ones are not worth it. */
const LARGE = 16 << 10;

/**
 * Frees bytes that belong to the caller and are not needed any more: nobody reads them after that. They lie outside of V8's heap: left
 * to its collector of garbage they make it run for every few megabytes that pass, and are memory until it has.
 */
export function giveBack({ buffer, length }: Uint8Array): void {
  // What is a part of a buffer may have neighbours in it.
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === length;
  if (whole && length >= LARGE) buffer.transfer(0);
}
