/** A program of its own: `node parse-messages.ts < messages` parses all lines, and throws them away. */
import { createInterface } from 'node:readline';

let records = 0;
for await (const line of createInterface({ input: process.stdin }))
  if ((JSON.parse(line) as { type: string }).type === 'RECORD') records++;
console.log(records);
