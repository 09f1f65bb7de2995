/** Names that people give to the time of the last change, best first; then the time of creation. */
export const CHANGED: RegExp =
  /^(updated?|modified|changed|last_?(updated?|modified|changed))(_?(at|on|time|date|ts|timestamp))?$/i;
export const CREATED: RegExp = /^(created?|inserted|added)(_?(at|on|time|date|ts|timestamp))?$/i;
/** Below this, reading everything each time is cheaper than keeping track. */
export const SMALL_ROWS = 1000;
