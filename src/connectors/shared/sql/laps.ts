/** Seconds since the lap before, by name. */
export function laps(): (name?: string) => Record<string, number> {
  const times: Record<string, number> = {};
  let last = performance.now();
  return (name) => {
    const now = performance.now();
    if (name !== undefined) times[name] = (now - last) / 1000;
    last = now;
    return times;
  };
}
