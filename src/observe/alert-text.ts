import type { Alert } from '../core/alerts.ts';
import type { Style } from './style.ts';

/** One line for each: `  ▲ public.orders: not loaded for 3 h, longer than 1 h (staleness)`. */
export function alertLines(alerts: readonly Alert[], style: Style): string[] {
  return alerts.map(({ alert, stream, message }) => {
    const about = stream === undefined ? '' : `${stream}: `;
    return `  ${style.red('▲')} ${about}${message} ${style.dim(`(alert: ${alert})`)}`;
  });
}
