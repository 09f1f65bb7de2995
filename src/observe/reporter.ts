import type { Listener } from '../core/events.ts';

/**
 * Tells somebody outside of a run. It listens while the run goes on, and has its say in `finish`, which is called once, before
 * the run has ended for its caller. What it could not do is told as text: it never throws, and never fails a run.
 */
export interface Reporter {
  readonly listener: Listener;
  finish(): Promise<ReporterWarning[]>;
}

export interface ReporterWarning {
  code: string;
  message: string;
  remedy?: string | undefined;
}
