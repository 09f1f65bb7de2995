/** A program of its own: `node fetch-pages.ts <url>` fetches all pages, parses them, and throws them away. */
const [, , target = ''] = process.argv;
let records = 0;
for (let page = 1; ; page++) {
  const response = await fetch(`${target}&page=${page}`);
  const { data } = JSON.parse(await response.text()) as { data: unknown[] };
  if (data.length === 0) break;
  records += data.length;
}
console.log(records);
