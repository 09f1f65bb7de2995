/** What a project wants to be told of, and what it is told. */

/** The thresholds of one level: the project, a pipeline, or a stream. `false` takes away what a level above has set. */
export interface AlertThresholds {
  /** Quarantined rows in percent of those that were read, of a stream. */
  error_rate?: number | false | undefined;
  /** Seconds that the run took, or the stream that it is set for. */
  duration?: number | false | undefined;
  /** Rows read per second by the run, or by the stream that it is set for. */
  min_rows_per_second?: number | false | undefined;
  /** Seconds since a stream was last loaded without an error. */
  staleness?: number | false | undefined;
  /** A stream has failed. */
  failed?: boolean | undefined;
}

export type AlertName = keyof AlertThresholds;

/** Where alerts are sent. */
export interface Webhook {
  url: string;
  headers?: Record<string, string> | undefined;
  /** Seconds for one attempt. */
  timeout: number;
  /** Attempts after the first one. */
  retries: number;
}

export interface ProjectAlerts extends AlertThresholds {
  webhook?: Webhook | undefined;
}

/** One threshold that was crossed. */
export interface Alert {
  alert: AlertName;
  pipeline: string;
  /** Undefined when it is about the run as a whole, or a pipeline none of whose streams was ever loaded. */
  stream: string | undefined;
  /** In the unit of the threshold; undefined where there is nothing to measure: never loaded, failed. */
  value: number | undefined;
  threshold: number | undefined;
  message: string;
}
