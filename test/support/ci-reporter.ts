/** Counts for `.ci/run`, and what it repeats at its end, where nobody has to look for it. */
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule, TestSuite } from 'vitest/node';

const FILE = new URL('../../.cache/tests.json', import.meta.url);

export class CiReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly { message: string }[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const failed = tests.filter((test) => test.result().state === 'failed');
    const counts = {
      passed: tests.filter((test) => test.result().state === 'passed').length,
      failed: failed.length,
      said: [
        ...failed.map((test) => `failed: ${nameOf(test)}: ${firstLine(test.result().errors)}`),
        // Files and groups whose set-up fails have no failed test.
        ...modules
          .flatMap((module) => [module, ...module.children.allSuites()])
          .filter((group) => group.errors().length > 0)
          .map((group) => `failed: ${placeOf(group)}: ${firstLine(group.errors())}`),
        ...unhandled.map((error) => `failed: outside of tests: ${firstLine([error])}`),
        ...tests
          .filter((test) => test.diagnostic()?.flaky === true)
          .map((test) => `passed at the second try: ${nameOf(test)}: ${firstLine(test.result().errors)}`),
      ],
    };
    mkdirSync(new URL('.', FILE), { recursive: true });
    writeFileSync(FILE, JSON.stringify(counts));
  }
}

function nameOf(test: TestCase): string {
  return `${test.module.relativeModuleId}: ${test.fullName}`;
}

function placeOf(group: TestModule | TestSuite): string {
  return group.type === 'module'
    ? group.relativeModuleId
    : `${group.module.relativeModuleId}: ${group.fullName}`;
}

function firstLine(errors: readonly { message: string }[] | undefined): string {
  return (errors?.[0]?.message ?? 'no message').split('\n')[0]!.slice(0, 300);
}
