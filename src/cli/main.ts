#!/usr/bin/env node
// Everything in this file has to be understood by Node 12, which is asked to run it by whoever has an old one: no
// static imports and no syntax younger than 2019. The real program starts in start.ts.
const needed = { major: 22, minor: 13 };
const found = process.versions.node.split('.').map(Number);
const major = found[0] || 0;
const minor = found[1] || 0;

if (major > needed.major || (major === needed.major && minor >= needed.minor)) {
  void begin();
} else {
  const wanted = needed.major + '.' + needed.minor;
  process.stderr.write(
    'sluice needs Node.js ' +
      wanted +
      ' or newer, this is ' +
      process.versions.node +
      ': https://nodejs.org\n',
  );
  process.exitCode = 1;
}

async function begin(): Promise<void> {
  const module = await import('node:module');
  // Compiled code is kept between starts; the modules loaded after this line profit.
  module.enableCompileCache();
  // What is read from sockets dies young, so a young generation that grows would only take memory.
  (await import('node:v8')).setFlagsFromString('--semi-space-growth-factor=1');
  const program = await import('./start.ts');
  await program.start(process.argv.slice(2));
}
