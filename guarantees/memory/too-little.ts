import { LEAST_MEMORY } from '../../src/core/memory.ts';
import type { Attack } from '../attack.ts';
import { startCommand } from '../kill/command.ts';

const MEBIBYTE = 1 << 20;

export const tooLittle: Attack = {
  name: 'too-little',
  part: 'memory',
  promise: 'fixed-memory',
  tries: 'asks for a memory budget below the smallest one, in the project file and on the command line',
  rounds: 1,
  brief: true,
  async run(arena) {
    const pair = await arena.open({ 'public.t': {} }, 'CREATE TABLE t (id int); INSERT INTO t VALUES (1)');
    const least = `${LEAST_MEMORY / MEBIBYTE} MiB`;
    const refused = async (...more: string[]): Promise<void> => {
      const { code, output } = await (await startCommand(pair, ['run', ...more])).ended;
      if (code !== 2 || !/memory/.test(output) || !output.includes(least))
        throw new Error(`expected exit code 2 and a word of ${least}, found ${code}: ${output}`);
      if (await pair.to.schema('t')) throw new Error('the run that was refused loaded rows');
    };
    await refused('--memory', String(LEAST_MEMORY - 1));
    pair.memoryBytes = LEAST_MEMORY - 1;
    await refused();
    pair.memoryBytes = LEAST_MEMORY;
    await pair.run();
    await arena.verify(pair, ['t']);
    return 'refused with the smallest budget, then works';
  },
};
