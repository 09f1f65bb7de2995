/** How rows are kept that no text of a source stands for: as lines of JSON, with a member for each column. */
export const ROW_FORM: string = JSON.stringify({ row: 'json' });
