import { expect, test } from 'vitest';
import type {
  DiagnosedProblem,
  DiagnoseOptions,
  DiagnosisReport,
  StreamDiagnosis,
} from '../../engine/diagnose-types.ts';
import { runWith } from '../fakes.fixture.ts';

function diagnosis(stream: string, given: Partial<StreamDiagnosis> = {}): StreamDiagnosis {
  return {
    stream,
    table: stream,
    status: 'fits',
    findings: [],
    rows: undefined,
    partial: false,
    open: [],
    unknown: [],
    notes: [],
    seconds: 1,
    error: undefined,
    ...given,
  };
}

function report(streams: StreamDiagnosis[]): DiagnosisReport {
  const status = streams[0]?.status ?? 'fits';
  return { pipeline: 'shop_to_lake', from: 'shop', to: 'lake', status, at: '', seconds: 3.14, streams };
}

const TOO_LONG: DiagnosedProblem = {
  columns: ['code'],
  type: 'varchar(255)',
  problem: 'too-long',
  fate: 'refused',
  rows: 2,
  keys: [{ order_id: '77' }, { order_id: '90\u001b[2J' }],
  remedy: 'widen it',
};
const LATE: DiagnosedProblem = {
  columns: ['at'],
  type: 'datetime(6)',
  problem: 'out-of-range',
  fate: 'null',
  rows: 3,
  keys: [{ order_id: '1' }],
  remedy: 'correct the rows',
};
const OTHER: DiagnosedProblem = {
  ...TOO_LONG,
  problem: 'misfit',
  rows: undefined,
  keys: [],
  remedy: 'make it text',
};

function given(streams: StreamDiagnosis[]): { diagnose: () => Promise<DiagnosisReport> } {
  return { diagnose: () => Promise.resolve(report(streams)) };
}

test('says of each stream whether it fits, and names what does not', async () => {
  const failed = { code: 'x', recovery: 'config', message: 'planning d: no', remedy: 'do it' } as const;
  const { code, out } = await runWith(
    ['check', 'shop_to_lake'],
    given([
      diagnosis('public.orders', { status: 'refused', rows: 5_000_412, findings: [TOO_LONG, LATE] }),
      diagnosis('public.lines', { status: 'changes', rows: 12, findings: [LATE] }),
      diagnosis('a', { rows: 1 }),
      diagnosis('b'),
      diagnosis('c', { status: 'refused', findings: [OTHER] }),
      diagnosis('d', { status: 'failed', error: failed }),
      diagnosis('e', {
        status: 'unknown',
        rows: 100,
        partial: true,
        open: [{ field: 'v', problem: 'null' }],
        unknown: [{ field: 'w', problem: 'no-value' }],
      }),
    ]),
  );
  expect(code).toBe(4);
  expect(out).toBe(`shop_to_lake   shop → lake   looked at in 3.1 s
  public.orders   5,000,412 rows   would not load: 2 values would be refused
    ✗ code varchar(255): 2 too long, refused (order_id 77, 90\\x1b[2J)
      widen it
    ! at datetime(6): 3 out of range, become NULL (order_id 1, and 2 more)
      correct the rows
  public.lines           12 rows   loads, and 3 values would be changed
    ! at datetime(6): 3 out of range, become NULL (order_id 1, and 2 more)
      correct the rows
  a                       1 rows   fits
  b                                fits, by its types: nothing had to be scanned
  c                                would not load: all rows would be refused
    ✗ code varchar(255): all rows of another type, refused
      make it text
  d                                ✗ planning d: no
    do it
  e                     100 rows   not known
    there are more than the 100 rows that were looked at (--rows)
    not scanned (--no-scan): v (NULL)
    the source cannot be asked: w (none of the type)
`);
});

test('exit codes: changes are no reason to stop, a stream that cannot be planned is one', async () => {
  const codeOf = async (stream: StreamDiagnosis): Promise<number> =>
    (await runWith(['check', 'shop_to_lake', '--json'], given([stream]))).code;
  expect(await codeOf(diagnosis('a', { status: 'changes', findings: [LATE] }))).toBe(0);
  expect(await codeOf(diagnosis('a', { status: 'unknown' }))).toBe(0);
  const error = { code: 'x', recovery: 'auth', message: 'no', remedy: undefined } as const;
  expect(await codeOf(diagnosis('a', { status: 'failed', error }))).toBe(6);
});

test('hands its options on, and refuses them where no pipeline is named', async () => {
  const seen: DiagnoseOptions[] = [];
  const services = {
    diagnose: (_: unknown, __: string, options: DiagnoseOptions) => {
      seen.push(options);
      return Promise.resolve(report([]));
    },
  };
  const flags = [
    '--no-scan',
    '--rows',
    '10',
    '--limit',
    '3',
    '--full-refresh',
    '--select',
    'a*',
    '--date',
    '2026-07-01',
  ];
  const { out } = await runWith(['check', 'shop_to_lake', ...flags], services);
  expect(out).toContain('no stream matches');
  expect(seen[0]).toMatchObject({
    scan: false,
    rows: 10,
    limit: 3,
    fullRefresh: true,
    select: ['a*'],
    window: { from: '2026-07-01', to: '2026-07-02' },
  });
  const refused = await runWith(['check', 'shop', '--no-scan'], services);
  expect(refused.code).toBe(2);
  expect(refused.err).toContain('--no-scan: this is for the rows of a pipeline');
});
