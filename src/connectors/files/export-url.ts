const FILE = /\.(csv|tsv|jsonl|ndjson|parquet)(\.(gz|zst))?$/i;

/** The connection that a path to a file stands for; undefined for other paths. */
export function exportFromUrl(url: string): { path: string; export: string } | undefined {
  if (!FILE.test(url) || (/^[a-z][a-z0-9+.-]+:\/\//i.test(url) && !/^(file|s3):\/\//i.test(url)))
    return undefined;
  const path = url.replace(/^file:\/\//i, '');
  // Folders may have placeholders as well: the connection is what lies above all of them.
  const plain = path.slice(0, path.search(/\{|$/));
  const at = plain === path ? path.lastIndexOf('/') : plain.lastIndexOf('/');
  if (at < 0) return { path: '.', export: path };
  return { path: at === 0 ? '/' : path.slice(0, at), export: path.slice(at + 1) };
}
