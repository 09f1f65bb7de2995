/** What messages of a binary COPY begin with. https://www.postgresql.org/docs/current/protocol-message-formats.html */

/** The type of CopyData, a `d`, which int32 length (with itself) follows. */
export const COPY_DATA = 100;
/** Bytes of both. */
export const MESSAGE_HEADER = 5;
/** Bytes of `PGCOPY\n\xff\r\n\0`, int32 flags, int32 length of the extension that follows, which the first message has before its row. */
export const FILE_HEADER = 19;
